"""The number of an endpoint's instances, following its traffic: part of what is deployed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.resources import EndpointResource
    from cloudml_gcp.machines import Machine
    from cloudml_gcp.settings import GcpSettings

CPU = "aiplatform.googleapis.com/prediction/online/cpu/utilization"
GPU = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"
REQUESTS = "aiplatform.googleapis.com/prediction/online/request_count"
BUSY_PERCENT = 60
"""Vertex AI's own default for both."""


def lower(resource: EndpointResource, machine: Machine, settings: GcpSettings) -> dict[str, Any]:
    """DedicatedResources: the machine, how many of it, and what they follow where that is a range."""
    scale = resource.spec.scale
    found: dict[str, Any] = {
        "machineSpec": machine.spec,
        "minReplicaCount": scale.min,
        "maxReplicaCount": scale.max,
    }
    return found | ({"autoscalingMetricSpecs": followed(machine, settings)} if scale.min < scale.max else {})


def followed(machine: Machine, settings: GcpSettings) -> list[dict[str, Any]]:
    """The metrics that the number follows: requests where the target says how many, else how busy machines are."""
    if settings.requests_per_instance:
        return [{"metricName": REQUESTS, "target": settings.requests_per_instance}]
    specs = [{"metricName": CPU, "target": BUSY_PERCENT}]
    return [*specs, {"metricName": GPU, "target": BUSY_PERCENT}] if machine.gpus else specs
