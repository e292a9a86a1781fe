"""The profile of one column: what was counted, and a summary of its values by kind."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cloudml.errors import SpecError
from cloudml.profile import distinct, distribution, tally
from cloudml.profile.kinds import CATEGORICAL, NUMERIC, Kind, kind_of, plain, read_as
from cloudml.records import dataclass

if TYPE_CHECKING:
    from cloudml.profile.distribution import Distribution
    from cloudml.profile.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A summary of numbers; of times in seconds since 1970.

    Attributes:
        mean: Of the finite values, as all below.
        m2: Sum of the squared differences from the mean.
        hashes: For the estimate of distinct values; empty while the distribution is exact.
    """

    nans: int = 0
    above: int = 0
    below: int = 0
    mean: float = 0.0
    m2: float = 0.0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    distribution: Distribution = distribution.EMPTY
    hashes: distinct.Hashes = field(default_factory=lambda: distinct.NONE)

    @property
    def finite(self) -> int:
        return self.distribution.total

    @property
    def deviation(self) -> float:
        """Standard deviation of the population."""
        return float(np.sqrt(self.m2 / self.finite)) if self.finite else 0.0

    @property
    def distinct(self) -> int:
        return len(self.distribution.values) if self.distribution.exact else distinct.estimate(self.hashes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a profile.

    Attributes:
        rows: Every row of the table, whether it names this column or not.
        nulls: Rows without a value.
        invalid: Rows whose value could not be read as the kind.
    """

    kind: Kind
    rows: int
    nulls: int = 0
    invalid: int = 0
    numbers: Numbers = Numbers()
    tally: Tally = tally.EMPTY

    @property
    def present(self) -> int:
        """Rows with a value; an infinity is one, NaN is none."""
        return self.rows - self.nulls - self.invalid - self.numbers.nans

    @property
    def distinct(self) -> int:
        """Exact while few, else an estimate."""
        return min(self.numbers.distinct if self.kind in NUMERIC else self.tally.distinct, self.present)


def of_array(array: pa.Array, kind: Kind | None = None) -> Column:
    """The profile of an array, its values read as *kind* (default: what its type says)."""
    array = plain(array)
    kind = kind if kind not in {None, Kind.EMPTY} else kind_of(array)
    values = read_as(array, kind)
    lost = values.null_count - array.null_count
    column = Column(kind=kind, rows=len(array), nulls=array.null_count, invalid=lost)
    if kind in NUMERIC:
        return replace(column, numbers=_numbers(distribution.unboxed(values.drop_null())))
    if kind in CATEGORICAL:
        return replace(column, tally=tally.of_strings(values.cast(pa.string())))
    return column


def empty(rows: int) -> Column:
    """A column that none of *rows* rows names."""
    return Column(kind=Kind.EMPTY, rows=rows, nulls=rows)


def merge(left: Column, right: Column, name: str = "") -> Column:
    """The profile of both parts.

    Raises:
        SpecError: The parts are of different kinds.
    """
    kinds = {left.kind, right.kind} - {Kind.EMPTY}
    if len(kinds) > 1:
        raise SpecError(
            f"column `{name}` is {left.kind} in one part and {right.kind} in another",
            hint="profile the parts with `like=` the same profile, so that values are read as one kind",
            path=name,
        )
    return Column(
        kind=kinds.pop() if kinds else Kind.EMPTY,
        rows=left.rows + right.rows,
        nulls=left.nulls + right.nulls,
        invalid=left.invalid + right.invalid,
        numbers=_merged(left.numbers, right.numbers),
        tally=tally.merge(left.tally, right.tally),
    )


def _numbers(values: distribution.Floats) -> Numbers:
    known = np.isfinite(values)
    if known.all():
        return of_counted(*distribution.counted(values))
    nans, above = int(np.isnan(values).sum()), int((values == np.inf).sum())
    finite = values[known]
    below = len(values) - len(finite) - nans - above
    return replace(of_counted(*distribution.counted(finite)), nans=nans, above=above, below=below)


def of_counted(values: distribution.Floats, counts: distribution.Ints) -> Numbers:
    """The summary of finite *values*, distinct and sorted, each seen as often as *counts* says."""
    if not len(values):
        return Numbers()
    summary = distribution.of_counts(values, counts)
    with np.errstate(over="ignore", invalid="ignore"):  # values near 1e308: the moments are then not finite
        mean = float((values * counts).sum() / summary.total)
        m2 = float(((values - mean) ** 2 * counts).sum())
    return Numbers(
        mean=mean,
        m2=m2,
        minimum=float(values[0]),
        maximum=float(values[-1]),
        distribution=summary,
        hashes=distinct.NONE if summary.exact else distinct.of_numbers(values),
    )


def _hashes(numbers: Numbers) -> distinct.Hashes:
    return distinct.of_numbers(numbers.distribution.values) if numbers.distribution.exact else numbers.hashes


def _merged(left: Numbers, right: Numbers) -> Numbers:
    """The summary of both; mean and variance as in Chan, Golub, LeVeque (1979)."""
    summary = distribution.merge(left.distribution, right.distribution)
    total = max(summary.total, 1)
    share = right.finite / total
    with np.errstate(over="ignore", invalid="ignore"):
        delta = np.float64(right.mean) - left.mean
        mean = float(left.mean * (left.finite / total) + right.mean * share)
        m2 = float(left.m2 + right.m2 + delta * delta * left.finite * share)
    hashes = distinct.NONE if summary.exact else distinct.smallest(_hashes(left), _hashes(right))
    return Numbers(
        nans=left.nans + right.nans,
        above=left.above + right.above,
        below=left.below + right.below,
        mean=mean,
        m2=m2,
        minimum=min(left.minimum, right.minimum),
        maximum=max(left.maximum, right.maximum),
        distribution=summary,
        hashes=hashes,
    )
