"""A column counted while its batches pass: what `columns.of_array` and `columns.merge` give, and many times faster.

A hot path. Most columns are whole numbers of a small range or text of few values; both are counted in a table of
counts, and the summary is made once, at the end. What is neither goes the general way, batch by batch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from cloudml.profile import columns, tally
from cloudml.profile.columns import Column, Numbers
from cloudml.profile.distribution import unboxed
from cloudml.profile.kinds import Kind, kind_of_type, plain
from cloudml.records import dataclass

if TYPE_CHECKING:
    from cloudml.profile.distribution import Ints
    from cloudml.profile.tally import Tally

SPAN = 1 << 16
"""So many whole numbers from the smallest to the largest are counted in a table."""

HELD = 1 << 16
"""So many different texts are counted one by one before the most frequent of them are kept."""

_NO_TEXTS = pa.nulls(0, pa.string())
_GLANCE = 64
_EXACT = 2**53  # every whole number below is a float64


@dataclass(slots=True)
class Whole:
    """Whole numbers of a small range, and the values that are no finite numbers.

    Attributes:
        low: The number that `counts[0]` counts.
    """

    low: int = 0
    counts: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    nans: int = 0
    above: int = 0
    below: int = 0

    def add(self, values: npt.NDArray[Any]) -> bool:
        """Count all values; or none, when one of them is not whole or the range would be too large."""
        finite = values
        if values.dtype.kind == "f":
            if not _is_whole(values[:_GLANCE]):
                return False
            known = np.isfinite(values)
            finite = values if known.all() else values[known]
        if len(finite):
            low, high = int(finite.min()), int(finite.max())
            if not self._holds(low, high) or (values.dtype.kind == "f" and not _is_whole(finite)):
                return False
            self._widen(low, high)
            found = np.bincount(np.subtract(finite, low, dtype=np.int64, casting="unsafe"))
            self.counts[low - self.low : low - self.low + len(found)] += found
        if len(finite) < len(values):
            nans, above = int(np.isnan(values).sum()), int((values == np.inf).sum())
            self.nans += nans
            self.above += above
            self.below += len(values) - len(finite) - nans - above
        return True

    def numbers(self) -> Numbers:
        """The summary of what was counted."""
        seen = np.flatnonzero(self.counts)
        summary = columns.of_counted((seen + self.low).astype(np.float64), self.counts[seen])
        return replace(summary, nans=self.nans, above=self.above, below=self.below)

    def _holds(self, low: int, high: int) -> bool:
        if len(self.counts):
            low, high = min(low, self.low), max(high, self.low + len(self.counts) - 1)
        return high - low < SPAN and low >= -_EXACT and high <= _EXACT

    def _widen(self, low: int, high: int) -> None:
        """Let the table reach from *low* to *high* at least."""
        if not len(self.counts):
            self.low, self.counts = low, np.zeros(high - low + 1, dtype=np.int64)
        before, after = max(self.low - low, 0), max(high - self.low - len(self.counts) + 1, 0)
        if before or after:
            self.counts = np.pad(self.counts, (before, after))
            self.low -= before


def _is_whole(values: npt.NDArray[Any]) -> bool:
    """Whether all values that are finite are whole numbers."""
    return not (np.floor(values) < values).any()


@dataclass(slots=True)
class Names:
    """Texts, and how often each was seen."""

    _dictionary: pa.Array = field(default_factory=lambda: _NO_TEXTS)
    _counts: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _found: Counter[str] = field(default_factory=Counter)
    _tally: Tally = tally.EMPTY

    def add(self, dictionary: pa.Array, counts: Ints) -> None:
        """Count the texts of *dictionary*; a file hands out the same one with many batches."""
        if len(dictionary) == len(self._dictionary) and dictionary.equals(self._dictionary):
            self._counts += counts
            return
        self._named()
        self._dictionary, self._counts = dictionary, counts.astype(np.int64)

    def count(self, name: str, times: int) -> None:
        """Count one text."""
        if times:
            self._found[name] += times

    def tally(self) -> Tally:
        """The tally of what was counted."""
        self._named()
        return tally.merge(self._tally, tally.of_counts(self._found))

    def _named(self) -> None:
        """From numbers in the dictionary to names."""
        found = self._found
        for name, count in zip(tally.cut(self._dictionary).to_pylist(), self._counts.tolist(), strict=True):
            if count:
                found[name] += count
        self._dictionary, self._counts = _NO_TEXTS, np.zeros(0, dtype=np.int64)
        if len(self._found) > HELD:
            self._tally = tally.merge(self._tally, tally.of_counts(self._found))
            self._found = Counter()


class ColumnCounter:
    """One column of a stream of batches.

    Args:
        kind: As what its values are read; left out, the kind of the first value.
    """

    __slots__ = ("_kind", "_names", "_nulls", "_rest", "_rows", "_whole")

    def __init__(self, kind: Kind | None = None) -> None:
        self._kind = kind if kind is not None else Kind.EMPTY
        self._rows = self._nulls = 0
        self._whole, self._names = Whole(), Names()
        self._rest = columns.empty(0)

    def add(self, array: pa.Array) -> None:
        """Count the values of one batch."""
        if isinstance(array, pa.ExtensionArray) or not (_is_flat(array) or _is_dictionary_of_text(array)):
            array = plain(array)
        if array.null_count < len(array) and self._kind is Kind.EMPTY:
            self._kind = _kind(array.type)
        if array.null_count == len(array) or self._counted(array):
            self._rows += len(array)
            self._nulls += array.null_count
        else:
            self._rest = columns.merge(self._rest, columns.of_array(array, self._kind))

    def lack(self, rows: int) -> None:
        """So many rows do not name the column."""
        self._rows += rows
        self._nulls += rows

    def column(self) -> Column:
        """The profile of what was counted."""
        counted = Column(
            kind=self._kind,
            rows=self._rows,
            nulls=self._nulls,
            numbers=self._whole.numbers(),
            tally=self._names.tally(),
        )
        return columns.merge(counted, self._rest)

    def _counted(self, array: pa.Array) -> bool:
        """Whether the values could be counted in a table; they then are."""
        kind = self._kind
        if kind is Kind.NUMBER and (pt.is_integer(array.type) or pt.is_floating(array.type)):
            return self._whole.add(unboxed(array.drop_null()))
        if kind is Kind.BOOLEAN and pt.is_boolean(array.type):
            self._names.count("true", array.true_count)
            self._names.count("false", array.false_count)
            return True
        if kind is not Kind.CATEGORY:
            return False
        if pt.is_string(array.type):
            found = pc.value_counts(array.drop_null())
            self._names.add(found.field("values"), unboxed(found.field("counts")))
            return True
        if _is_flat(array):
            return False
        codes = unboxed(array.indices.drop_null())
        self._names.add(array.dictionary, np.bincount(codes, minlength=len(array.dictionary)))
        return True


def _kind(type_: pa.DataType) -> Kind:
    return kind_of_type(type_.value_type if pt.is_dictionary(type_) else type_)


def _is_flat(array: pa.Array) -> bool:
    return not pt.is_dictionary(array.type)


def _is_dictionary_of_text(array: pa.Array) -> bool:
    return pt.is_dictionary(array.type) and pt.is_string(array.type.value_type) and not array.dictionary.null_count
