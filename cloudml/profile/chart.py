"""What is drawn of two columns: shares of all rows in shared bins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from cloudml.profile.bins import within
from cloudml.profile.kinds import CATEGORICAL, NUMERIC, Kind
from cloudml.profile.metrics import missing_share
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cloudml.profile.columns import Column
    from cloudml.profile.distribution import Distribution, Floats

HISTOGRAM_BINS = 20
NAMED = 10
"""Categories or single values that get a bar of their own."""

_TAIL = 0.005  # of each side's values beyond the outer bins' edges: an outlier must not flatten the rest
_DAY = 86_400
_LARGE = 1e9  # whole numbers from here on are shortened
NOTHING = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bin on both sides, in shares of all rows.

    Attributes:
        low: Where the bin begins, as text; `high` where it ends. The same for a single value or category.
        new: The baseline never saw it.
    """

    low: str
    high: str
    baseline: float
    current: float
    new: bool = False

    @property
    def name(self) -> str:
        return self.low if self.low == self.high else f"{self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn of a column.

    Attributes:
        ordered: The bars are an axis, not a list.
    """

    ordered: bool
    bars: tuple[Bar, ...]
    missing: Bar


def chart(baseline: Column, current: Column) -> Chart:
    """The drawing of two columns; without bars when neither has a value that can be drawn."""
    missing = Bar("missing", "missing", missing_share(baseline), missing_share(current))
    kinds = {baseline.kind, current.kind} - {Kind.EMPTY}
    if kinds <= CATEGORICAL:
        return Chart(ordered=False, bars=_categories(baseline, current), missing=missing)
    if not kinds <= NUMERIC:
        return Chart(ordered=False, bars=(), missing=missing)
    few = _few(baseline, current)
    bars = _values(baseline, current, few) if few is not None else _histogram(baseline, current)
    return Chart(ordered=few is None, bars=bars, missing=missing)


def text(kind: Kind, value: float, span: float = 0.0) -> str:
    """A value for people; of times as much as *span* seconds need."""
    if kind is not Kind.TIME:
        return f"{value:,.0f}" if value == round(value) and abs(value) < _LARGE else f"{value:,.4g}"
    try:
        moment = datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{value:,.4g} s"
    return moment.strftime("%Y-%m-%d" if span > 3 * _DAY or value % _DAY == 0 else "%Y-%m-%d %H:%M")


def _few(baseline: Column, current: Column) -> Floats | None:
    """The distinct values when they are few on both sides together."""
    sides = [column.numbers.distribution for column in (baseline, current)]
    values = np.unique(np.concatenate([side.values[: NAMED + 1] for side in sides]))
    exact = all(side.exact and len(side.values) <= NAMED for side in sides)
    return values if exact and len(values) <= NAMED else None


def _values(baseline: Column, current: Column, values: Floats) -> tuple[Bar, ...]:
    kind = baseline.kind if baseline.kind in NUMERIC else current.kind
    names = [text(kind, value) for value in values]
    shares = [_at(column.numbers.distribution, values) / max(column.rows, 1) for column in (baseline, current)]
    return tuple(Bar(name, name, float(b), float(c), new=b == 0 < c) for name, b, c in zip(names, *shares, strict=True))


def _at(distribution: Distribution, values: Floats) -> Floats:
    counts: Mapping[float, int] = dict(zip(distribution.values.tolist(), distribution.weights.tolist(), strict=True))
    return np.array([counts.get(value, 0) for value in values.tolist()], dtype=np.float64)


def _histogram(baseline: Column, current: Column) -> tuple[Bar, ...]:
    """Equal bins over the bulk of both sides; the outer two hold what lies beyond as well."""
    kind = baseline.kind if baseline.kind in NUMERIC else current.kind
    sides = [column for column in (baseline, current) if column.numbers.finite]
    ends = [side.numbers.distribution.quantiles(np.array([_TAIL, 1 - _TAIL])) for side in sides]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    edges = _edges(low, high)
    names = [text(kind, float(edge), high - low) for edge in edges]
    shares = [within(column.numbers.distribution, edges[1:-1]) / max(column.rows, 1) for column in (baseline, current)]
    return tuple(
        Bar(low_name, high_name, float(before), float(after))
        for low_name, high_name, before, after in zip(names[:-1], names[1:], *shares, strict=True)
    )


def _edges(low: float, high: float) -> Floats:
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low / 2, high / 2, HISTOGRAM_BINS + 1) * 2  # halves: the span of floats may exceed a float


def _categories(baseline: Column, current: Column) -> tuple[Bar, ...]:
    """The most frequent on either side, and the rest as one bar."""
    before, after = _shares(baseline), _shares(current)
    names = sorted({**before, **after}, key=lambda name: (-max(before.get(name, 0), after.get(name, 0)), name))[:NAMED]
    unseen = baseline.tally.exact
    bars = [
        Bar(name, name, before.get(name, 0), after.get(name, 0), new=unseen and name not in before) for name in names
    ]
    rest = Bar(
        "all others",
        "all others",
        baseline.tally.total / max(baseline.rows, 1) - sum(bar.baseline for bar in bars),
        current.tally.total / max(current.rows, 1) - sum(bar.current for bar in bars),
    )
    return (*bars, rest) if max(rest.baseline, rest.current) > _ROUNDING else tuple(bars)


def _shares(column: Column) -> dict[str, float]:
    """Of all rows, those without a value included."""
    return {name: count / max(column.rows, 1) for name, count in column.tally.counts.items()}


_ROUNDING = 1e-12  # what is left of 1 - 1


Row = tuple[str, str, str]

_STATISTICS: tuple[tuple[str, Callable[[Column], float]], ...] = (
    ("mean", lambda column: column.numbers.mean),
    ("standard deviation", lambda column: column.numbers.deviation),
    ("smallest", lambda column: column.numbers.minimum),
    ("5 %", lambda column: _quantile(column, 0.05)),
    ("median", lambda column: _quantile(column, 0.5)),
    ("95 %", lambda column: _quantile(column, 0.95)),
    ("largest", lambda column: column.numbers.maximum),
)


def _quantile(column: Column, share: float) -> float:
    return float(column.numbers.distribution.quantiles(np.array([share]))[0])


def numbers(baseline: Column, current: Column) -> list[Row]:
    """The table beside a drawing: what, baseline, current."""
    pair = (baseline, current)
    shown = [_row("rows", [f"{column.rows:,}" for column in pair])]
    shown.append(_row("missing", [f"{missing_share(column):.1%}" for column in pair]))
    counted = [("unreadable", [column.invalid for column in pair])]
    counted.append(("NaN", [column.numbers.nans for column in pair]))
    counted.append(("infinite", [column.numbers.above + column.numbers.below for column in pair]))
    shown += [_row(name, [f"{count:,}" for count in counts]) for name, counts in counted if any(counts)]
    shown.append(_row("distinct", [_distinct(column) for column in pair]))
    if {baseline.kind, current.kind} & NUMERIC:
        shown += [_row(name, [_statistic(name, of, column) for column in pair]) for name, of in _STATISTICS]
    return shown


def _row(name: str, values: Sequence[str]) -> Row:
    return name, values[0], values[1]


def _distinct(column: Column) -> str:
    exact = column.numbers.distribution.exact and column.tally.exact
    return NOTHING if column.kind in {Kind.OPAQUE, Kind.EMPTY} else f"{'' if exact else 'about '}{column.distinct:,}"


def _statistic(name: str, of: Callable[[Column], float], column: Column) -> str:
    if not column.numbers.finite:
        return NOTHING
    value = of(column)
    if not np.isfinite(value):
        return "too large"
    if column.kind is Kind.TIME and name == "standard deviation":
        return f"{value / _DAY:,.3g} days"
    return text(column.kind, value, column.numbers.maximum - column.numbers.minimum)
