"""Endpoints: created, updated blue/green with canaries and rollback, scaled by hand, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double import deploying, fleets, scaling
from cloudml_aws.double.fleets import Fleet, Routes
from cloudml_aws.double.refusals import invalid
from cloudml_aws.double.serving import CannotStartError
from cloudml_aws.double.tables import chosen, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

KIND = "endpoint"
KEPT = {"DesiredWeight": "Weight", "DesiredInstanceCount": "InstanceCount"}
"""VariantPropertyType -> what of a variant RetainAllVariantProperties keeps."""


def create(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    name = asked["EndpointName"]
    with world.lock:
        arn = world.arn("sagemaker", KIND, name)
        if name in world.table(KIND):
            raise invalid(f'Cannot create already existing endpoint "{arn}".')
        config = world.need("endpoint-config", asked["EndpointConfigName"])
        now = world.clock.now()
        own = {"_arn": arn, "EndpointArn": arn, "EndpointStatus": "Creating", "_routes": Routes()}
        times = {"CreationTime": now, "LastModifiedTime": now}
        record = world.table(KIND).add(name, {**asked, **own, **times, "ProductionVariants": [], "_config": config})
        fleets.show_capture(record, config)
        world.clock.work(_bring_up, world, record, config)
    return {"EndpointArn": arn}


def _bring_up(world: World, record: Record, config: Record) -> None:
    if not world.pass_time("endpoint", key=record["_arn"]):
        return
    fleet = Fleet(world, record["EndpointName"], config)
    try:
        fleet.start()
    except CannotStartError as error:
        fleets.settle(world, record, "Failed", str(error))
        return
    record["_routes"].set((1.0, fleet))
    record["ProductionVariants"] = deploying.deployed(world, config, fleets.summaries(config, {}))
    fleets.settle(world, record, "InService")


def update(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = world.need(KIND, asked["EndpointName"])
        refuse_busy(record, "update")
        config = world.need("endpoint-config", asked["EndpointConfigName"])
        if asked["EndpointConfigName"] == record["EndpointConfigName"]:
            arn = config["_arn"]
            raise invalid(f'The endpoint "{record["_arn"]}" already uses the endpoint configuration "{arn}".')
        deploying.check(world, asked, record, config)
        kept = _kept(asked, record)
        record["EndpointStatus"] = "Updating"
        record["LastModifiedTime"] = now = world.clock.now()
        record["PendingDeploymentSummary"] = {
            "EndpointConfigName": asked["EndpointConfigName"],
            "ProductionVariants": [{"VariantName": one["VariantName"]} for one in config["ProductionVariants"]],
            "StartTime": now,
        }
        rules = asked.get("DeploymentConfig") or (
            record.get("LastDeploymentConfig") if asked.get("RetainDeploymentConfig") else None
        )
        deployment = deploying.Deployment(world=world, record=record, config=config, rules=rules or {}, kept=kept)
        world.clock.work(deployment.run)
    return {"EndpointArn": record["_arn"]}


def _kept(asked: Mapping[str, Any], record: Record) -> dict[str, dict[str, Any]]:
    if not asked.get("RetainAllVariantProperties"):
        return {}
    left_out = {one["VariantPropertyType"] for one in asked.get("ExcludeRetainedVariantProperties", ())}
    words = [word for kind, word in KEPT.items() if kind not in left_out]
    return {
        one["VariantName"]: {
            key: value for key, value in one.items() if any(key in {f"Current{w}", f"Desired{w}"} for w in words)
        }
        for one in record["ProductionVariants"]
    }


def refuse_busy(record: Record, verb: str) -> None:
    """Refuse a change to an endpoint in the midst of another, or to one that failed.

    Raises:
        Refused: It is.
    """
    status = record["EndpointStatus"]
    if status in {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}:
        raise invalid(f'Cannot update in-progress endpoint "{record["_arn"]}".')
    if status in {"Failed", "UpdateRollbackFailed"} and verb == "update":
        raise invalid(f'Cannot update endpoint "{record["_arn"]}" in status {status}; it can only be deleted.')


def update_weights(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = world.need(KIND, asked["EndpointName"])
        refuse_busy(record, "update")
        known = {one["VariantName"]: one for one in record["ProductionVariants"]}
        for one in asked["DesiredWeightsAndCapacities"]:
            if one["VariantName"] not in known:
                raise invalid(f'Variant {one["VariantName"]} does not exist in endpoint "{record["_arn"]}".')
        wanted = {one["VariantName"]: one for one in asked["DesiredWeightsAndCapacities"]}
        record["ProductionVariants"] = [_desired(one, wanted.get(name, {})) for name, one in known.items()]
        record["EndpointStatus"] = "Updating"
        world.clock.work(_reach_desired, world, record)
    return {"EndpointArn": record["_arn"]}


def _desired(variant: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: wanted[key] for key in ("DesiredWeight", "DesiredInstanceCount") if key in wanted}
    return {**variant, **said}


def _reach_desired(world: World, record: Record) -> None:
    if world.pass_time("shifting", key=record["_arn"]):
        record["ProductionVariants"] = [
            {**one, **{key.replace("Desired", "Current"): one[key] for key in one if key.startswith("Desired")}}
            for one in record["ProductionVariants"]
        ]
        fleets.settle(world, record, "InService")


def delete(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = world.need(KIND, asked["EndpointName"])
        refuse_busy(record, "delete")
        if scaling.of_endpoint(world, asked["EndpointName"]):
            raise invalid(
                f'Cannot delete endpoint "{record["_arn"]}": its variants are registered as scalable targets. '
                "Deregister them with Application Auto Scaling first."
            )
        record["EndpointStatus"] = "Deleting"
        world.clock.work(_take_down, world, record)
    return {}


def _take_down(world: World, record: Record) -> None:
    fleets_, routes = record["_routes"].fleets, record["_routes"]
    routes.set()
    for fleet in fleets_:
        fleet.retire()
    world.pass_time("deleting", key=record["_arn"])
    with world.lock:
        world.table(KIND).remove(record["EndpointName"])
    world.clock.happened()


def describe(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = world.need(KIND, asked["EndpointName"])
        return {**record, "ProductionVariants": record["ProductionVariants"] or None}


def list_(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    records = [one for one in world.table(KIND) if not world.hidden(one["EndpointName"], one, "lag")]
    found = chosen(records, asked, name="EndpointName", status="EndpointStatus")
    return page(found, asked, "Endpoints")


OPERATIONS: Mapping[str, Any] = {
    "CreateEndpoint": create,
    "DescribeEndpoint": describe,
    "ListEndpoints": list_,
    "UpdateEndpoint": update,
    "UpdateEndpointWeightsAndCapacities": update_weights,
    "DeleteEndpoint": delete,
}
