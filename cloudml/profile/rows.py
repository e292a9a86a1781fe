"""Rows of JSON as columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def batch(rows: Sequence[Any], name: Callable[[Any], Mapping[str, Any]]) -> pa.RecordBatch:
    """One record batch; *name* gives a row's values their column names."""
    named = [row if isinstance(row, dict) else name(row) for row in rows]
    names = dict.fromkeys(key for row in named for key in row)
    columns = {_text(key): array([row.get(key) for row in named]) for key in names}
    if not columns:  # a batch without columns has no length of its own
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(named), pa.struct([])))
    return pa.record_batch(columns)


def instance_names(columns: Sequence[str] | None) -> Callable[[Any], Mapping[str, Any]]:
    """Names for rows that are lists: *columns* where their number is right, else c0, c1, ..."""
    known = list(columns or ())

    def name(row: object) -> Mapping[str, Any]:
        values = row if isinstance(row, list) else [row]
        names = known if len(known) == len(values) else [f"c{number}" for number in range(len(values))]
        return dict(zip(names, values, strict=True))

    return name


def prediction_names(row: object) -> Mapping[str, Any]:
    """`prediction` for one value, prediction_0, prediction_1, ... for a list of them."""
    if isinstance(row, list):
        return {f"prediction_{number}": value for number, value in enumerate(row)}
    return {"prediction": row}


def array(values: list[Any]) -> pa.Array:
    """An Arrow array of JSON values; where their types are mixed, of numbers if they can be, else of text."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, TypeError, ValueError):
        return _mixed(values)


def _mixed(values: list[Any]) -> pa.Array:
    if all(isinstance(value, int | float | None) for value in values):
        return pa.array([None if value is None else _float(value) for value in values], pa.float64())
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _float(value: float) -> float:
    """The nearest float; a whole number beyond all floats is infinite."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace").decode()
