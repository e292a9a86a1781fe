"""What may stand where in a project file, found from the models."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, get_args, get_origin

from cloudml.records import dataclass
from cloudml.specs.base import Spec
from cloudml.specs.dataset import DatasetSpec
from cloudml.specs.endpoint import EndpointSpec, InstancesSpec
from cloudml.specs.job import FrameworkSpec, JobSpec
from cloudml.specs.machine import MachineSpec
from cloudml.specs.model import ModelSpec
from cloudml.specs.monitor import CheckSpec, MonitorSpec
from cloudml.specs.native import WithNative
from cloudml.specs.project import SECTIONS, ProjectSpec, TargetSpec
from cloudml.spelling import SLIP, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloudml.specs.document import Path

NOUNS: Mapping[type[Spec], str] = {
    ProjectSpec: "a project",
    TargetSpec: "a target",
    DatasetSpec: "a dataset",
    JobSpec: "a job",
    FrameworkSpec: "a framework",
    MachineSpec: "a machine",
    ModelSpec: "a model",
    EndpointSpec: "an endpoint",
    InstancesSpec: "a range of instances",
    MonitorSpec: "a monitor",
    CheckSpec: "a check",
}

_RESOURCES = (DatasetSpec, JobSpec, ModelSpec, EndpointSpec, MonitorSpec)
"""What gets its name from its key in the file."""


@dataclass(frozen=True, slots=True)
class Place:
    """A model, and the field of the model above it in which it stands."""

    model: type[Spec]
    field: str = ""
    above: Place | None = None


def place(path: Path) -> Place:
    """The innermost model on the way along *path*, its last part left out."""
    here = Place(ProjectSpec)
    in_container = False
    for part in path[:-1]:
        if in_container:
            in_container = False
            continue
        field = here.model.model_fields.get(str(part))
        inner = None if field is None else spec_in(field.annotation)
        if field is None or inner is None:
            return here
        here = Place(inner, str(part), here)
        in_container = is_container(field.annotation)
    return here


def fields(model: type[Spec]) -> tuple[str, ...]:
    """The keys that may stand in a block of the file; providers' blocks not counted."""
    left_out = {"native", "name"} if issubclass(model, _RESOURCES) else set()
    return tuple(name for name in model.model_fields if name not in left_out)


def spec_in(annotation: Any) -> type[Spec] | None:
    """The spec that an annotation is made of, however deep: JobSpec for ``Mapping[Name, JobSpec]``."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    return next(filter(None, map(spec_in, get_args(annotation))), None)


def is_container(annotation: Any) -> bool:
    """Whether a name or an index stands between the field and its spec."""
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping | tuple)


def advice(key: str, here: Place, providers: Iterable[str]) -> str:
    """Where the unknown *key* belongs, or what it was meant to be; empty when nobody can tell."""
    if key == "name" and issubclass(here.model, _RESOURCES):
        return "the name is the key above; leave this out"
    if key in {"native", *providers}:
        return "a provider's own words stand in a block called by its name, `aws: {…}`, inside a job or an endpoint"
    known = (*fields(here.model), *(providers if issubclass(here.model, WithNative) else ()))
    guesses = chain(
        _levels(key, here),
        # `endpoint` at the top is a slip of the pen, though a monitor has such a key.
        filter(None, [did_you_mean(key, known, alike=SLIP)]),
        _elsewhere(key, here),
    )
    return next(guesses, "") or did_you_mean(key, known)


def _levels(key: str, here: Place) -> Iterator[str]:
    """One level down, and then up."""
    for name, field in here.model.model_fields.items():
        inner = spec_in(field.annotation)
        if inner is not None and key in fields(inner) and not is_container(field.annotation):
            yield f"it belongs one level down, in `{name}`"
    above = here.above
    while above is not None:
        if key in fields(above.model):
            yield f"it belongs in {NOUNS[above.model]}, beside `{here.field}`"
        here, above = above, above.above


def _elsewhere(key: str, here: Place) -> Iterator[str]:
    for section in SECTIONS:
        model = spec_in(ProjectSpec.model_fields[section].annotation)
        if model is not None and model is not here.model and key in fields(model):
            yield f"{NOUNS[model]} has such a key"
