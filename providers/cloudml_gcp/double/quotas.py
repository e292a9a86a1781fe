"""Whether the API is enabled, and how much of it there is: Service Usage and Cloud Quotas, read only.

The shapes are those of the public discovery documents of serviceusage v1 and cloudquotas v1. How many of everything
there is, the domain fault `quota` says: ``faults.domain("quota", "CustomModelTrainingCPUs*", value=0, times=None)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import wire
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

SERVICES = frozenset({"serviceusage", "cloudquotas"})
ENABLED = frozenset({
    "aiplatform.googleapis.com", "cloudresourcemanager.googleapis.com", "cloudscheduler.googleapis.com",
    "cloudquotas.googleapis.com", "iam.googleapis.com", "logging.googleapis.com", "serviceusage.googleapis.com",
    "storage.googleapis.com",
})  # fmt: skip
VERTEX = "aiplatform.googleapis.com"
KINDS: Mapping[str, tuple[str, int]] = {
    "CustomModelTrainingCPUsPerProjectPerRegion": ("custom_model_training_cpus", 42),
    "CustomModelTrainingPreemptibleCPUsPerProjectPerRegion": ("custom_model_training_preemptible_cpus", 42),
    "CustomModelTrainingT4GPUsPerProjectPerRegion": ("custom_model_training_nvidia_t4_gpus", 4),
    "CustomModelTrainingL4GPUsPerProjectPerRegion": ("custom_model_training_nvidia_l4_gpus", 4),
    "CustomModelTrainingA100GPUsPerProjectPerRegion": ("custom_model_training_nvidia_a100_gpus", 0),
    "CustomModelServingCPUsPerProjectPerRegion": ("custom_model_serving_cpus", 100),
    "CustomModelServingT4GPUsPerProjectPerRegion": ("custom_model_serving_nvidia_t4_gpus", 4),
    "CustomModelServingL4GPUsPerProjectPerRegion": ("custom_model_serving_nvidia_l4_gpus", 4),
}
"""Id of a quota -> its metric below aiplatform.googleapis.com, and how much there is."""


def read(_world: World, request: Request) -> Asked | None:
    """What a request asks of the services about quotas."""
    match request.segments:
        case ["v1", "projects", project, "services", name]:
            return Asked(service="serviceusage", operation="services.get", about=name, parameters={"project": project})
        case ["v1", "projects", _, "locations", "global", "services", name, "quotaInfos"]:
            return Asked(service="cloudquotas", operation="quotaInfos.list", about=name, parameters=request.parameters)
        case ["v1", "projects", _, "locations", "global", "services", service, "quotaInfos", name]:
            said = {"service": service}
            return Asked(service="cloudquotas", operation="quotaInfos.get", about=name, parameters=said)
        case _:
            return None


def answer(world: World, _request: Request, asked: Asked) -> Answer:
    """Carry out what is asked.

    Raises:
        Refused: There is no such quota.
    """
    if asked.operation == "services.get":
        return as_json(_service(world, asked.about))
    if asked.operation == "quotaInfos.list":
        rows = [_info(world, name) for name in KINDS] if asked.about == VERTEX else []
        start, count = int(asked.parameters.get("pageToken") or 0), int(asked.parameters.get("pageSize") or 100)
        more = {"nextPageToken": str(start + count)} if start + count < len(rows) else {}
        return as_json({"quotaInfos": rows[start : start + count], **more})
    if asked.operation == "quotaInfos.get" and asked.about in KINDS:
        return as_json(_info(world, asked.about))
    if asked.operation == "quotaInfos.get":
        raise Refused("NOT_FOUND", f"Quota info for {asked.about} was not found.")
    return wire.NOWHERE


def _service(world: World, name: str) -> dict[str, Any]:
    on = name in ENABLED and world.domain("disabled", name) is None
    place = f"projects/{world.number}"
    return {"name": f"{place}/services/{name}", "parent": place, "state": "ENABLED" if on else "DISABLED"}


def _info(world: World, name: str) -> dict[str, Any]:
    metric, most = KINDS[name]
    fault = world.domain("quota", name)
    value = fault.facts.get("value", most) if fault else most
    return {
        "name": f"projects/{world.number}/locations/global/services/{VERTEX}/quotaInfos/{name}",
        "quotaId": name,
        "metric": f"{VERTEX}/{metric}",
        "service": VERTEX,
        "containerType": "PROJECT",
        "dimensions": ["region"],
        "isFixed": False,
        "isPrecise": True,
        "dimensionsInfos": [
            {
                "dimensions": {"region": world.region},
                "details": {"value": str(value)},
                "applicableLocations": [world.region],
            }
        ],
    }
