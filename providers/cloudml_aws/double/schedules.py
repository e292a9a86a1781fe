"""EventBridge Scheduler: schedules in groups, which fire on the double's clock and send requests of their own."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudml_aws.double.expressions import ExpressionError, following
from cloudml_aws.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

SCHEDULE, GROUP, DEFAULT = "schedule", "schedule-group", "default"
UNIVERSAL = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:(\w+):(\w+)")
JOURNAL = "/cloudml-double/scheduler"
"""A log group that AWS does not have: what each firing sent, and what was answered."""
KEPT = frozenset({"_arn", "_token", "Arn", "CreationDate", "CreationTime", "GroupName", "Name"})
MANY = 100


def missing(name: str) -> Refused:
    return Refused("ResourceNotFoundException", f"Schedule {name} does not exist.", 404)


def missing_group(name: str) -> Refused:
    return Refused("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)


def exists(what: str) -> Refused:
    return Refused("ConflictException", f"{what} already exists.", 409)


def _group(world: World, name: str) -> None:
    if name != DEFAULT and name not in world.table(GROUP):
        raise missing_group(name)


def create(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    group, name = asked.get("GroupName", DEFAULT), asked["Name"]
    with world.lock:
        _group(world, group)
        old = world.table(SCHEDULE).get(f"{group}/{name}")
        if old is not None:
            if asked.get("ClientToken") and old["_token"] == asked["ClientToken"]:
                return {"ScheduleArn": old["_arn"]}
            raise exists(f"Schedule {name}")
        now, arn = world.clock.now(), f"{world.arn('scheduler', SCHEDULE)}/{group}/{name}"
        times = {"CreationDate": now, "CreationTime": now, "LastModificationDate": now}
        own = {"_arn": arn, "Arn": arn, "GroupName": group, "_token": asked.get("ClientToken")}
        record = {"State": "ENABLED", **asked, **own, **times}
        arm(world, record)
        world.table(SCHEDULE).add(f"{group}/{name}", record)
    return {"ScheduleArn": arn}


def arm(world: World, record: Record) -> None:
    """Set a schedule's next moment; the one that was set counts no more.

    Raises:
        Refused: Its expression or its target cannot be used.
    """
    if not UNIVERSAL.fullmatch(record["Target"]["Arn"]):
        words = f"Provided Arn is not in correct format, or no target of the double: {record['Target']['Arn']}"
        raise Refused("ValidationException", words)
    zone = record.get("ScheduleExpressionTimezone", "UTC")
    try:
        record["_after"] = following(record["ScheduleExpression"], zone, record["CreationDate"])
    except ExpressionError as error:
        raise Refused("ValidationException", str(error)) from error
    record["_generation"] = uuid.uuid4().hex
    if record["State"] == "ENABLED":
        _set(world, record, world.clock.now())


def _set(world: World, record: Record, after: datetime) -> None:
    due = record["_after"](max(after, _moment(record.get("StartDate")) or after))
    end = _moment(record.get("EndDate"))
    if due is None or (end is not None and due > end):
        return
    generation = record["_generation"]
    seconds = (due - world.clock.now()).total_seconds()
    world.clock.at(seconds, lambda: _due(world, record, generation, due))


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromtimestamp(float(value), UTC)


def _due(world: World, record: Record, generation: str, moment: datetime) -> None:
    with world.lock:
        current = world.table(SCHEDULE).get(f"{record['GroupName']}/{record['Name']}")
        if current is not record or record["_generation"] != generation:
            return
        _set(world, record, moment)
    fire(world, record, moment)


def fire(world: World, record: Record, moment: datetime) -> None:
    """Send what the schedule sends, and write down what came of it."""
    found = UNIVERSAL.fullmatch(record["Target"]["Arn"])
    assert found is not None
    attributes = {
        "aws.scheduler.schedule-arn": record["_arn"],
        "aws.scheduler.scheduled-time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws.scheduler.execution-id": uuid.uuid4().hex[:16],
        "aws.scheduler.attempt-number": "1",
    }
    text = record["Target"].get("Input", "{}")
    for name, value in attributes.items():
        text = text.replace(f"<{name}>", value)
    operation = found[2][:1].upper() + found[2][1:]
    said = world.live["send"](found[1], operation, json.loads(text))
    stream = f"{record['GroupName']}/{record['Name']}"
    world.say(JOURNAL, stream, f"{operation} {text} -> {said}")


def get(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_need(world, asked))


def _need(world: World, asked: Mapping[str, Any]) -> Record:
    group, name = asked.get("GroupName", DEFAULT), asked["Name"]
    _group(world, group)
    record = world.table(SCHEDULE).get(f"{group}/{name}")
    if record is None or world.hidden(f"schedule/{group}/{name}", record, "stale"):
        raise missing(name)
    return record


def update(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Put another schedule in its place: what is not said is not kept."""
    with world.lock:
        old = _need(world, asked)
        kept = {key: old[key] for key in KEPT if key in old}
        record = {"State": "ENABLED", **asked, **kept, "LastModificationDate": world.clock.now()}
        arm(world, record)
        world.table(SCHEDULE).add(f"{old['GroupName']}/{old['Name']}", record)
    return {"ScheduleArn": record["_arn"]}


