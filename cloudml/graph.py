"""The project as a graph: who leans on whom, in which order, and what there is to do."""

from __future__ import annotations

from enum import StrEnum
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from cloudml.checks import check
from cloudml.errors import NotFoundError
from cloudml.records import dataclass
from cloudml.resources import (
    VERSIONED,
    DatasetResource,
    EndpointResource,
    JobResource,
    ModelResource,
    MonitorResource,
    Resource,
)
from cloudml.specs.references import owner, part
from cloudml.status import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cloudml.identity import Contents
    from cloudml.plan import Note, Plan
    from cloudml.seam import Plugin, Provider
    from cloudml.specs import AnySpec, JobSpec, ModelSpec, MonitorSpec, ProjectSpec
    from cloudml.status import Status


class Action(StrEnum):
    """What `up` does to bring a resource to what the project says."""

    REUSE = "reuse"
    """It is there."""
    WAIT = "wait"
    """It is on its way; somebody began it before."""
    CREATE = "create"
    """It is not there."""
    UPDATE = "update"
    """It is there and differs; it is moved to what is wanted."""
    FINISH = "finish"
    """It is there, and something is still to be sent before it is as wanted."""
    REPLACE = "replace"
    """It is there and failed; it is removed and made again."""
    UNKNOWN = "unknown"
    """Nobody looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done for one resource.

    Attributes:
        resource: The resource, complete.
        action: What is to be done.
        why: In a few words.
        plan: The native requests that bring it into being.
        notes: What became of fields that are not sent as they stand.
        status: What is there now; None when nothing is, or nobody looked.
    """

    resource: Resource
    action: Action
    why: str
    plan: Plan
    notes: tuple[Note, ...]
    status: Status | None = None

    @property
    def reference(self) -> str:
        return self.resource.identity.resource

    @property
    def name(self) -> str:
        return self.resource.identity.name


def leans_on(spec: AnySpec) -> tuple[str, ...]:
    """The resources that must be there before this one, each once."""
    return tuple(dict.fromkeys(owner(reference) for reference in _references(spec)))


def _references(spec: Any) -> Iterator[str]:
    yield from getattr(spec, "inputs", {}).values()
    for field in ("model", "endpoint", "baseline"):
        if value := getattr(spec, field, None):
            yield value
    if hasattr(spec, "predictor"):
        yield spec.source
    yield from getattr(spec, "require", {})


def needed(project: ProjectSpec, only: Iterable[str]) -> tuple[str, ...]:
    """*only* and all that it leans on, in an order in which they can be made; everything when *only* is empty."""
    specs = dict(project.resources())
    wanted = list(only) or list(specs)
    graph: dict[str, tuple[str, ...]] = {}
    while wanted:
        reference = wanted.pop()
        if reference in specs and reference not in graph:
            graph[reference] = tuple(one for one in leans_on(specs[reference]) if one in specs)
            wanted.extend(graph[reference])
    order = {reference: index for index, reference in enumerate(specs)}
    return tuple(sorted(TopologicalSorter(graph).static_order(), key=lambda one: (_depth(graph, one), order[one])))


def _depth(graph: Mapping[str, tuple[str, ...]], reference: str) -> int:
    return 1 + max((_depth(graph, one) for one in graph[reference]), default=0)


@dataclass(frozen=True, slots=True)
class Builder:
    """Turns specs into resources: identities from content, references replaced by what they lead to."""

    contents: Contents
    provider: Provider

    def resource(self, reference: str, spec: AnySpec) -> Resource:
        """The resource behind *reference*, complete."""
        return BUILD[reference.partition(".")[0]](self, reference, spec)

    def uri(self, reference: str) -> str:
        """Where ``datasets.flights`` or ``jobs.train.model`` lies at the provider."""
        identity = self.contents.identity(owner(reference))
        if identity.section == "datasets":
            return self.provider.datasets.uri(identity)
        return self.provider.jobs.output(identity, part(reference))


def _dataset(builder: Builder, reference: str, spec: Any) -> DatasetResource:
    contents = builder.contents
    return DatasetResource(spec=spec, identity=contents.identity(reference), manifest=contents.manifest(reference))


def _job(builder: Builder, reference: str, spec: JobSpec) -> JobResource:
    contents = builder.contents
    source = contents.source(reference)
    assert source is not None
    return JobResource(
        spec=spec,
        identity=contents.identity(reference),
        source=source,
        requirements=contents.requirements(reference),
        inputs={name: builder.uri(one) for name, one in spec.inputs.items()},
    )


