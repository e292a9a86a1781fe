"""The rows in a request or an answer, in every wire format that the servers understand; pure functions."""

from __future__ import annotations

import csv
import json
from io import StringIO
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Rows = list[Any]

_LISTS = ("instances", "predictions", "dataframe_records")


def rows(body: str, content_type: str = "application/json") -> Rows:
    """The rows of a body: dictionaries, lists or single values.

    Raises:
        ValueError: The body is not of its content type.
    """
    return _FORMATS.get(content_type.partition(";")[0].strip().lower(), _json)(body)


def of_value(value: object) -> Rows:
    """The rows of a parsed JSON document: the fields the protocols name, the items of a list, or the value itself."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return [value]
    named = next((value[key] for key in _LISTS if isinstance(value.get(key), list)), None)
    if named is not None:
        return list(named)
    if isinstance(value.get("dataframe_split"), dict):
        return _split(value["dataframe_split"])
    tensors = value.get("inputs", value.get("outputs"))
    return _tensors(tensors) if _are_tensors(tensors) else [value]


def _json(body: str) -> Rows:
    return of_value(json.loads(body))


def _json_lines(body: str) -> Rows:
    return [json.loads(line) for line in body.splitlines() if line.strip()]


def _csv(body: str) -> Rows:
    """Lines of values, a number where it reads as one, an empty cell as null; one cell alone is a value, not a list."""
    lines = [[_cell(cell) for cell in line] for line in csv.reader(StringIO(body)) if line]
    return [line[0] if len(line) == 1 else line for line in lines]


def _cell(cell: str) -> float | str | None:
    text = cell.strip()
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _split(frame: Mapping[str, Any]) -> Rows:
    """Pandas' orient="split", as MLflow's servers take it."""
    data = frame.get("data", [])
    names = frame.get("columns")
    return [dict(zip(names, values, strict=False)) for values in data] if names else list(data)


def _are_tensors(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "data" in item for item in value)


def _tensors(tensors: list[dict[str, Any]]) -> Rows:
    """Open Inference Protocol: one tensor is the rows themselves, several are columns by name."""
    columns = {str(tensor.get("name", number)): _unflattened(tensor) for number, tensor in enumerate(tensors)}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=False)]


def _unflattened(tensor: Mapping[str, Any]) -> Rows:
    """A tensor's data by its first dimension; (n, 1) as plain values."""
    data, shape = list(tensor["data"]), list(tensor.get("shape", []))
    width = prod(shape[1:])
    if width <= 1 or (data and isinstance(data[0], list)):
        return data
    values = iter(data)
    return [list(islice(values, width)) for _ in range(len(data) // width)]


_FORMATS: Mapping[str, Callable[[str], Rows]] = {
    "application/json": _json,
    "application/jsonlines": _json_lines,
    "application/x-jsonlines": _json_lines,
    "application/x-ndjson": _json_lines,
    "text/csv": _csv,
}
