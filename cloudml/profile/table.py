"""The profile of a table: its columns; building, merging, saving."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from cloudml.errors import SpecError
from cloudml.profile import columns, tally
from cloudml.profile.columns import Column, Numbers
from cloudml.profile.counting import ColumnCounter
from cloudml.profile.distribution import Distribution
from cloudml.profile.kinds import NUMERIC, Kind
from cloudml.profile.tally import Tally
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pyarrow as pa

FORMAT = "cloudml-profile/1"


@dataclass(frozen=True, slots=True)
class Profile:
    """How many rows, and the profile of each column, in the order in which they were first seen."""

    rows: int = 0
    columns: Mapping[str, Column] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column that has one."""
        return {name: column.kind for name, column in self.columns.items() if column.kind is not Kind.EMPTY}

    def only(self, names: Iterable[str]) -> Profile:
        """The same with the named columns alone, as far as it has them."""
        return Profile(self.rows, {name: self.columns[name] for name in names if name in self.columns})

    def renamed(self, old: str, new: str) -> Profile:
        return Profile(self.rows, {new if name == old else name: column for name, column in self.columns.items()})

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rows": self.rows,
            "columns": {name: _column_json(column) for name, column in self.columns.items()},
        }

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.as_json(), allow_nan=False, ensure_ascii=False), encoding="utf-8")


def of_batches(batches: Iterable[pa.RecordBatch], like: Profile | None = None) -> Profile:
    """The profile of a stream; memory does not grow with its rows.

    A column is read as the kind it has in *like*, else as the kind of its first value; a later value that cannot be
    read so is counted as invalid.
    """
    return stream(batches, like.kinds if like else {})


def stream(batches: Iterable[pa.RecordBatch], kinds: Mapping[str, Kind]) -> Profile:
    """The profile of a stream whose columns have these *kinds*, as far as they are known."""
    counter = Counter(kinds)
    for batch in batches:
        counter.add(batch)
    return counter.profile()


class Counter:
    """A table counted while its batches pass.

    Args:
        kinds: As what its columns are read, as far as it is known.
    """

    __slots__ = ("_columns", "_kinds", "_rows")

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds, self._rows = kinds, 0
        self._columns: dict[str, ColumnCounter] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of one batch."""
        arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name in arrays:
            if name not in self._columns:
                self._columns[name] = ColumnCounter(self._kinds.get(name))
                self._columns[name].lack(self._rows)
        for name, counter in self._columns.items():
            if name in arrays:
                counter.add(arrays[name])
            else:
                counter.lack(batch.num_rows)
        self._rows += batch.num_rows

    def profile(self) -> Profile:
        """The profile of what was counted."""
        return Profile(self._rows, {name: counter.column() for name, counter in self._columns.items()})


def of_batch(batch: pa.RecordBatch, kinds: Mapping[str, Kind] = MappingProxyType({})) -> Profile:
    """The profile of one batch; *kinds* as far as they are known."""
    pairs = zip(batch.schema.names, batch.columns, strict=True)
    return Profile(batch.num_rows, {name: columns.of_array(array, kinds.get(name)) for name, array in pairs})


def merge(left: Profile, right: Profile) -> Profile:
    """The profile of both parts; a column that one of them lacks has no value there.

    Raises:
        SpecError: A column is of different kinds in the two.
    """
    names = dict.fromkeys([*left.columns, *right.columns])
    return Profile(
        left.rows + right.rows, {name: columns.merge(_of(left, name), _of(right, name), name) for name in names}
    )


def _of(profile: Profile, name: str) -> Column:
    return profile.columns.get(name) or columns.empty(profile.rows)


def load(path: Path) -> Profile:
    """A saved profile.

    Raises:
        SpecError: Not a profile, or of a format that this version does not know.
    """
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as exc:
        raise SpecError(f"`{path}` is not a profile: {exc}", hint="write it again with Profile.save") from exc


def from_json(document: Mapping[str, Any]) -> Profile:
    """What `Profile.as_json` gave.

    Raises:
        SpecError: The format is another.
    """
    if document.get("format") != FORMAT:
        raise SpecError(
            f"a profile of format {document.get('format')!r} cannot be read; this version reads {FORMAT!r}",
            hint="profile the baseline again",
        )
    return Profile(document["rows"], {name: _column(body) for name, body in document["columns"].items()})


def _column_json(column: Column) -> dict[str, Any]:
    body = {"kind": str(column.kind), "rows": column.rows, "nulls": column.nulls, "invalid": column.invalid}
    numbers = {"numbers": _numbers_json(column.numbers)} if column.kind in NUMERIC else {}
    counted = {"categories": _tally_json(column.tally)} if column.tally.total else {}
    return body | numbers | counted


def _numbers_json(numbers: Numbers) -> dict[str, Any]:
    return {
        "nans": numbers.nans,
        "above": numbers.above,
        "below": numbers.below,
        "mean": _finite(numbers.mean),
        "m2": _finite(numbers.m2),
        "minimum": _finite(numbers.minimum),
        "maximum": _finite(numbers.maximum),
        "distinct": numbers.distinct,
        "exact": numbers.distribution.exact,
        "values": _packed(numbers.distribution.values, "<f8"),
        "weights": _packed(numbers.distribution.weights, "<i8"),
        "hashes": _packed(numbers.hashes, "<u8"),
    }


def _tally_json(counted: Tally) -> dict[str, Any]:
    return {
        "counts": dict(counted.counts),
        "total": counted.total,
        "slack": counted.slack,
        "distinct": counted.distinct,
        "hashes": _packed(counted.hashes, "<u8"),
    }


def _column(body: Mapping[str, Any]) -> Column:
    return Column(
        kind=Kind(body["kind"]),
        rows=body["rows"],
        nulls=body["nulls"],
        invalid=body["invalid"],
        numbers=_numbers(body["numbers"]) if "numbers" in body else Numbers(),
        tally=_tally(body["categories"]) if "categories" in body else tally.EMPTY,
    )


def _numbers(body: Mapping[str, Any]) -> Numbers:
    return Numbers(
        nans=body["nans"],
        above=body["above"],
        below=body["below"],
        mean=_number(body["mean"], float("nan")),
        m2=_number(body["m2"], float("nan")),
        minimum=_number(body["minimum"], float("inf")),
        maximum=_number(body["maximum"], float("-inf")),
        distribution=Distribution(_unpacked(body["values"], "<f8"), _unpacked(body["weights"], "<i8"), body["exact"]),
        hashes=_unpacked(body["hashes"], "<u8"),
    )


def _tally(body: Mapping[str, Any]) -> Tally:
    return Tally(body["counts"], body["total"], body["slack"], _unpacked(body["hashes"], "<u8"))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _number(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _packed(array: np.ndarray[Any, Any], dtype: str) -> str:
    """Little-endian, deflated, base64: a few thousand numbers in a few kilobytes, bit for bit."""
    return b64encode(zlib.compress(array.astype(dtype).tobytes())).decode()


def _unpacked(text: str, dtype: str) -> np.ndarray[Any, Any]:
    array = np.frombuffer(zlib.decompress(b64decode(text)), dtype=dtype)
    return array.astype(array.dtype.newbyteorder("="))
