"""A mergeable count of categories: exact while they are few, heavy hitters beyond.

Up to `EXACT` categories each one is counted. Beyond that the counts are those of Misra and Gries, merged as in Agarwal
and others (Mergeable Summaries, PODS 2012): when more than `EXACT` remain, the count of the first one left out is taken
from all of them. A count is then never too high, and too low by at most `slack`, which is at most rows / (EXACT + 1).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cloudml.profile import distinct
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

EXACT = 1000
"""Categories up to which a tally is exact."""

LONGEST = 128
"""Characters of a category that are kept; a longer one is cut, and told apart by a hash of the whole."""


@dataclass(frozen=True)
class Tally:
    """Categories and how often each was seen.

    Attributes:
        total: Rows counted, those of categories no longer listed included.
        slack: By how much a count may be too low; 0 when exact.
        hashes: For the estimate of distinct categories; empty when exact.
    """

    counts: Mapping[str, int]
    total: int
    slack: int = 0
    hashes: distinct.Hashes = field(default_factory=lambda: distinct.NONE)

    @property
    def exact(self) -> bool:
        return not len(self.hashes)

    @cached_property
    def distinct(self) -> int:
        return len(self.counts) if self.exact else distinct.estimate(self.hashes)

    def top(self, number: int) -> list[str]:
        """The most frequent, ties in alphabetical order."""
        return sorted(self.counts, key=lambda name: (-self.counts[name], name))[:number]


EMPTY = Tally(MappingProxyType({}), 0)


def of_strings(values: pa.Array) -> Tally:
    """The tally of a string array; nulls are left out."""
    counted = pc.value_counts(cut(values.drop_null()))
    names = counted.field("values").to_pylist()
    return of_counts(dict(zip(names, counted.field("counts").to_pylist(), strict=True)))


def of_counts(counts: Mapping[str, int]) -> Tally:
    """The tally of categories that were counted one by one."""
    return _bounded(counts, sum(counts.values()))


def merge(left: Tally, right: Tally) -> Tally:
    counts = Counter(left.counts)
    counts.update(right.counts)
    hashes = distinct.NONE if left.exact and right.exact else distinct.smallest(_hashes(left), _hashes(right))
    return _bounded(counts, left.total + right.total, left.slack + right.slack, hashes)


def _hashes(tally: Tally) -> distinct.Hashes:
    return distinct.of_texts(tally.counts) if tally.exact else tally.hashes


def _bounded(counts: Mapping[str, int], total: int, slack: int = 0, hashes: distinct.Hashes = distinct.NONE) -> Tally:
    if len(counts) <= EXACT:
        return Tally(counts, total, slack, hashes)
    if not len(hashes):
        hashes = distinct.of_texts(counts)
    taken = int(np.partition(np.fromiter(counts.values(), dtype=np.int64), -EXACT - 1)[-EXACT - 1])
    kept = {name: count - taken for name, count in counts.items() if count > taken}
    return Tally(kept, total, slack + taken, hashes)


def cut(values: pa.Array) -> pa.Array:
    """Long categories shortened, so that a profile stays small."""
    if (pc.max(pc.utf8_length(values)).as_py() or 0) <= LONGEST:
        return values
    return pa.array([_short(value) for value in values.to_pylist()], pa.string())


def _short(value: str) -> str:
    if len(value) <= LONGEST:
        return value
    return f"{value[: LONGEST - 17]}~{blake2b(value.encode(), digest_size=8).hexdigest()}"
