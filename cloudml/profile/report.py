"""What a monitor found."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    OK = "ok"
    VIOLATED = "violated"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One check of one column.

    Attributes:
        value: None when there is no number; a note then says why.
        detail: Further numbers of the metric, such as Cramér's V beside chi2.
    """

    column: str
    metric: str
    value: float | None
    max: float
    violated: bool
    on: str = "features"
    detail: Mapping[str, float | None] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        base = {"column": self.column, "metric": self.metric, "value": self.value, "max": self.max}
        return (
            base | {"violated": self.violated, "on": self.on} | ({"detail": dict(self.detail)} if self.detail else {})
        )


@dataclass(frozen=True, slots=True)
class Note:
    """Why a metric gave no number."""

    column: str
    metric: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict of a monitor over its checks.

    Attributes:
        absent: Columns of the baseline that the current data lack; a label is one by right.
        extra: Columns of the current data that the baseline lacks.
        problems: What could not be read.
    """

    monitor: str = ""
    state: State
    rows: int
    baseline_rows: int
    checks: tuple[Result, ...] = ()
    absent: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The JSON of ``cloudml monitor run``; numbers are finite or null."""
        return {
            "monitor": self.monitor,
            "state": str(self.state),
            "rows": self.rows,
            "baseline_rows": self.baseline_rows,
            "checks": [result.as_json() for result in self.checks],
            "absent": list(self.absent),
            "extra": list(self.extra),
            "notes": [{"column": note.column, "metric": note.metric, "reason": note.reason} for note in self.notes],
            "problems": list(self.problems),
        }
