"""Schedules in a cloud's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.capabilities import Capability
from cloudml.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml.capabilities import Support

LONG_ROW = 3
"""So many values in a row are written as a range; two are shorter with a comma."""


def listed(values: Iterable[int], whole: range) -> str:
    """Values in a field of cron: ``*`` for all, ranges for three and more in a row."""
    found = sorted(values)
    if found == [*whole]:
        return "*"
    rows: list[list[int]] = []
    for value in found:
        if rows and rows[-1][-1] == value - 1:
            rows[-1].append(value)
        else:
            rows.append([value])
    return ",".join(f"{row[0]}-{row[-1]}" if len(row) >= LONG_ROW else ",".join(map(str, row)) for row in rows)


def unsupported(scheduler: str, cron: str, path: str, support: Support, hint: str) -> UnsupportedError:
    """The refusal of a schedule that a cloud's scheduler cannot say."""
    return UnsupportedError(
        f"{scheduler} cannot honour `{path}`, `{cron}`: {support.reason}",
        hint=hint,
        path=path,
        capability=Capability.MONITOR_SCHEDULE,
        support=support,
    )
