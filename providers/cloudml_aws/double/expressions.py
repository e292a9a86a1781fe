"""Schedule expressions of EventBridge Scheduler: ``rate(…)``, ``cron(…)``, ``at(…)``. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS = {"minute": "minutes", "hour": "hours", "day": "days"}
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
FIELDS = 6
_KIND = re.compile(r"(rate|cron|at)\((.*)\)")


class ExpressionError(ValueError):
    """The expression is none that the service takes."""


def following(expression: str, zone: str, began: datetime) -> Callable[[datetime], datetime | None]:
    """What gives the next moment after another one; None when there is none.

    Args:
        began: When the schedule was made; rates are counted from there.

    Raises:
        ExpressionError: It cannot be read.
    """
    found = _KIND.fullmatch(expression)
    if found is None:
        raise ExpressionError(f"Invalid Schedule Expression {expression}.")
    try:
        return KINDS[found[1]](found[2], ZoneInfo(zone), began)
    except (ValueError, KeyError) as error:
        raise ExpressionError(f"Invalid Schedule Expression {expression}.") from error


def _rate(text: str, zone: ZoneInfo, began: datetime) -> Callable[[datetime], datetime | None]:
    del zone
    count, unit = text.split()
    every = timedelta(**{UNITS[unit.removesuffix("s")]: int(count)})
    if every <= timedelta(0) or (int(count) == 1) is unit.endswith("s"):
        raise ValueError(text)

    def after(moment: datetime) -> datetime:
        return began + ((moment - began) // every + 1) * every

    return after


def _at(text: str, zone: ZoneInfo, began: datetime) -> Callable[[datetime], datetime | None]:
    del began
    due = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    return lambda moment: due if due > moment else None


def _cron(text: str, zone: ZoneInfo, began: datetime) -> Callable[[datetime], datetime | None]:
    from cronsim import CronSim, CronSimError

    del began
    fields = text.split()
    if len(fields) != FIELDS or "?" not in {fields[2], fields[4]}:
        raise ValueError(text)
    minute, hour, day, month, weekday, year = fields
    line = " ".join([minute, hour, _any(day), month, _any(re.sub(r"\d+", _weekday, weekday))])
    years = _years(year)

    def after(moment: datetime) -> datetime | None:
        for found in CronSim(line, moment.astimezone(zone)):
            if years is None or found.year in years:
                return found.astimezone(UTC)
            if found.year > max(years):
                return None
        return None

    try:
        CronSim(line, datetime(2026, 1, 1, tzinfo=zone))
    except CronSimError as error:
        raise ValueError(text) from error
    return after


def _any(field: str) -> str:
    return "*" if field == "?" else field


def _weekday(found: re.Match[str]) -> str:
    """AWS counts the days of a week from 1, which is Sunday."""
    return DAYS[int(found[0]) - 1]


def _years(text: str) -> set[int] | None:
    if text == "*":
        return None
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


KINDS = {"rate": _rate, "at": _at, "cron": _cron}
