"""A monitor's schedule at EventBridge Scheduler, and cron in AWS's words. Pure.

AWS's cron has six fields, numbers the days of the week from 1 for Sunday, and wants ``?`` in one of the two day fields.
Source: "Schedule types" of the EventBridge Scheduler user guide; for universal targets and the words in angle brackets,
"Using universal targets" and "Adding context attributes" there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level, Support
from cloudml.clouds.schedules import listed, unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.errors import UnsupportedError
    from cloudml_aws.settings import AwsSettings

EXECUTION = "<aws.scheduler.execution-id>"
"""Replaced by the scheduler in all that it sends: some letters and digits, others at each start."""
SCHEDULED = "<aws.scheduler.scheduled-time>"
"""Likewise: the moment for which it starts, ``2026-03-01T10:00:00Z``."""
ZONE = "UTC"
RETRY = {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 2}
"""A start that was throttled is tried again for a quarter of an hour; later, the next one is near."""

DAYS = range(1, 32)
WEEK = range(7)
_BOTH = Support(
    Level.IMPOSSIBLE, "a schedule names days of the month or days of the week, and cannot join the two in one"
)
_LAST = Support(Level.IMPOSSIBLE, "a schedule can say one such day, and no list with one in it")
HINT = "write two monitors, or a schedule with one of the two day fields as `*`"


def lower(name: str, cron: str, request: Mapping[str, Any], settings: AwsSettings) -> dict[str, Any]:
    """The schedule that sends *request*, a whole CreateProcessingJob, as *cron* says."""
    return {
        "Name": name,
        "Description": "Starts a monitor of cloudml",
        "ScheduleExpression": cron,
        "ScheduleExpressionTimezone": ZONE,
        "State": "ENABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": f"arn:{settings.partition}:scheduler:::aws-sdk:sagemaker:createProcessingJob",
            "RoleArn": settings.scheduler_role_arn or settings.role_arn,
            "Input": json.dumps(request, sort_keys=True),
            "RetryPolicy": RETRY,
        },
    }


def same(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether the schedule that is there does what the wanted one does, and is on."""
    told = ("ScheduleExpression", "ScheduleExpressionTimezone", "State", "FlexibleTimeWindow")
    target = ("Arn", "RoleArn", "Input")
    return all(wanted[key] == there.get(key) for key in told) and all(
        wanted["Target"][key] == there.get("Target", {}).get(key) for key in target
    )


def expression(cron: str, path: str) -> str:
    """``0 * * * *`` as ``cron(0 * * * ? *)``; both fire at the same times.

    Raises:
        UnsupportedError: AWS cannot say it.
    """
    from cronsim import CronSim

    from cloudml.clock import EPOCH

    said = CronSim(cron, EPOCH)
    days, weekdays = _day_fields(said, cron, path)
    fields = (listed(said.minutes, range(60)), listed(said.hours, range(24)), days)
    return f"cron({' '.join(fields)} {listed(said.months, range(1, 13))} {weekdays} *)"


def _day_fields(said: Any, cron: str, path: str) -> tuple[str, str]:
    """The day of the month and of the week; one of them is ``?``.

    Where both are restricted, cron fires when either fits, or both when one begins with a star: AWS says neither.
    """
    week = {(day[0] % 7, day[1]) if isinstance(day, tuple) else day % 7 for day in said.weekdays}
    every_day, every_weekday = said.days >= {*DAYS}, week >= {*WEEK}
    if every_day and every_weekday:
        return "*", "?"
    if not every_day and not every_weekday:
        raise _unsupported(cron, path, _BOTH)
    if not said.day_and:
        return "*", "?"  # either fits, and one of them always does
    return ("?", _weekdays(week, cron, path)) if every_day else (_days(said.days, cron, path), "?")


def _days(days: set[int], cron: str, path: str) -> str:
    from cronsim import CronSim

    if days == {CronSim.LAST}:
        return "L"
    if min(days) < 0:
        raise _unsupported(cron, path, _LAST)
    return listed(days, DAYS)


def _weekdays(week: set[Any], cron: str, path: str) -> str:
    """Days from 1 for Sunday; ``2#3`` is the third Monday, ``6L`` the last Friday."""
    from cronsim import CronSim

    special = [day for day in week if isinstance(day, tuple)]
    if not special:
        return listed({day + 1 for day in week}, range(1, 8))
    if len(week) > 1:
        raise _unsupported(cron, path, _LAST)
    day, which = special[0]
    return f"{day + 1}L" if which == CronSim.LAST else f"{day + 1}#{which}"


def _unsupported(cron: str, path: str, support: Support) -> UnsupportedError:
    return unsupported("EventBridge Scheduler", cron, path, support, HINT)
