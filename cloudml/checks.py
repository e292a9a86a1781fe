"""May this provider run this spec? Pure: asked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Capability, Level
from cloudml.errors import UnsupportedError
from cloudml.plan import Note

if TYPE_CHECKING:
    from cloudml.seam import Plugin
    from cloudml.specs import AnySpec

Need = tuple[Capability, str, Callable[[Any], object]]

REMOTE = ("s3://", "gs://", "az://", "https://", "http://")

DATASET: tuple[Need, ...] = (
    (Capability.DATASET_REMOTE, "path", lambda spec: spec.path.startswith(REMOTE)),
    (Capability.DATASET_FILES, "path", lambda spec: not spec.path.startswith(REMOTE)),
    (Capability.DATASET_LABEL, "label", lambda spec: spec.label),
)
JOB: tuple[Need, ...] = (
    (Capability.JOB_PYTHON, "script", lambda spec: spec.script.endswith(".py")),
    (Capability.JOB_SHELL, "script", lambda spec: spec.script.endswith(".sh")),
    (Capability.JOB_PROCESSING, "outputs", lambda spec: not spec.trains),
    (Capability.JOB_PARAMETERS, "parameters", lambda spec: spec.parameters),
    (Capability.JOB_METRICS, "metrics", lambda spec: spec.metrics),
    (Capability.JOB_FRAMEWORK, "framework", lambda spec: spec.framework),
    (Capability.JOB_IMAGE, "image", lambda spec: spec.image),
    (Capability.JOB_REQUIREMENTS, "requirements", lambda spec: spec.requirements),
    (Capability.JOB_MACHINE, "machine.cpus", lambda spec: spec.machine.cpus),
    (Capability.JOB_MACHINE, "machine.memory", lambda spec: spec.machine.memory),
    (Capability.JOB_GPU, "machine.gpus", lambda spec: spec.machine.gpus),
    (Capability.JOB_GPU, "machine.gpu", lambda spec: spec.machine.gpu),
    (Capability.JOB_DISK, "machine.disk", lambda spec: spec.machine.disk),
    (Capability.JOB_NODES, "nodes", lambda spec: spec.nodes > 1),
    (Capability.JOB_SPOT, "spot", lambda spec: spec.spot),
    (Capability.JOB_TIMEOUT, "timeout", lambda spec: spec.timeout),
    (Capability.JOB_ENVIRONMENT, "environment", lambda spec: spec.environment),
)
MODEL: tuple[Need, ...] = (
    (Capability.MODEL_VERSIONS, "source", lambda spec: spec.source),
    (Capability.MODEL_PREDICTOR, "predictor", lambda spec: spec.predictor),
    (Capability.MODEL_BARE, "source", lambda spec: spec.predictor is None),
    (Capability.MODEL_REQUIREMENTS, "requirements", lambda spec: spec.requirements),
    (Capability.MODEL_GATE, "require", lambda spec: spec.require),
)
ENDPOINT: tuple[Need, ...] = (
    (Capability.ENDPOINT_MACHINE, "machine.cpus", lambda spec: spec.machine.cpus),
    (Capability.ENDPOINT_MACHINE, "machine.memory", lambda spec: spec.machine.memory),
    (Capability.ENDPOINT_GPU, "machine.gpus", lambda spec: spec.machine.gpus),
    (Capability.ENDPOINT_GPU, "machine.gpu", lambda spec: spec.machine.gpu),
    (Capability.ENDPOINT_DISK, "machine.disk", lambda spec: spec.machine.disk),
    (Capability.ENDPOINT_INSTANCES, "instances", lambda spec: spec.scale.min > 1),
    (Capability.ENDPOINT_AUTOSCALE, "instances", lambda spec: spec.scale.min < spec.scale.max),
    (Capability.ENDPOINT_SLEEP, "instances.min", lambda spec: spec.scale.min == 0),
    (Capability.ENDPOINT_CAPTURE, "capture", lambda spec: spec.capture),
    (Capability.ENDPOINT_CAPTURE_SHARE, "capture", lambda spec: 0 < spec.capture < 1),
)
MONITOR: tuple[Need, ...] = (
    (Capability.MONITOR_CHECKS, "checks", lambda spec: spec.checks),
    (Capability.MONITOR_PREDICTIONS, "checks", lambda spec: any(check.on == "predictions" for check in spec.checks)),
    (Capability.MONITOR_WINDOW, "window", lambda spec: spec.window),
    (Capability.MONITOR_SCHEDULE, "schedule", lambda spec: spec.schedule),
)
NEEDS = {"datasets": DATASET, "jobs": JOB, "models": MODEL, "endpoints": ENDPOINT, "monitors": MONITOR}
EXACT = {"jobs": Capability.JOB_EXACT, "endpoints": Capability.ENDPOINT_EXACT}
OWN_WORDS = {"jobs": Capability.JOB_NATIVE, "endpoints": Capability.ENDPOINT_NATIVE}


def needs(resource: str, spec: AnySpec, provider: str) -> Iterator[tuple[Capability, str]]:
    """The capabilities that *spec* leans on at *provider*, each with the path of the field that asks for it."""
    section = resource.partition(".")[0]
    for capability, field, asked in NEEDS[section]:
        if asked(spec):
            yield capability, f"{resource}.{field}"
    machine = getattr(spec, "machine", None)
    if machine and provider in machine.exact:
        yield EXACT[section], f"{resource}.machine.exact.{provider}"
    if provider in getattr(spec, "native", {}):
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
