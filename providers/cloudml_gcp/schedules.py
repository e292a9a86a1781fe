"""A monitor's schedule at Cloud Scheduler, and cron in its words. Pure.

A scheduler's job posts the request that starts a custom job, signed for a service account. Its cron is that of Unix:
five fields of numbers, ranges and steps; it fires when either of two restricted day fields fits, and knows no last day.
Sources: "Cron job format and time zone" of Cloud Scheduler, and the discovery document of cloudscheduler v1.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cloudml.capabilities import Level, Support
from cloudml.clouds.schedules import listed, unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.errors import UnsupportedError
    from cloudml_gcp.settings import GcpSettings

ZONE = "Etc/UTC"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
RETRY = {"retryCount": 2, "maxRetryDuration": "900s"}
"""A start that was refused for the moment is tried again for a quarter of an hour; later, the next one is near."""
DEADLINE = "60s"
DAYS = range(1, 32)
WEEK = range(7)
_LAST = Support(Level.IMPOSSIBLE, "its cron knows neither the last day of a month nor a weekday by its number in it")
_BOTH = Support(Level.IMPOSSIBLE, "its cron fires when either of two day fields fits, and cannot ask for both")
HINT = "write a schedule of numbers, with one of the two day fields as `*`"


def name(monitor: str, settings: GcpSettings) -> str:
    """The scheduler's name of a monitor's job."""
    return f"{settings.parent}/jobs/{monitor}"


def lower(monitor: str, cron: str, job: Mapping[str, Any], settings: GcpSettings) -> dict[str, Any]:
    """The schedule that posts *job*, a whole CustomJob, as *cron* says."""
    body = json.dumps(job, sort_keys=True).encode()
    return {
        "name": name(monitor, settings),
        "description": "Starts a monitor of cloudml",
        "schedule": cron,
        "timeZone": ZONE,
        "httpTarget": {
            "uri": f"https://{settings.region}-aiplatform.googleapis.com/v1/{settings.parent}/customJobs",
            "httpMethod": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": base64.b64encode(body).decode(),
            "oauthToken": {
                "serviceAccountEmail": settings.scheduler_service_account or settings.service_account,
                "scope": SCOPE,
            },
        },
        "retryConfig": RETRY,
        "attemptDeadline": DEADLINE,
    }


def same(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether the schedule that is there does what the wanted one does, and is on."""
    target = ("uri", "httpMethod", "body")
    account = ("oauthToken", "serviceAccountEmail")
    ours, theirs = wanted["httpTarget"], there.get("httpTarget", {})
    return (
        there.get("state") == "ENABLED"
        and all(wanted[key] == there.get(key) for key in ("schedule", "timeZone"))
        and all(ours[key] == theirs.get(key) for key in target)
        and ours[account[0]][account[1]] == theirs.get(account[0], {}).get(account[1])
    )


def expression(cron: str, path: str) -> str:
    """*cron* in fields that mean the same at Cloud Scheduler.

    Raises:
        UnsupportedError: Cloud Scheduler cannot say it.
    """
    from cronsim import CronSim

    from cloudml.clock import EPOCH

    said = CronSim(cron, EPOCH)
    week = {day % 7 if isinstance(day, int) else -1 for day in said.weekdays}
    if min(said.days) < 0 or CronSim.LAST in said.days or -1 in week:
        raise _unsupported(cron, path, _LAST)
    every_day, every_weekday = said.days >= {*DAYS}, week >= {*WEEK}
    if said.day_and and not every_day and not every_weekday:
        raise _unsupported(cron, path, _BOTH)
    days, weekdays = listed(said.days, DAYS), listed(week, WEEK)
    if not said.day_and and (every_day or every_weekday):
        days = weekdays = "*"  # either fits, and one of them always does
    fields = (listed(said.minutes, range(60)), listed(said.hours, range(24)), days)
    return f"{' '.join(fields)} {listed(said.months, range(1, 13))} {weekdays}"


def _unsupported(cron: str, path: str, support: Support) -> UnsupportedError:
    return unsupported("Cloud Scheduler", cron, path, support, HINT)