def _model(builder: Builder, reference: str, spec: ModelSpec) -> ModelResource:
    contents = builder.contents
    job = owner(spec.source)
    trained = contents.project.jobs.get(job.partition(".")[2])
    return ModelResource(
        spec=spec,
        identity=contents.identity(reference),
        artifact=builder.uri(spec.source),
        job=contents.identity(job).name,
        source=contents.source(reference),
        requirements=contents.requirements(reference),
        framework=trained.framework if trained else None,
        lineage={one: contents.identity(one).hash for one in _ancestors(contents.project, spec)},
    )


def _ancestors(project: ProjectSpec, spec: AnySpec) -> tuple[str, ...]:
    return needed(project, leans_on(spec))


def _endpoint(builder: Builder, reference: str, spec: Any) -> EndpointResource:
    contents = builder.contents
    return EndpointResource(spec=spec, identity=contents.identity(reference), model=contents.identity(spec.model).name)


def _monitor(builder: Builder, reference: str, spec: MonitorSpec) -> MonitorResource:
    contents = builder.contents
    labels = {one.label for one in contents.project.datasets.values() if one.label}
    return MonitorResource(
        spec=spec,
        identity=contents.identity(reference),
        endpoint=contents.identity(spec.endpoint).name,
        baseline=builder.uri(spec.baseline),
        label=next(iter(labels)) if len(labels) == 1 else None,
    )


BUILD: Mapping[str, Callable[[Builder, str, Any], Resource]] = {
    "datasets": _dataset,
    "jobs": _job,
    "models": _model,
    "endpoints": _endpoint,
    "monitors": _monitor,
}


def service(provider: Provider, section: str) -> Any:
    """The provider's service for that section."""
    return getattr(provider, section)


def steps(builder: Builder, plugin: Plugin[Any], order: Iterable[str], *, look: bool) -> tuple[Step, ...]:
    """What is to be done for each of *order*.

    Every resource is checked against the provider's capabilities first, so that nothing is sent for a project that
    cannot be carried out whole.

    Args:
        builder: Makes the resources.
        plugin: Whose capabilities count.
        order: References, those leaned on first.
        look: Whether to ask the provider what is there.

    Raises:
        UnsupportedError: The provider cannot honour a field.
    """
    specs = dict(builder.contents.project.resources())
    order = tuple(order)
    notes = {reference: check(reference, specs[reference], plugin) for reference in order}
    return tuple(_step(builder, reference, specs[reference], notes[reference], look=look) for reference in order)


def _step(builder: Builder, reference: str, spec: AnySpec, notes: tuple[Note, ...], *, look: bool) -> Step:
    resource = builder.resource(reference, spec)
    plan = service(builder.provider, resource.identity.section).plan(resource)
    status = present(builder.provider, resource) if look else None
    action, why = judge(resource, status) if look else (Action.UNKNOWN, "nobody looked at what is there")
    return Step(resource=resource, action=action, why=why, plan=plan, notes=_merged(notes, plan.notes), status=status)


def _merged(general: tuple[Note, ...], special: tuple[Note, ...]) -> tuple[Note, ...]:
    """Both, once each; what the provider's plan says of a field is more exact than what its table says."""
    said = {note.path for note in special}
    return (*special, *(note for note in general if note.path not in said))


def present(provider: Provider, resource: Resource) -> Status | None:
    """What the provider has under the resource's name; None when nothing."""
    try:
        status: Status = service(provider, resource.identity.section).get(resource.identity.name)
    except NotFoundError:
        return None
    return status


def judge(resource: Resource, status: Status | None) -> tuple[Action, str]:
    """What is to be done, given what is there."""
    if status is None:
        return Action.CREATE, "not there yet"
    if not status.state.over:
        return Action.WAIT, f"{status.state} since an earlier start"
    same = status.hash == resource.identity.hash
    if status.state is State.UNFINISHED and same:
        return Action.FINISH, status.reason or "more is to be sent"
    if resource.identity.section in VERSIONED:
        return (Action.REUSE, "same content") if status.state.good else (Action.REPLACE, f"{status.state} earlier")
    if same and status.state.good:
        return Action.REUSE, "same as the project says"
    return Action.UPDATE, "differs from the project" if status.state.good else status.reason or str(status.state)
