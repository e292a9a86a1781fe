"""Monitoring schedules of Model Monitor: kept and shown; the double runs none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double.refusals import in_use
from cloudml_aws.double.tables import chosen, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

KIND, NAME, STATUS = "monitoring-schedule", "MonitoringScheduleName", "MonitoringScheduleStatus"


def create(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        arn = world.arn("sagemaker", KIND, asked[NAME])
        if asked[NAME] in world.table(KIND):
            raise in_use(f"Monitoring Schedule with name {arn} already exists.")
        now = world.clock.now()
        own = {"_arn": arn, "MonitoringScheduleArn": arn, STATUS: "Scheduled"}
        times = {"CreationTime": now, "LastModifiedTime": now}
        world.table(KIND).add(asked[NAME], {**asked, **own, **times, **_shown(asked)})
    return {"MonitoringScheduleArn": arn}


def _shown(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What Describe shows of a configuration."""
    config = asked["MonitoringScheduleConfig"]
    inputs = config.get("MonitoringJobDefinition", {}).get("MonitoringInputs", ({},))
    return {
        "MonitoringType": config.get("MonitoringType", "DataQuality"),
        "MonitoringJobDefinitionName": config.get("MonitoringJobDefinitionName"),
        "EndpointName": inputs[0].get("EndpointInput", {}).get("EndpointName"),
    }


def describe(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    return dict(world.need(KIND, asked[NAME]))


def list_(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = chosen(list(world.table(KIND)), asked, name=NAME, status=STATUS)
    wanted = ("EndpointName", "MonitoringJobDefinitionName")
    found = [one for one in found if all(asked.get(key) in {None, one.get(key)} for key in wanted)]
    return page(found, asked, "MonitoringScheduleSummaries")


def update(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = world.need(KIND, asked[NAME])
        record.update(asked, LastModifiedTime=world.clock.now(), **_shown(asked))
    return {"MonitoringScheduleArn": record["_arn"]}


def _become(status: str) -> Any:
    def operation(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
        with world.lock:
            record: Record = world.need(KIND, asked[NAME])
            record[STATUS], record["LastModifiedTime"] = status, world.clock.now()
        return {}

    return operation


def delete(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        world.need(KIND, asked[NAME])
        world.table(KIND).remove(asked[NAME])
    return {}


def executions(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """None: nothing was run."""
    if NAME in asked:
        world.need(KIND, asked[NAME])
    return {"MonitoringExecutionSummaries": []}


OPERATIONS: Mapping[str, Any] = {
    "CreateMonitoringSchedule": create,
    "DescribeMonitoringSchedule": describe,
    "ListMonitoringSchedules": list_,
    "UpdateMonitoringSchedule": update,
    "StartMonitoringSchedule": _become("Scheduled"),
    "StopMonitoringSchedule": _become("Stopped"),
    "DeleteMonitoringSchedule": delete,
    "ListMonitoringExecutions": executions,
}
