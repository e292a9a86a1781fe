"""The metrics a check may name: to which kinds each applies and how it is computed from two columns."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np

from cloudml.profile import distances
from cloudml.profile.bins import bins, ranked
from cloudml.profile.kinds import CATEGORICAL, NUMERIC, Kind
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml.profile.columns import Column, Numbers


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's value, and what belongs beside it.

    Attributes:
        value: None when it cannot be known; *reason* then says why.
    """

    value: float | None
    detail: Mapping[str, float | None] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to compare a column.

    Attributes:
        about: What the number means, for the report.
        compared: Needs values on both sides.
    """

    kinds: frozenset[Kind]
    measure: Callable[[Column, Column], Measured]
    about: str
    compared: bool = True


def _psi(baseline: Column, current: Column) -> Measured:
    return Measured(distances.psi(*bins(baseline, current).shares))


def _js(baseline: Column, current: Column) -> Measured:
    return Measured(distances.js(*bins(baseline, current).shares))


def _linf(baseline: Column, current: Column) -> Measured:
    return Measured(distances.linf(*bins(baseline, current).shares))


def _chi2(baseline: Column, current: Column) -> Measured:
    both = bins(baseline, current)
    found = distances.chi2(both.baseline, both.current)
    return Measured(found.statistic, {"degrees": found.degrees, "cramers_v": found.cramers_v})


def _ks(baseline: Column, current: Column) -> Measured:
    return Measured(distances.ks(ranked(baseline.numbers), ranked(current.numbers)))


def _wasserstein(baseline: Column, current: Column) -> Measured:
    if not (baseline.numbers.finite and current.numbers.finite):
        return Measured(None, reason="one side has no finite value")
    raw = distances.wasserstein(baseline.numbers.distribution, current.numbers.distribution)
    deviation = baseline.numbers.deviation
    return Measured(raw, {"normalised": raw / deviation if deviation and np.isfinite(raw / deviation) else None})


def missing_share(column: Column) -> float:
    """Share of the rows that have no value: null, NaN, or nothing that can be read as the column's kind."""
    return 1 - column.present / column.rows if column.rows else 0.0


def _missing(baseline: Column, current: Column) -> Measured:
    return Measured(missing_share(current), {"baseline": missing_share(baseline)})


def _out_of_range(baseline: Column, current: Column) -> Measured:
    return Measured(_outside(baseline.numbers, current.numbers) / current.present)


def _outside(baseline: Numbers, current: Numbers) -> int:
    """Values beyond the baseline's smallest and largest; an infinity unless the baseline had the same."""
    values = current.distribution
    finite = int(values.weights[(values.values < baseline.minimum) | (values.values > baseline.maximum)].sum())
    return finite + current.below * (not baseline.below) + current.above * (not baseline.above)


def _new_category(baseline: Column, current: Column) -> Measured:
    if not baseline.tally.exact:
        return Measured(None, reason="the baseline has too many categories to know each of them")
    known = sum(count for name, count in current.tally.counts.items() if name in baseline.tally.counts)
    return Measured((current.tally.total - known) / current.present)


_VALUED = NUMERIC | CATEGORICAL

METRICS: Mapping[str, Metric] = {
    "psi": Metric(_VALUED, _psi, "population stability index, natural logarithm"),
    "js": Metric(_VALUED, _js, "Jensen-Shannon distance, base 2"),
    "ks": Metric(NUMERIC, _ks, "Kolmogorov-Smirnov statistic"),
    "wasserstein": Metric(NUMERIC, _wasserstein, "Wasserstein distance, in the column's units (times: seconds)"),
    "linf": Metric(_VALUED, _linf, "largest difference of a share"),
    "chi2": Metric(_VALUED, _chi2, "Pearson's chi-squared statistic; grows with the rows"),
    "missing": Metric(frozenset(Kind), _missing, "share of rows without a value", compared=False),
    "out_of_range": Metric(NUMERIC, _out_of_range, "share of values beyond the baseline's smallest and largest"),
    "new_category": Metric(CATEGORICAL, _new_category, "share of values that the baseline never saw"),
}


def applicable(kind: Kind) -> list[str]:
    """The metrics that apply to a kind."""
    return [name for name, metric in METRICS.items() if kind in metric.kinds]
