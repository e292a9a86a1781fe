"""The number of a deployment's instances, following its load: autoscale settings of Azure Monitor.

They are another service's, name what they scale by its id, and stay when that goes: they are removed first. Numbers
stand in them as texts. Source: template reference of Microsoft.Insights/autoscalesettings@2022-10-01, and "Autoscale
online endpoints" for the metrics.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError
from cloudml.plan import Call
from cloudml.records import dataclass
from cloudml_azure import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import EndpointResource
    from cloudml_azure.clients import Clients
    from cloudml_azure.settings import AzureSettings

PUT = "AutoscaleSettings_CreateOrUpdate"
METRIC = "CpuUtilizationPercentage"
PROFILE = "cloudml"
MISSING = "autoscaling is not set"
IN_SHARE = 2
"""An instance goes where the load is below so manieth part of what brings another one."""


def wanted(resource: EndpointResource, settings: AzureSettings) -> str:
    """Bounds and target as a tag of the deployment carries them; empty for a fixed number."""
    scale = resource.spec.scale
    return f"{scale.min}-{scale.max} at {settings.cpu_percent}" if scale.min < scale.max else ""


def name_of(endpoint: str, deployment: str) -> str:
    """The name of a deployment's autoscale setting."""
    return f"{endpoint}-{deployment}"


def lower(endpoint: str, resource: EndpointResource, settings: AzureSettings) -> tuple[Call, ...]:
    """The request that lets the number follow the load; none for a fixed number."""
    scale = resource.spec.scale
    if scale.min == scale.max:
        return ()
    deployment = names.deployment(resource.identity.hash)
    target = f"{settings.workspace_id}/onlineEndpoints/{endpoint}/deployments/{deployment}"
    profile = {
        "name": PROFILE,
        "capacity": {"minimum": str(scale.min), "maximum": str(scale.max), "default": str(scale.min)},
        "rules": [
            _rule(target, "GreaterThan", settings.cpu_percent, "Increase"),
            _rule(target, "LessThan", settings.cpu_percent // IN_SHARE, "Decrease"),
        ],
    }
    properties = {"enabled": True, "targetResourceUri": target, "profiles": [profile]}
    body = {
        "name": name_of(endpoint, deployment),
        "location": settings.region,
        "tags": names.tags(resource.identity, settings),
        "properties": properties,
    }
    return (Call(PUT, body),)


def _rule(target: str, operator: str, threshold: int, direction: str) -> dict[str, Any]:
    return {
        "metricTrigger": {
            "metricName": METRIC,
            "metricResourceUri": target,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": "PT5M",
            "timeAggregation": "Average",
            "operator": operator,
            "threshold": threshold,
        },
        "scaleAction": {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": "PT5M"},
    }


def missing(asked: str, found: Mapping[str, Any] | None) -> str:
    """What is still to be sent; empty when the deployment scales as asked.

    Args:
        asked: What `wanted` gave when the deployment was made.
        found: The autoscale setting; None when there is none.
    """
    if not asked:
        return ""
    profiles = found.get("properties", {}).get("profiles", []) if found else []
    for profile in profiles:
        capacity, rules = profile.get("capacity", {}), profile.get("rules", [])
        most = [rule["metricTrigger"]["threshold"] for rule in rules if rule["scaleAction"]["direction"] == "Increase"]
        if most and f"{capacity.get('minimum')}-{capacity.get('maximum')} at {most[0]:g}" == asked:
            return ""
    return MISSING


@dataclass(frozen=True, slots=True)
class Scaling:
    """The autoscaling of deployments."""

    clients: Clients

    def missing(self, endpoint: str, deployment: str, asked: str) -> str:
        """What is still to be sent for that deployment; nothing is looked at where nothing was asked."""
        if not asked:
            return ""
        found: Mapping[str, Any] | None = None
        with suppress(NotFoundError):
            found = self.clients.send("AutoscaleSettings_Get", {"name": name_of(endpoint, deployment)})
        return missing(asked, found)

    def remove(self, endpoint: str, deployment: str) -> None:
        """Let the number of instances stay as it is."""
        with suppress(NotFoundError):
            self.clients.send("AutoscaleSettings_Delete", {"name": name_of(endpoint, deployment)})
