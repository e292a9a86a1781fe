"""May this provider run this spec? Pure: asked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Capability as C
from cloudml.capabilities import Level
from cloudml.errors import UnsupportedError
from cloudml.plan import Note

if TYPE_CHECKING:
    from cloudml.capabilities import Capability
    from cloudml.seam import Plugin
    from cloudml.specs import AnySpec

Need = tuple[C, str, Callable[[Any], object]]

REMOTE = ("s3://", "gs://", "az://", "https://", "http://")

DATASET: tuple[Need, ...] = (
    (C.DATASET_REMOTE, "path", lambda spec: spec.path.startswith(REMOTE)),
    (C.DATASET_FILES, "path", lambda spec: not spec.path.startswith(REMOTE)),
    (C.DATASET_LABEL, "label", lambda spec: spec.label),
)
JOB: tuple[Need, ...] = (
    (C.JOB_PYTHON, "script", lambda spec: spec.script.endswith(".py")),
    (C.JOB_SHELL, "script", lambda spec: spec.script.endswith(".sh")),
    (C.JOB_PROCESSING, "outputs", lambda spec: not spec.trains),
    (C.JOB_PARAMETERS, "parameters", lambda spec: spec.parameters),
    (C.JOB_METRICS, "metrics", lambda spec: spec.metrics),
    (C.JOB_FRAMEWORK, "framework", lambda spec: spec.framework),
    (C.JOB_IMAGE, "image", lambda spec: spec.image),
    (C.JOB_REQUIREMENTS, "requirements", lambda spec: spec.requirements),
    (C.JOB_MACHINE, "machine.cpus", lambda spec: spec.machine.cpus),
    (C.JOB_MACHINE, "machine.memory", lambda spec: spec.machine.memory),
    (C.JOB_GPU, "machine.gpus", lambda spec: spec.machine.gpus),
    (C.JOB_GPU, "machine.gpu", lambda spec: spec.machine.gpu),
    (C.JOB_DISK, "machine.disk", lambda spec: spec.machine.disk),
    (C.JOB_NODES, "nodes", lambda spec: spec.nodes > 1),
    (C.JOB_SPOT, "spot", lambda spec: spec.spot),
    (C.JOB_TIMEOUT, "timeout", lambda spec: spec.timeout),
    (C.JOB_ENVIRONMENT, "environment", lambda spec: spec.environment),
)
MODEL: tuple[Need, ...] = (
    (C.MODEL_VERSIONS, "source", lambda spec: spec.source),
    (C.MODEL_PREDICTOR, "predictor", lambda spec: spec.predictor),
    (C.MODEL_BARE, "source", lambda spec: spec.predictor is None),
    (C.MODEL_REQUIREMENTS, "requirements", lambda spec: spec.requirements),
    (C.MODEL_GATE, "require", lambda spec: spec.require),
)
ENDPOINT: tuple[Need, ...] = (
    (C.ENDPOINT_MACHINE, "machine.cpus", lambda spec: spec.machine.cpus),
    (C.ENDPOINT_MACHINE, "machine.memory", lambda spec: spec.machine.memory),
    (C.ENDPOINT_GPU, "machine.gpus", lambda spec: spec.machine.gpus),
    (C.ENDPOINT_GPU, "machine.gpu", lambda spec: spec.machine.gpu),
    (C.ENDPOINT_DISK, "machine.disk", lambda spec: spec.machine.disk),
    (C.ENDPOINT_INSTANCES, "instances", lambda spec: spec.scale.min > 1),
    (C.ENDPOINT_AUTOSCALE, "instances", lambda spec: spec.scale.min < spec.scale.max),
    (C.ENDPOINT_SLEEP, "instances.min", lambda spec: spec.scale.min == 0),
    (C.ENDPOINT_CAPTURE, "capture", lambda spec: spec.capture),
    (C.ENDPOINT_CAPTURE_SHARE, "capture", lambda spec: 0 < spec.capture < 1),
)
MONITOR: tuple[Need, ...] = (
    (C.MONITOR_CHECKS, "checks", lambda spec: spec.checks),
    (C.MONITOR_PREDICTIONS, "checks", lambda spec: any(check.on == "predictions" for check in spec.checks)),
    (C.MONITOR_WINDOW, "window", lambda spec: spec.window),
    (C.MONITOR_SCHEDULE, "schedule", lambda spec: spec.schedule),
)
NEEDS = {"datasets": DATASET, "jobs": JOB, "models": MODEL, "endpoints": ENDPOINT, "monitors": MONITOR}
EXACT = {"jobs": C.JOB_EXACT, "endpoints": C.ENDPOINT_EXACT}
OWN_WORDS = {"jobs": C.JOB_NATIVE, "endpoints": C.ENDPOINT_NATIVE}


def needs(resource: str, spec: AnySpec, provider: str) -> Iterator[tuple[Capability, str]]:
    """The capabilities that *spec* leans on at *provider*, each with the path of the field that asks for it."""
    section = resource.partition(".")[0]
    for capability, field, asked in NEEDS[section]:
        if asked(spec):
            yield capability, f"{resource}.{field}"
    if section in EXACT and provider in spec.machine.exact:
        yield EXACT[section], f"{resource}.machine.exact.{provider}"
    if section in OWN_WORDS and provider in spec.native:
        yield OWN_WORDS[section], f"{resource}.{provider}"


def check(resource: str, spec: AnySpec, plugin: Plugin[Any]) -> tuple[Note, ...]:
    """What of *spec* the provider only emulates, and which provider's own words it carries.

    Raises:
        UnsupportedError: The provider cannot honour a field; the first one is named.
    """
    notes: list[Note] = []
    for capability, path in needs(resource, spec, plugin.name):
        support = plugin.capabilities[capability]
        if not support:
            raise UnsupportedError(
                f"{plugin.title} cannot honour `{path}`: {support.reason}",
                hint="`cloudml provider capabilities` shows what each provider can",
                path=path,
                capability=capability,
                support=support,
            )
        if support.level is Level.EMULATED:
            notes.append(Note(path, support.reason))
    return (*notes, *_elsewhere(resource, spec, plugin.name))


def _elsewhere(resource: str, spec: AnySpec, provider: str) -> Iterator[Note]:
    """A note for every word that is meant for one provider only."""
    for name in getattr(spec, "native", {}):
        text = (
            "not portable: these words are sent as they stand"
            if name == provider
            else f"only for {name}: not used here"
        )
        yield Note(f"{resource}.{name}", text, Level.NATIVE)
    if getattr(spec, "sample", None):
        yield Note(f"{resource}.sample", "sent by `cloudml rehearse`, not part of the endpoint", Level.NATIVE)
    machine = getattr(spec, "machine", None)
    for name in machine.exact if machine else ():
        if name != provider:
            yield Note(f"{resource}.machine.exact.{name}", f"only for {name}: not used here", Level.NATIVE)
