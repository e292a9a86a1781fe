"""The bins in which two columns are compared: those of the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cloudml.profile.distribution import Distribution
from cloudml.profile.kinds import NUMERIC
from cloudml.records import dataclass

if TYPE_CHECKING:
    from cloudml.profile.columns import Column, Numbers
    from cloudml.profile.distribution import Floats
    from cloudml.profile.tally import Tally

BINS = 10
"""Quantile bins; also the number of distinct values up to which numbers are compared value by value."""

CATEGORIES = 100
"""The most frequent categories of each side that are compared by name; the rest is one more bin."""

OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts of two columns in the same bins; both have values."""

    names: tuple[str, ...]
    baseline: Floats
    current: Floats

    @property
    def shares(self) -> tuple[Floats, Floats]:
        return self.baseline / self.baseline.sum(), self.current / self.current.sum()


def bins(baseline: Column, current: Column) -> Bins:
    """Both columns in the bins of the baseline; both must have values, of one kind."""
    if baseline.kind not in NUMERIC:
        return _by_name(baseline.tally, current.tally)
    if _few(baseline.numbers):
        return _by_value(baseline.numbers, current.numbers)
    return _by_quantile(baseline.numbers, current.numbers)


def ranked(numbers: Numbers) -> Distribution:
    """The distribution with the infinities at its ends."""
    finite = numbers.distribution
    values = np.concatenate(([-np.inf], finite.values, [np.inf]))
    weights = np.concatenate(([numbers.below], finite.weights, [numbers.above]))
    seen = weights > 0
    return Distribution(values[seen], weights[seen], finite.exact)


def within(values: Distribution, edges: Floats) -> Floats:
    """Counts in (-inf, e0], (e0, e1], ..., (en, inf)."""
    below = np.concatenate(([0], np.cumsum(values.weights)))
    at = np.concatenate(([0], np.searchsorted(values.values, edges, side="right"), [len(values.values)]))
    return np.diff(below[at]).astype(np.float64)


def _few(numbers: Numbers) -> bool:
    return numbers.distribution.exact and len(numbers.distribution.values) <= BINS


def _by_value(baseline: Numbers, current: Numbers) -> Bins:
    """Every value of the baseline is a bin, any other value one more: no shift of a constant goes unseen."""
    values = baseline.distribution.values
    names = (*(f"{value:g}" for value in values), OTHER)
    return Bins(names, _counted(ranked(baseline), values), _counted(ranked(current), values))


def _counted(distribution: Distribution, values: Floats) -> Floats:
    where = np.searchsorted(distribution.values, values)
    found = np.zeros(len(values))
    inside = where < len(distribution.values)
    same = inside.copy()
    same[inside] = distribution.values[where[inside]] == values[inside]
    found[same] = distribution.weights[where[same]]
    return np.append(found, distribution.total - found.sum())


def _by_quantile(baseline: Numbers, current: Numbers) -> Bins:
    """Bins that hold equal shares of the baseline as far as ties allow; the outer two are open."""
    edges = np.unique(ranked(baseline).quantiles(np.arange(1, BINS) / BINS))
    if edges[0] == baseline.minimum:  # many equal values at the low end: what falls below them is a bin of its own
        edges = np.concatenate(([np.nextafter(edges[0], -np.inf)], edges))
    names = (*tuple(f"≤ {edge:.6g}" for edge in edges), f"> {edges[-1]:.6g}")
    return Bins(names, within(ranked(baseline), edges), within(ranked(current), edges))


def _by_name(baseline: Tally, current: Tally) -> Bins:
    names = dict.fromkeys([*baseline.top(CATEGORIES), *current.top(CATEGORIES)])
    counts = [_named(tally, names) for tally in (baseline, current)]
    return Bins((*names, OTHER), counts[0], counts[1])


def _named(tally: Tally, names: dict[str, None]) -> Floats:
    found = np.array([tally.counts.get(name, 0) for name in names], dtype=np.float64)
    return np.append(found, tally.total - found.sum())
