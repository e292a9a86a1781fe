"""A monitor's run as a custom job: the engine's files, and the request. Pure.

The job finds in the mounted bucket a wheel of cloudml, `bootstrap.py` and a description; what differs from run to run
stands in its environment. A schedule sends the same request again and again, so a run that it starts makes its name
inside the container.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cloudml.clouds import engine, words
from cloudml_gcp import images, machines, running
from cloudml_gcp.names import ID, fit, labels
from cloudml_gcp.places import mounted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cloudml.resources import MonitorResource
    from cloudml_gcp.places import Places
    from cloudml_gcp.settings import GcpSettings

DISK_GIB = 100
TIMEOUT_S = 4 * 3600
MONITOR, RUN = "cloudml-monitor", "cloudml-run"
"""Labels of the jobs that are runs."""


def inside(resource: MonitorResource, name: str, places: Places) -> engine.Inside:
    """Where a run finds and leaves things: all of it lies in the mounted bucket."""
    home = mounted(places.uri(places.monitor(name)))
    return engine.Inside(
        baseline=mounted(resource.baseline.rstrip("/")),
        capture=mounted(places.uri(places.capture(fit(resource.endpoint)))),
        report=f"{home}/runs/{{run}}",
        kept=f"{home}/{engine.KEPT}",
        latest=f"{home}/latest",
        failure=None,
    )


def description(resource: MonitorResource, name: str, places: Places) -> dict[str, Any]:
    """What `bootstrap.py` is told."""
    return engine.description(resource, inside(resource, name, places), "vertex")


def machine(path: str) -> machines.Choice:
    """What a run works on: what is taken where nothing is asked."""
    from cloudml.specs import MachineSpec

    return machines.choose(f"{path}.machine", MachineSpec(), "job")


def image(path: str, settings: GcpSettings) -> images.Image:
    """The image in which a run works: the engine needs Python 3.11."""
    if settings.monitor_image:
        return images.Image(uri=settings.monitor_image)
    plain = settings.model_copy(update={"training_image": None})
    return images.resolve(path, None, "training", gpu=False, settings=plain)


def request(resource: MonitorResource, name: str, mark: str, places: Places, settings: GcpSettings) -> dict[str, Any]:
    """The CustomJob of any run, as a schedule sends it."""
    from cloudml.wheel import BOOTSTRAP

    path = resource.identity.resource
    folder = mounted(places.uri(engine.folder(name, places, mark)))
    pool = {
        "machineSpec": machine(path).machine.spec,
        "replicaCount": "1",
        "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": DISK_GIB},
        "containerSpec": {
            "imageUri": image(path, settings).uri,
            "command": ["python3", f"{folder}/{BOOTSTRAP}", f"{folder}/{engine.DESCRIPTION}"],
            "env": [{"name": "CLOUDML_PROVIDER", "value": "gcp"}],
        },
    }
    mine = {key: value for key, value in labels(resource.identity, settings).items() if key != ID}
    body = {
        "displayName": name,
        "labels": {**mine, MONITOR: name},
        "jobSpec": {
            "workerPoolSpecs": [pool],
            "scheduling": {"timeout": f"{TIMEOUT_S}s", "maxWaitDuration": settings.max_wait, "strategy": "STANDARD"},
            "serviceAccount": settings.service_account,
            "network": settings.network,
        },
        "encryptionSpec": running.encryption(settings),
    }
    return dict(words.said(body))


def once(
    template: Mapping[str, Any], run: str, since: datetime | None = None, until: datetime | None = None
) -> dict[str, Any]:
    """The CustomJob of one run that no schedule starts."""
    body: dict[str, Any] = json.loads(json.dumps(template))
    body["labels"][RUN] = run.lower()
    times = {"CLOUDML_SINCE": since, "CLOUDML_UNTIL": until}
    said = {"CLOUDML_RUN": run} | {key: moment.isoformat() for key, moment in times.items() if moment}
    container = body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
    container["env"] += [{"name": key, "value": value} for key, value in said.items()]
    return body
