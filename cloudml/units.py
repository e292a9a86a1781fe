"""Units as people write them: the only parser of sizes, durations, cron expressions and thresholds.

Each function raises ValueError with a sentence that says what is allowed; the loader adds file, line and path.
"""

from __future__ import annotations

import operator
import re
from datetime import timedelta
from functools import total_ordering
from typing import TYPE_CHECKING

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIZES: Mapping[str, int] = {
    "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
DURATIONS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=3650)
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq,
}  # fmt: skip

CRON_FIELDS = 5
"""Minute, hour, day of the month, month, day of the week."""

_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,20})?"
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)")
_DURATION = re.compile(rf"(?:{_NUMBER}[smhd])+")
_DURATION_PART = re.compile(rf"({_NUMBER})([smhd])")
_THRESHOLD = re.compile(rf"(>=|<=|==|>|<)\s*([-+]?{_NUMBER}(?:[eE][-+]?[0-9]{{1,2}})?)")


@total_ordering
@dataclass(frozen=True, slots=True)
class Size:
    """An amount of memory or disk, in bytes."""

    bytes: int

    @property
    def gib(self) -> float:
        return self.bytes / 2**30

    def __lt__(self, other: Size) -> bool:
        return self.bytes < other.bytes

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self.bytes and self.bytes % SIZES[unit] == 0:
                return f"{self.bytes // SIZES[unit]}{unit}"
        return f"{self.bytes}B"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison with a number: ``>= 0.70``."""

    comparison: str
    number: float

    def met_by(self, value: float) -> bool:
        """Whether *value* satisfies the comparison; NaN never does."""
        return COMPARISONS[self.comparison](value, self.number)

    def __str__(self) -> str:
        return f"{self.comparison} {str(self.number).removesuffix('.0')}"


def size(text: str) -> Size:
    """``16GiB`` as a size; decimal (GB) and binary (GiB) units are told apart, as in IEC 80000-13."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2] not in SIZES:
        raise ValueError(f"`{text}` is not a size; write a number and one of {', '.join(SIZES)}, such as `16GiB`")
    found = Size(int(float(match[1]) * SIZES[match[2]]))
    if not found.bytes:
        raise ValueError(f"`{text}` is nothing at all; write a size above zero, such as `16GiB`")
    return found


def duration(text: str) -> timedelta:
    """``2h``, ``90s`` or ``1d12h`` as a timedelta."""
    compact = text.replace(" ", "")
    if not _DURATION.fullmatch(compact):
        raise ValueError(f"`{text}` is not a duration; write a number and one of s, m, h, d, such as `90s` or `1d12h`")
    seconds = sum(float(number) * DURATIONS[unit] for number, unit in _DURATION_PART.findall(compact))
    if seconds <= 0:
        raise ValueError(f"`{text}` is no time at all; write a duration above zero, such as `90s`")
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"`{text}` is longer than {LONGEST.days} days, the longest that is taken")
    return timedelta(seconds=seconds)


def duration_text(value: timedelta) -> str:
    """The shortest spelling that `duration` reads back."""
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(value, timedelta(seconds=DURATIONS[unit]))
        if number and not rest:
            return f"{number}{unit}"
    return f"{value.total_seconds():.6f}s"


def cron(text: str) -> str:
    """A five-field cron expression, in UTC, unchanged if it is a good one."""
    from cronsim import CronSim, CronSimError

    from cloudml.clock import EPOCH

    if len(text.split()) != CRON_FIELDS:
        raise ValueError(f"`{text}` has {len(text.split())} fields; a cron expression has five, such as `0 * * * *`")
    try:
        CronSim(text, EPOCH)
    except CronSimError as error:
        raise ValueError(f"`{text}` is not a cron expression ({error}); hourly is `0 * * * *`") from None
    return text


def threshold(text: str) -> Threshold:
    """``>= 0.70`` as a comparison and a number."""
    match = _THRESHOLD.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"`{text}` is not a threshold; write one of {', '.join(COMPARISONS)} and a number, such as `>= 0.70`"
        )
    return Threshold(match[1], float(match[2]))
