"""A mergeable summary of numbers: weighted points, exact while they are few.

A distribution is a sorted array of distinct finite values with integer weights. Up to `EXACT` distinct values the
weights are counts, and everything computed from them is exact. Beyond that it is compacted as a KLL sketch (Karnin,
Lang, Liberty: Optimal Quantile Approximation in Streams, FOCS 2016): a point of weight 2^h lies in level h, a level
over its capacity is sorted and every second point moves up with twice the weight. The total weight never changes, so
shares always add up; the rank of any value is off by less than `RANK_ERROR` (tested), whatever the number of rows and
however the parts were merged.

Why not a library: those that are kept well draw their coins from a random generator, so the same data give another
verdict on another day. Here the coin is a hash of what is compacted: equal input gives equal output on every machine,
and `merge(a, b)` equals `merge(b, a)` bit for bit. DDSketch bounds the error relative to the value, which says nothing
about timestamps or other numbers far from zero.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cloudml.records import dataclass

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EXACT = 4096
"""Distinct values up to which a distribution is exact."""

RANK_ERROR = 0.005
"""Bound on the error of a rank, as a share of all values."""

KEPT = 8192
"""Points that are kept at most."""

_CAPACITY = 2048  # of the top level
_SHRINK = 2 / 3  # each level below holds two thirds of the one above, as in the paper: 3 times the top in all
_SMALLEST = 8
_GLANCE = 2048  # values that are looked at before they are counted
_HEAVY = 1024  # a value with more than this part of the weight is no part of the levels, and stays exact


@dataclass(frozen=True, slots=True)
class Distribution:
    """Finite numbers with their weights, sorted by value.

    Attributes:
        exact: The weights are counts of these very values.
    """

    values: Floats
    weights: Ints
    exact: bool = True

    @property
    def total(self) -> int:
        return int(self.weights.sum())

    def cdf(self, at: Floats) -> Floats:
        """Share of the values at or below each of *at*; zeros when there is no value."""
        below = np.concatenate(([0], np.cumsum(self.weights)))
        return np.asarray(below[np.searchsorted(self.values, at, side="right")] / max(self.total, 1), dtype=np.float64)

    def quantiles(self, shares: Floats) -> Floats:
        """The smallest value at or below which each share lies (inverted cdf); needs at least one value."""
        ranks = np.asarray(shares) * self.total
        # The product may land a rounding error above a whole rank.
        found = np.searchsorted(np.cumsum(self.weights), np.maximum(ranks * (1 - 1e-12), 1), side="left")
        return self.values[np.minimum(found, len(self.values) - 1)]


EMPTY = Distribution(np.empty(0), np.empty(0, dtype=np.int64))


def of_values(values: Floats) -> Distribution:
    """The distribution of finite *values*."""
    return of_counts(*counted(values))


def of_counts(values: Floats, counts: Ints) -> Distribution:
    """The distribution of finite *values*, distinct and sorted, with their counts."""
    return _bounded(Distribution(values.astype(np.float64), counts.astype(np.int64)))


def counted(values: Floats) -> tuple[Floats, Ints]:
    """What `numpy.unique` gives with counts."""
    return _hashed(values) if _repeats(values) else _sorted(values)


def _repeats(values: Floats) -> bool:
    """Whether a glance over the values sees most of them more than once: then a hash table beats sorting."""
    glance = values[:: max(1, len(values) // _GLANCE)]
    return len(np.unique(glance)) * 2 < len(glance)


def _hashed(values: Floats) -> tuple[Floats, Ints]:
    """By Arrow's hash table."""
    found, counts = (unboxed(part) for part in pc.value_counts(_arrow(_signless(values))).flatten())
    order = np.argsort(found)
    return found[order], counts[order]


def unboxed(array: pa.Array) -> npt.NDArray[Any]:
    """An array without nulls, not copied; `to_numpy` would import pandas where there is one."""
    return np.from_dlpack(array)


def _arrow(values: Floats) -> pa.Array:
    """As `pyarrow.array`, which would import pandas, where there is one, to see whether this is a series."""
    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])


def _sorted(values: Floats) -> tuple[Floats, Ints]:
    """By sorting, which `numpy.sort` does several times faster than `numpy.unique`."""
    ordered = np.sort(_signless(values))
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))[: len(ordered)]
    return ordered[first], np.diff(first, append=len(ordered))


def _signless(values: Floats) -> Floats:
    """The same numbers without -0.0, which is another value than 0.0 to a hash table; the sum is never -0.0."""
    return values + 0.0


def merge(left: Distribution, right: Distribution) -> Distribution:
    """Commutative; associative exactly while exact, else within `RANK_ERROR`."""
    points = _points([left.values, right.values], [left.weights, right.weights])
    return _bounded(Distribution(*points, exact=left.exact and right.exact))


def _points(values: list[Floats], weights: list[Ints]) -> tuple[Floats, Ints]:
    """Distinct values with the sum of their weights."""
    distinct, where = np.unique(np.concatenate(values), return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, where, np.concatenate(weights))
    return distinct, sums


def _bounded(distribution: Distribution) -> Distribution:
    """The same, or compacted when there are too many points."""
    if len(distribution.values) <= (EXACT if distribution.exact else KEPT):
        return distribution
    values, weights, total = distribution.values, distribution.weights, distribution.total
    heavy = weights * _HEAVY > total
    levels = _compacted(_levels(values[~heavy], weights[~heavy]), total, KEPT - int(heavy.sum()))
    counts = [np.full(len(level), 1 << h, dtype=np.int64) for h, level in enumerate(levels)]
    return Distribution(*_points([values[heavy], *levels], [weights[heavy], *counts]), exact=False)


def _levels(values: Floats, weights: Ints) -> list[Floats]:
    """The points by the bits of their weight: level h holds those that count 2^h; each level sorted."""
    return [values[(weights >> h) & 1 == 1] for h in range(int(weights.max()).bit_length())]


def _capacity(level: int, height: int) -> int:
    return max(_SMALLEST, int(_CAPACITY * _SHRINK ** (height - 1 - level)))


def _compacted(levels: list[Floats], total: int, room: int) -> list[Floats]:
    """At most *room* points; the lowest level over its capacity goes first, and no level sooner than it must."""
    while sum(map(len, levels)) > room:
        full = next(h for h, level in enumerate(levels) if len(level) > _capacity(h, len(levels)))
        levels = _promoted(levels, full, total)
    return levels


def _promoted(levels: list[Floats], level: int, total: int) -> list[Floats]:
    """Half of one level moved up, every second point; an odd one stays."""
    points = levels[level]
    coin = _coin(points, level, total)
    odd = len(points) % 2
    kept, paired = (
        (points[:odd], points[odd:]) if coin & 2 else (points[len(points) - odd :], points[: len(points) - odd])
    )
    above = levels[level + 1] if level + 1 < len(levels) else np.empty(0)
    raised = np.sort(np.concatenate((above, paired[coin & 1 :: 2])), kind="stable")
    return [*levels[:level], kept, raised, *levels[level + 2 :]]


def _coin(points: Floats, level: int, total: int) -> int:
    """Two bits that look random and depend on nothing but the data."""
    bits = points.view(np.uint64)
    words = (int(bits[0]), int(bits[len(bits) // 2]), int(bits[-1]), len(bits), level, total)
    return reduce(lambda state, word: _mixed(state ^ word), words, 0) & 3


def _mixed(word: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014)."""
    word = (word + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return word ^ (word >> 31)
