"""Schedules: kept, switched on and off, and fired on the double's clock when their action is a job.

A schedule of the native monitor is kept and never fires: what it would run is not Azure ML's to show.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cloudml_azure.double import operations, resources
from cloudml_azure.double.refusals import user_error
from cloudml_azure.double.routes import route
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from cloudml_azure.double.operations import FailedError
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

VIEWS = {"EnabledOnly": (True,), "DisabledOnly": (False,), "All": (True, False)}
STEPS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def put(world: World, asked: Asked) -> Answer:
    """Make a schedule, or another of it."""
    name, said = asked.names["schedule"], asked.document["properties"]
    path = f"schedules/{name}"
    old = world.resources.find(path)
    _check(said["trigger"])
    facts = {
        "isEnabled": True,
        "tags": {},
        "properties": {},
        "description": None,
        **said,
        "provisioningState": "Updating" if old else "Creating",
    }
    record = resources.make(world, path, {}, facts)
    if old is not None and (call_off := old.get("_call_off")):
        call_off()

    def settled() -> None:
        world.pass_time("schedule")
        facts["provisioningState"] = "Succeeded"
        _arm(world, record)

    def failed(_: FailedError) -> None:
        facts["provisioningState"] = "Failed"

    operation = operations.begin(world, path, settled, failed=failed)
    return operations.accepted(world, asked, operation, record, new=old is None)


def _check(trigger: dict[str, Any]) -> None:
    """Refuse a trigger that never comes.

    Raises:
        Refused: Its expression cannot be read.
    """
    from cronsim import CronSim, CronSimError

    if trigger.get("triggerType") != "Cron":
        return
    try:
        CronSim(trigger["expression"], datetime(2026, 1, 1, tzinfo=UTC))
    except (CronSimError, KeyError) as error:
        raise user_error(f"The cron expression {trigger.get('expression')!r} is not valid: {error}") from error


def following(trigger: dict[str, Any], after: datetime) -> datetime | None:
    """The next moment of a trigger; none when it is over."""
    zone = _zone(str(trigger.get("timeZone") or "UTC"))
    found = _cron(trigger, after, zone) if trigger.get("triggerType") == "Cron" else _recurrence(trigger, after, zone)
    if end := trigger.get("endTime"):
        last = datetime.fromisoformat(end)
        if found > (last if last.tzinfo else last.replace(tzinfo=zone)):
            return None
    return found


def _zone(name: str) -> ZoneInfo:
    """Azure names zones as Windows does; one that is not known counts as UTC."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return ZoneInfo("UTC")


def _cron(trigger: dict[str, Any], after: datetime, zone: ZoneInfo) -> datetime:
    from cronsim import CronSim

    return next(CronSim(trigger["expression"], after.astimezone(zone))).astimezone(UTC)


def _recurrence(trigger: dict[str, Any], after: datetime, zone: ZoneInfo) -> datetime:
    """The next moment of a recurrence: by its hours, minutes and days when it has them, else by its step."""
    schedule = trigger.get("schedule") or {}
    seconds = STEPS.get(str(trigger["frequency"]).lower(), STEPS["day"]) * int(trigger.get("interval") or 1)
    if not schedule.get("hours"):
        return after + timedelta(seconds=seconds)
    days = {DAYS.index(day) for day in schedule.get("weekDays") or DAYS}
    moment = after.astimezone(zone).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while not (
        moment.hour in schedule["hours"]
        and moment.minute in (schedule.get("minutes") or [0])
        and moment.weekday() in days
        and (not schedule.get("monthDays") or moment.day in schedule["monthDays"])
    ):
        moment += timedelta(minutes=1)
    return moment.astimezone(UTC)


def _arm(world: World, record: Record) -> None:
    """Make ready for the next moment."""
    facts = record["properties"]
    if not facts["isEnabled"]:
        return
    now = world.clock.now()
    moment = following(facts["trigger"], now)
    if moment is None:
        return
    record["_next"] = moment

    def due() -> None:
        if world.resources.find(record["_path"]) is record and facts["isEnabled"]:
            fire(world, record, moment)
            _arm(world, record)

    record["_call_off"] = world.clock.at((moment - now).total_seconds(), due)


def fire(world: World, record: Record, moment: datetime) -> str:
    """Send the schedule's job; its name."""
    action = record["properties"]["action"]
    name = f"{record['name']}_{moment:%Y%m%dT%H%M%S}"
    if action["actionType"] != "CreateJob":
        return name
    said = copy.deepcopy(action["jobDefinition"])
    said["properties"] = {**(said.get("properties") or {}), "azureml.scheduleId": record["id"]}
    said["experimentName"] = said.get("experimentName") or record["name"]
    world.live["send"]("PUT", world.id(f"jobs/{name}"), {"properties": said})
    return name


def _need(world: World, asked: Asked) -> Record:
    name = asked.names["schedule"]
    return resources.need(world, f"schedules/{name}", user_error(f"Schedule {name} is not found.", 404))


def get(world: World, asked: Asked) -> Answer:
    return answered(resources.shown(_need(world, asked)))


def list_(world: World, asked: Asked) -> Answer:
    """Schedules; those that are switched off only when they are asked for."""
    view = VIEWS.get(asked.query.get("listViewType", "EnabledOnly"), (True,))
    found = [one for one in world.resources.below("schedules") if one["properties"]["isEnabled"] in view]
    return resources.page(world, asked, found)


def delete(world: World, asked: Asked) -> Answer:
    """Forget a schedule; a job that it has sent goes on."""
    path = f"schedules/{asked.names['schedule']}"
    record = world.resources.find(path)
    if record is None:
        return Answer(status=204)
    record["properties"]["provisioningState"] = "Deleting"
    if call_off := record.get("_call_off"):
        call_off()

    def gone() -> None:
        world.pass_time("schedule")
        world.resources.remove(path)

    return operations.begun(world, asked, operations.begin(world, path, gone))


def trigger(world: World, asked: Asked) -> Answer:
    """Fire now, whatever the time (preview versions of the interface only)."""
    record = _need(world, asked)
    name = fire(world, record, world.clock.now())
    return answered({"submissionId": name, "scheduleActionType": record["properties"]["action"]["actionType"]})


ROUTES = (
    route("PUT", "schedules/{schedule}", "Schedules_CreateOrUpdate", put, action="schedules/write", root="schedules"),
    route("GET", "schedules/{schedule}", "Schedules_Get", get, action="schedules/read"),
    route("DELETE", "schedules/{schedule}", "Schedules_Delete", delete, action="schedules/delete"),
    route("GET", "schedules", "Schedules_List", list_, action="schedules/read"),
    route("POST", "schedules/{schedule}/trigger", "Schedules_Trigger", trigger, action="schedules/write"),
)
