"""What a column holds, and how values are read as a given kind."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Kind(StrEnum):
    """The kinds of a column; the closed set that profiles and metrics speak of."""

    NUMBER = "number"
    TIME = "time"  # seconds since 1970-01-01 UTC; a date is its midnight, a time without a zone is taken as UTC
    BOOLEAN = "boolean"
    CATEGORY = "category"
    OPAQUE = "opaque"  # lists, structures, bytes: only whether there is a value
    EMPTY = "empty"  # no value was seen


NUMERIC = frozenset({Kind.NUMBER, Kind.TIME})
CATEGORICAL = frozenset({Kind.BOOLEAN, Kind.CATEGORY})

_KINDS: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
    (pt.is_null, Kind.EMPTY),
    (pt.is_boolean, Kind.BOOLEAN),
    (pt.is_integer, Kind.NUMBER),
    (pt.is_floating, Kind.NUMBER),
    (pt.is_decimal, Kind.NUMBER),
    (pt.is_duration, Kind.NUMBER),
    (pt.is_time, Kind.NUMBER),
    (pt.is_timestamp, Kind.TIME),
    (pt.is_date, Kind.TIME),
    (pt.is_string, Kind.CATEGORY),
    (pt.is_large_string, Kind.CATEGORY),
    (pt.is_string_view, Kind.CATEGORY),
)

_NUMBER = r"^\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|[iI]nf(inity)?|[nN]a[nN])\s*$"
_UNITS_PER_SECOND: Mapping[str, float] = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
_BOOLEANS: Mapping[str, bool] = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_EXACT_INTEGERS = 2**53  # every whole number below is a float64


def kind_of(array: pa.Array) -> Kind:
    """The kind of an array by its type; `EMPTY` when it holds no value."""
    return Kind.EMPTY if array.null_count == len(array) else kind_of_type(array.type)


def kind_of_type(type_: pa.DataType) -> Kind:
    return next((kind for matches, kind in _KINDS if matches(type_)), Kind.OPAQUE)


def plain(array: pa.Array) -> pa.Array:
    """Dictionary and extension arrays as the values they stand for."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array.dictionary_decode() if pt.is_dictionary(array.type) else array


def read_as(array: pa.Array, kind: Kind) -> pa.Array:
    """The values as float64, bool or string; null where a value cannot be read so."""
    if kind_of(array) is Kind.EMPTY:
        return pa.nulls(len(array), _TYPES[kind])
    return _READERS[kind](array)


def _number(array: pa.Array) -> pa.Array:
    return _NUMBERS.get(kind_of(array), _unreadable)(array)


def _number_of_numbers(array: pa.Array) -> pa.Array:
    if pt.is_duration(array.type) or pt.is_time(array.type):
        whole = array.cast(pa.int32()) if pt.is_time32(array.type) else array
        return pc.divide(whole.cast(pa.int64()).cast(pa.float64(), safe=False), _UNITS_PER_SECOND[array.type.unit])
    return array.cast(pa.float64(), safe=False)


def _number_of_text(array: pa.Array) -> pa.Array:
    readable = pc.match_substring_regex(array, _NUMBER)
    return pc.utf8_trim_whitespace(pc.if_else(readable, array, None)).cast(pa.float64())


def _time(array: pa.Array) -> pa.Array:
    return _TIMES.get(kind_of(array), _unreadable)(array)


def _time_of_times(array: pa.Array) -> pa.Array:
    if pt.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    return pc.divide(array.cast(pa.int64()).cast(pa.float64(), safe=False), _UNITS_PER_SECOND[array.type.unit])


def _time_of_text(array: pa.Array) -> pa.Array:
    return pa.array([seconds(value) for value in array.to_pylist()], pa.float64())


def seconds(text: str | None) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (the clouds also write a blank and `UTC`); None when it is none."""
    try:
        parsed = datetime.fromisoformat((text or "").strip().replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _boolean(array: pa.Array) -> pa.Array:
    if pt.is_boolean(array.type):
        return array
    return pa.array([_BOOLEANS.get(str(value).strip().lower()) for value in array.to_pylist()], pa.bool_())


def _category(array: pa.Array) -> pa.Array:
    kind = kind_of(array)
    if kind is Kind.OPAQUE:
        return _unreadable(array, pa.string())
    if pt.is_floating(array.type):
        array = _whole(array)
    return array.cast(pa.string())


def _whole(array: pa.Array) -> pa.Array:
    """Floats as integers when all of them are: the category `3` arrives as 3.0 where another column value is null."""
    array = pc.if_else(pc.is_nan(array), None, array)
    small = pc.less(pc.abs(array).cast(pa.float64()), _EXACT_INTEGERS)
    whole = pc.all(pc.and_(pc.equal(pc.floor(array), array), small)).as_py()
    return array.cast(pa.int64()) if whole else array


def _unreadable(array: pa.Array, to: pa.DataType | None = None) -> pa.Array:
    return pa.nulls(len(array), to or pa.float64())


_NUMBERS: Mapping[Kind, Callable[[pa.Array], pa.Array]] = {
    Kind.NUMBER: _number_of_numbers,
    Kind.BOOLEAN: lambda array: array.cast(pa.int8()).cast(pa.float64()),
    Kind.CATEGORY: _number_of_text,
}

_TIMES: Mapping[Kind, Callable[[pa.Array], pa.Array]] = {
    Kind.TIME: _time_of_times,
    Kind.NUMBER: _number_of_numbers,
    Kind.CATEGORY: _time_of_text,
}

_READERS: Mapping[Kind, Callable[[pa.Array], pa.Array]] = {
    Kind.NUMBER: _number,
    Kind.TIME: _time,
    Kind.BOOLEAN: _boolean,
    Kind.CATEGORY: _category,
    Kind.OPAQUE: lambda array: array,
    Kind.EMPTY: lambda array: array,
}

_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.NUMBER: pa.float64(),
    Kind.TIME: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.CATEGORY: pa.string(),
    Kind.OPAQUE: pa.null(),
    Kind.EMPTY: pa.null(),
}
