"""A monitor's schedule at Azure ML, and cron in Azure's words. Pure.

A cron trigger of Azure ML has five fields, and passes over what is said of days of the month and of months. Days of the
month can be said by a recurrence trigger, which fires at each of its hours and minutes; months cannot be said at all.
Source: "Schedule machine learning pipeline jobs", cron expressions and recurrence patterns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level, Support
from cloudml.clouds.schedules import listed, unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.errors import UnsupportedError

ZONE = "UTC"
DAYS = range(1, 32)
WEEK = range(7)
_MONTHS = Support(Level.IMPOSSIBLE, "a schedule cannot leave out months")
_BOTH = Support(Level.IMPOSSIBLE, "a schedule names days of the month or days of the week, and cannot join the two")
_LAST = Support(Level.IMPOSSIBLE, "a schedule cannot count days from the end of a month, or weeks in it")
HINT = "write another schedule, such as `0 6 * * 1` or `0 6 1 * *`, or leave it out and run the monitor yourself"


def lower(name: str, trigger: Mapping[str, Any], job: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """The schedule that starts *job*, the properties of a command job, as *trigger* says."""
    return {
        "name": name,
        "properties": {
            "displayName": name,
            "description": "Starts a monitor of cloudml",
            "isEnabled": True,
            "trigger": dict(trigger),
            "action": {"actionType": "CreateJob", "jobDefinition": dict(job)},
            "tags": dict(tags),
        },
    }


def same(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether the schedule that is there does what the wanted one does, and is on."""
    ours, theirs = wanted["properties"], there.get("properties", {})
    return theirs.get("isEnabled") is not False and all(
        holds(theirs.get(key), ours[key]) for key in ("trigger", "action")
    )


def holds(there: Any, wanted: Any) -> bool:
    """Whether what is there has all that is wanted; the service adds members of its own, and writes words its way."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(holds(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list | tuple):
        return isinstance(there, list) and len(there) == len(wanted) and all(map(holds, there, wanted))
    if isinstance(wanted, str) and isinstance(there, str):
        return there.lower() == wanted.lower()
    return bool(there == wanted)


def trigger(cron: str, path: str) -> dict[str, Any]:
    """``0 * * * *`` as a trigger that fires at the same times.

    Raises:
        UnsupportedError: Azure ML cannot say it.
    """
    from cronsim import CronSim

    from cloudml.clock import EPOCH

    said = CronSim(cron, EPOCH)
    if said.months < {*range(1, 13)}:
        raise _unsupported(cron, path, _MONTHS)
    week = {day if isinstance(day, tuple) else day % 7 for day in said.weekdays}
    every_day, every_weekday = said.days >= {*DAYS}, week >= {*WEEK}
    if not every_day and not every_weekday:
        raise _unsupported(cron, path, _BOTH)
    if not every_day:
        return _monthly(said, cron, path)
    if any(isinstance(day, tuple) for day in week):
        raise _unsupported(cron, path, _LAST)
    fields = (
        listed(said.minutes, range(60)),
        listed(said.hours, range(24)),
        "*",
        "*",
        listed({day for day in week if isinstance(day, int)}, WEEK),
    )
    return {"triggerType": "Cron", "expression": " ".join(fields), "timeZone": ZONE}


def shown(trigger: Mapping[str, Any]) -> str:
    """A trigger in a few words."""
    if trigger["triggerType"] == "Cron":
        return f"cron {trigger['expression']}"
    days = ", ".join(map(str, trigger["schedule"]["monthDays"]))
    return f"every month on day {days}, by a recurrence"


def _monthly(said: Any, cron: str, path: str) -> dict[str, Any]:
    if min(said.days) < 0:
        raise _unsupported(cron, path, _LAST)
    return {
        "triggerType": "Recurrence",
        "frequency": "Month",
        "interval": 1,
        "timeZone": ZONE,
        "schedule": {
            "hours": sorted(said.hours),
            "minutes": sorted(said.minutes),
            "monthDays": sorted(said.days),
        },
    }


def _unsupported(cron: str, path: str, support: Support) -> UnsupportedError:
    return unsupported("Azure Machine Learning", cron, path, support, HINT)
