"""How an endpoint is moved from one configuration to the next: new instances beside the old ones, and back on failure.

SageMaker rolls back by itself when the new instances do not pass the health check. What else shall roll it back are
CloudWatch alarms of the user's own: ``aws: {DeploymentConfig: {AutoRollbackConfiguration: {Alarms: […]}}}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.clouds import words

if TYPE_CHECKING:
    from collections.abc import Mapping

CANARY_PERCENT = 50
BAKE_S = 60
"""How long a canary answers before the rest follows."""
SMALLEST_CANARY = 2
"""A canary is at most half of the instances."""
LONGEST_UPDATE_S = 3600
POLICIES = ("BlueGreenUpdatePolicy", "RollingUpdatePolicy")


def policy(instances: int) -> dict[str, Any]:
    """The DeploymentConfig: a canary where there are instances enough, else all at once."""
    canary = {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": CANARY_PERCENT},
        "WaitIntervalInSeconds": BAKE_S,
    }
    at_once = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    routing = canary if instances >= SMALLEST_CANARY else at_once
    policy: dict[str, Any] = {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": 0,
        "MaximumExecutionTimeoutInSeconds": LONGEST_UPDATE_S,
    }
    return {"BlueGreenUpdatePolicy": policy}


def merged(path: str, own: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The CreateEndpoint request with the user's own DeploymentConfig: a policy in it takes the place of ours."""
    said = own["DeploymentConfig"]
    if isinstance(said, dict) and {*POLICIES} & {*said}:
        return {**body, "DeploymentConfig": said}
    return words.merge(path, own, body)


def lower(created: Mapping[str, Any], *, keep_count: bool) -> dict[str, Any]:
    """The request that moves an endpoint, from the one that would make it.

    Args:
        created: The CreateEndpoint request.
        keep_count: Whether the number of instances stays as the traffic has made it. What is recorded is always that
            of the new configuration.
    """
    body = {key: value for key, value in created.items() if key != "Tags"}
    if not keep_count:
        return {**body, "RetainAllVariantProperties": False}
    excluded = [{"VariantPropertyType": kind} for kind in ("DesiredWeight", "DataCaptureConfig")]
    return {**body, "RetainAllVariantProperties": True, "ExcludeRetainedVariantProperties": excluded}
