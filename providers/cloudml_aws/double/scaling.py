"""Application Auto Scaling: targets and policies of variants, kept and refused as AWS does. Nothing scales."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from cloudml_aws.double.refusals import Refused, invalid
from cloudml_aws.names import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

TARGET, POLICY = "scalable-target", "scaling-policy"
BURSTABLE = "ml.t"
PAGE = 50


def key(asked: Mapping[str, Any]) -> str:
    """What a target is known by."""
    return f"{asked['ResourceId']}|{asked['ScalableDimension']}"


def register(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        old = world.table(TARGET).get(key(asked))
        if old is None and not {"MinCapacity", "MaxCapacity"} <= set(asked):
            raise invalid("MinCapacity and MaxCapacity are required when registering a new scalable target.")
        _check_resource(world, asked["ResourceId"])
        arn = old["ScalableTargetARN"] if old else _arn(world, "scalable-target", uuid.uuid4().hex)
        own = {"_arn": arn, "ScalableTargetARN": arn, "CreationTime": world.clock.now(), "RoleARN": _role(world)}
        tags = {"Tags": listed(asked["Tags"])} if "Tags" in asked else {}
        record = {**own, **(old or {}), **asked, **tags}
        if record["MinCapacity"] > record["MaxCapacity"]:
            raise invalid("Minimum capacity cannot be greater than maximum capacity.")
        world.table(TARGET).add(key(asked), record)
    return {"ScalableTargetARN": arn}


def _check_resource(world: World, resource: str) -> None:
    kind, _, rest = resource.partition("/")
    name, _, variant = rest.partition("/variant/")
    endpoint = world.table("endpoint").get(name)
    if kind != "endpoint" or not variant:
        raise invalid(f"Unsupported service namespace, resource type or scalable dimension: {resource}")
    if endpoint is None or variant not in {one["VariantName"] for one in endpoint["ProductionVariants"]}:
        raise invalid(f"SageMaker endpoint variant does not exist: {resource}")
    if endpoint["EndpointStatus"] != "InService":
        raise invalid(f"SageMaker endpoint {name} is in status {endpoint['EndpointStatus']}; it must be InService.")
    variants = endpoint["_config"]["ProductionVariants"]
    instance = next(one.get("InstanceType", "") for one in variants if one["VariantName"] == variant)
    if instance.startswith(BURSTABLE):
        raise invalid(f"The instance type {instance} does not support automatic scaling.")


def _arn(world: World, kind: str, name: str) -> str:
    return f"{world.arn('application-autoscaling', kind)}/{name}"


def _role(world: World) -> str:
    place = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
    name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    return f"arn:aws:iam::{world.account}:role/{place}/{name}"


def of_endpoint(world: World, name: str) -> list[Record]:
    """The registered targets of an endpoint."""
    return [one for one in world.table(TARGET) if one["ResourceId"].startswith(f"endpoint/{name}/")]


def _need(world: World, asked: Mapping[str, Any]) -> Record:
    found = world.table(TARGET).get(key(asked))
    if found is None:
        raise Refused(
            "ObjectNotFoundException",
            f"No scalable target found for service namespace: {asked['ServiceNamespace']}, "
            f"resource ID: {asked['ResourceId']}, scalable dimension: {asked['ScalableDimension']}",
        )
    return found


def deregister(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Remove a target, and its policies with it."""
    with world.lock:
        _need(world, asked)
        world.table(TARGET).remove(key(asked))
        for policy in world.table(POLICY):
            if key(policy) == key(asked):
                world.table(POLICY).remove(policy["_name"])
    return {}


def describe_targets(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    wanted, dimension = asked.get("ResourceIds"), asked.get("ScalableDimension")
    found = [
        one
        for one in world.table(TARGET)
        if (not wanted or one["ResourceId"] in wanted) and dimension in {None, one["ScalableDimension"]}
    ]
    return _page(found, asked, "ScalableTargets")


def put_policy(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        _need(world, asked)
        name = f"{key(asked)}|{asked['PolicyName']}"
        old = world.table(POLICY).get(name)
        if old is None and "PolicyType" not in asked:
            raise invalid("PolicyType is required when creating a scaling policy.")
        tail = f"{uuid.uuid4()}:resource/sagemaker/{asked['ResourceId']}:policyName/{asked['PolicyName']}"
        arn = old["PolicyARN"] if old else f"arn:aws:autoscaling:{world.region}:{world.account}:scalingPolicy:{tail}"
        alarms = [_alarm(world, asked, direction) for direction in ("AlarmHigh", "AlarmLow")]
        own = {"_name": name, "_arn": arn, "PolicyARN": arn, "Alarms": alarms, "CreationTime": world.clock.now()}
        world.table(POLICY).add(name, {**(old or {}), **own, **asked})
    return {"PolicyARN": arn, "Alarms": alarms}


def _alarm(world: World, asked: Mapping[str, Any], direction: str) -> dict[str, str]:
    name = f"TargetTracking-{asked['ResourceId']}-{direction}-{uuid.uuid4()}"
    return {"AlarmName": name, "AlarmARN": f"{world.arn('cloudwatch', 'alarm')}:{name}"}


def describe_policies(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    names, resource = asked.get("PolicyNames"), asked.get("ResourceId")
    found = [
        one
        for one in world.table(POLICY)
        if (not names or one["PolicyName"] in names) and resource in {None, one["ResourceId"]}
    ]
    return _page(found, asked, "ScalingPolicies")


def delete_policy(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        name = f"{key(asked)}|{asked['PolicyName']}"
        if name not in world.table(POLICY):
            words = f"No scaling policy found for {asked['PolicyName']} of resource ID: {asked['ResourceId']}"
            raise Refused("ObjectNotFoundException", words)
        world.table(POLICY).remove(name)
    return {}


def _page(found: list[Record], asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    start, count = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or PAGE)
    more = {"NextToken": str(start + count)} if start + count < len(found) else {}
    return {name: found[start : start + count], **more}


OPERATIONS: Mapping[str, Any] = {
    "RegisterScalableTarget": register,
    "DescribeScalableTargets": describe_targets,
    "DeregisterScalableTarget": deregister,
    "PutScalingPolicy": put_policy,
    "DescribeScalingPolicies": describe_policies,
    "DeleteScalingPolicy": delete_policy,
}
