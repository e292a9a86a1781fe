"""The number of an endpoint's instances, following its traffic: Application Auto Scaling."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError, UnsupportedError
from cloudml.plan import Call
from cloudml.records import dataclass
from cloudml_aws import machines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import EndpointResource
    from cloudml_aws.clients import Clients
    from cloudml_aws.settings import AwsSettings

VARIANT = "main"
"""The name of every endpoint's one variant: an update that keeps it is a blue/green one."""
REGISTER = "application-autoscaling:RegisterScalableTarget"
PUT = "application-autoscaling:PutScalingPolicy"
DEREGISTER = "application-autoscaling:DeregisterScalableTarget"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
METRIC = "SageMakerVariantInvocationsPerInstance"
POLICY = "cloudml"
NOT_REGISTERED = "autoscaling is not registered"
NO_POLICY = "the autoscaling policy is not in place"


def wanted(resource: EndpointResource, settings: AwsSettings) -> str:
    """Bounds and target as a tag of the endpoint's configuration carries them; empty for a fixed number."""
    scale = resource.spec.scale
    return f"{scale.min}-{scale.max} at {settings.invocations_per_instance:g}" if scale.min < scale.max else ""


def target(name: str) -> dict[str, str]:
    """What is scaled: the variant of that endpoint."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/{VARIANT}",
        "ScalableDimension": DIMENSION,
    }


def lower(name: str, resource: EndpointResource, settings: AwsSettings) -> tuple[Call, ...]:
    """The requests that let the number follow the traffic; none for a fixed number."""
    scale = resource.spec.scale
    if scale.min == scale.max:
        return ()
    policy = {
        "TargetValue": settings.invocations_per_instance,
        "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
    }
    return (
        Call(REGISTER, {**target(name), "MinCapacity": scale.min, "MaxCapacity": scale.max}),
        Call(
            PUT,
            {
                **target(name),
                "PolicyName": POLICY,
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": policy,
            },
        ),
    )


def refuse_burstable(resource: EndpointResource, machine: str) -> None:
    """Refuse what AWS refuses once the endpoint is up: it scales no burstable machine, says its developer guide.

    Raises:
        UnsupportedError: The number of instances shall change on a machine of a burstable type.
    """
    scale = resource.spec.scale
    if scale.min < scale.max and machines.burstable(machine):
        path = f"{resource.identity.resource}.instances"
        raise UnsupportedError(
            f"`{path}` is a range, and machines of type `{machine}` cannot be scaled",
            path=path,
            hint="ask for another machine, such as `exact: {aws: ml.m5.large}`, or for a fixed number of instances",
        )


def missing(asked: str, found: Mapping[str, Any] | None, policies: list[dict[str, Any]]) -> str:
    """What is still to be sent; empty when the endpoint scales as asked.

    Args:
        asked: What `wanted` gave when the configuration was made.
        found: The scalable target as it is described; None when there is none.
        policies: Its policies as they are described.
    """
    if not asked:
        return ""
    bounds, _, value = asked.partition(" at ")
    if found is None or f"{found['MinCapacity']}-{found['MaxCapacity']}" != bounds:
        return NOT_REGISTERED
    values = [
        policy.get("TargetTrackingScalingPolicyConfiguration", {}).get("TargetValue")
        for policy in policies
        if policy["PolicyName"] == POLICY
    ]
    return "" if [f"{one:g}" for one in values if one is not None] == [value] else NO_POLICY


@dataclass(frozen=True, slots=True)
class Scaling:
    """The autoscaling of endpoints."""

    clients: Clients

    def missing(self, name: str, asked: str) -> str:
        """What is still to be sent for that endpoint; nothing is looked at where nothing was asked."""
        if not asked:
            return ""
        there = target(name)
        body = {**there, "ResourceIds": [there["ResourceId"]]}
        del body["ResourceId"]
        found = self.clients.send("application-autoscaling:DescribeScalableTargets", body)["ScalableTargets"]
        policies: list[dict[str, Any]] = []
        if found:
            policies = self.clients.send("application-autoscaling:DescribeScalingPolicies", there)["ScalingPolicies"]
        return missing(asked, found[0] if found else None, policies)

    def remove(self, name: str) -> None:
        """Let the number of instances stay as it is; removes the policy, and the alarms that AWS made for it."""
        with suppress(NotFoundError):
            self.clients.send(DEREGISTER, target(name))