def delete(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = _need(world, asked)
        world.table(SCHEDULE).remove(f"{record['GroupName']}/{record['Name']}")
    return {}


def list_(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    group = asked.get("ScheduleGroup") or asked.get("GroupName")
    if group:
        _group(world, group)
    found = [
        {**record, "Target": {"Arn": record["Target"]["Arn"]}}
        for record in world.table(SCHEDULE)
        if group in {None, record["GroupName"]}
        and record["Name"].startswith(asked.get("NamePrefix", ""))
        and asked.get("State") in {None, record["State"]}
        and not world.hidden(record["_arn"], record, "lag")
    ]
    return _page(sorted(found, key=lambda one: one["Name"]), asked, "Schedules")


def _page(found: list[Record], asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    start, count = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or MANY)
    more = {"NextToken": str(start + count)} if start + count < len(found) else {}
    return {name: found[start : start + count], **more}


def create_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    name = asked["Name"]
    with world.lock:
        if name == DEFAULT or name in world.table(GROUP):
            raise exists(f"Schedule group {name}")
        now, arn = world.clock.now(), f"{world.arn('scheduler', GROUP)}/{name}"
        times = {"CreationDate": now, "CreationTime": now, "LastModificationDate": now}
        world.table(GROUP).add(name, {**asked, "_arn": arn, "Arn": arn, "State": "ACTIVE", **times})
    return {"ScheduleGroupArn": arn}


def get_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    if asked["Name"] == DEFAULT:
        return {"Name": DEFAULT, "Arn": f"{world.arn('scheduler', GROUP)}/{DEFAULT}", "State": "ACTIVE"}
    _group(world, asked["Name"])
    return dict(world.table(GROUP).need(asked["Name"]))


def list_groups(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = [get_group(world, {"Name": DEFAULT}), *world.table(GROUP)]
    prefix = asked.get("NamePrefix", "")
    return _page([one for one in found if one["Name"].startswith(prefix)], asked, "ScheduleGroups")


def delete_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Remove a group and every schedule in it."""
    name = asked["Name"]
    with world.lock:
        if name == DEFAULT:
            raise Refused("ValidationException", "The default schedule group cannot be deleted.")
        _group(world, name)
        world.table(GROUP).remove(name)
        for record in world.table(SCHEDULE):
            if record["GroupName"] == name:
                world.table(SCHEDULE).remove(f"{name}/{record['Name']}")
    return {}


def tag(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    from cloudml_aws.double.tags import merged

    with world.lock:
        record = _tagged(world, asked)
        record["Tags"] = merged(record.get("Tags", []), asked["Tags"])
    return {}


def tags(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"Tags": _tagged(world, asked).get("Tags", [])}


def untag(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    gone = asked["TagKeys"]
    with world.lock:
        record = _tagged(world, asked)
        record["Tags"] = [one for one in record.get("Tags", []) if one["Key"] not in gone]
    return {}


def _tagged(world: World, asked: Mapping[str, Any]) -> Record:
    """Only groups have tags."""
    arn = asked["ResourceArn"]
    found = next((one for one in world.table(GROUP) if one["_arn"] == arn), None)
    if found is None:
        raise missing_group(arn)
    return found


OPERATIONS: Mapping[str, Any] = {
    "CreateSchedule": create,
    "GetSchedule": get,
    "UpdateSchedule": update,
    "DeleteSchedule": delete,
    "ListSchedules": list_,
    "CreateScheduleGroup": create_group,
    "GetScheduleGroup": get_group,
    "ListScheduleGroups": list_groups,
    "DeleteScheduleGroup": delete_group,
    "TagResource": tag,
    "ListTagsForResource": tags,
    "UntagResource": untag,
}
