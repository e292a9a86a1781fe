"""A monitor's run as a command job: the engine's files, and the request. Pure.

The job finds beside its inputs a folder with a wheel of cloudml, `bootstrap.py` and a description; where the container
has them is known to the command line alone. What differs from run to run stands in its environment; a run that a
schedule starts, which nobody gives a name, gives itself one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.clouds import engine, words
from cloudml_azure import finding, images, machines, names, running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cloudml.resources import MonitorResource
    from cloudml_azure.places import Places
    from cloudml_azure.settings import AzureSettings

INSIDE = engine.Inside(
    baseline="${CLOUDML_BASELINE}",
    capture="${CLOUDML_CAPTURE}",
    report="${CLOUDML_HOME}/runs/{run}",
    kept=f"${{CLOUDML_HOME}}/{engine.KEPT}",
    latest="${CLOUDML_HOME}/latest",
)
TIMEOUT = "PT4H"


def description(resource: MonitorResource) -> dict[str, Any]:
    """What `bootstrap.py` is told."""
    return engine.description(resource, INSIDE, "azure")


def job_name(name: str, run: str) -> str:
    """What Azure ML calls a run."""
    return f"{names.fit(name)[: names.LONGEST - len(run) - 1]}-{run.lower()}"


def machine(path: str) -> machines.Choice:
    """What a run works on: what is taken where nothing is asked."""
    from cloudml.specs import MachineSpec

    return machines.choose(f"{path}.machine", MachineSpec(), "job")


def command() -> str:
    """What the container starts."""
    from cloudml.wheel import BOOTSTRAP

    told = {"BASELINE": "inputs.baseline", "CAPTURE": "inputs.capture", "HOME": "outputs.home"}
    given = [f"--set CLOUDML_{name}=${{{{{place}}}}}" for name, place in told.items()]
    files = (f"${{{{inputs.engine}}}}/{name}" for name in (BOOTSTRAP, engine.DESCRIPTION))
    return " ".join(["exec python3", *files, *given])


def request(resource: MonitorResource, name: str, mark: str, places: Places, settings: AzureSettings) -> dict[str, Any]:
    """The properties of a run's job, which a schedule starts as they are."""
    identity = resource.identity
    endpoint = names.endpoint(resource.endpoint, settings)
    cluster = f"{settings.workspace_id}/computes/{settings.compute}" if settings.compute else None
    inputs = {
        "engine": places.uri(engine.folder(name, places, mark)),
        "baseline": resource.baseline,
        "capture": places.uri(places.capture(endpoint)),
    }
    whole = {
        "jobType": "Command",
        "displayName": name,
        "experimentName": identity.project,
        "command": command(),
        "environmentId": images.python(),
        "environmentVariables": {"CLOUDML_PROVIDER": "azure"},
        "computeId": cluster,
        "resources": None
        if cluster
        else {"instanceCount": 1, "instanceType": machine(identity.resource).instance_type},
        "limits": {"jobLimitsType": "Command", "timeout": TIMEOUT},
        "identity": running.identity(settings),
        "inputs": {key: running.folder_in(uri, settings) for key, uri in inputs.items()},
        "outputs": {"home": running.folder_out(places.uri(places.monitor(name)), settings, "ReadWriteMount")},
        "tags": names.tags(identity, settings),
        "properties": {finding.MONITOR: names.native(identity)},
    }
    found: dict[str, Any] = words.said(whole)
    return found


def once(
    template: Mapping[str, Any], name: str, run: str, since: datetime | None = None, until: datetime | None = None
) -> dict[str, Any]:
    """The request of one run that no schedule starts."""
    times = {"CLOUDML_SINCE": since, "CLOUDML_UNTIL": until}
    told = {key: when.isoformat() for key, when in times.items() if when}
    variables = {**template["environmentVariables"], "CLOUDML_RUN": run, **told}
    return {"name": job_name(name, run), "properties": {**template, "environmentVariables": variables}}
