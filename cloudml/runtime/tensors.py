"""Tensors of the Open Inference Protocol v2, as JSON.

One tensor of two or more dimensions is a batch of rows; several, or one of a single dimension, are the named columns of
a table. Predictions go back as a tensor called `predict`, objects as a tensor for each of their keys.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from cloudml.runtime.refusal import BadRequest

OUTPUT = "predict"


class Datatype(NamedTuple):
    """What a datatype allows: the Python types, and the range of integers."""

    types: Tuple[type, ...]
    low: Optional[int] = None
    high: Optional[int] = None


def _integers(bits: int, *, signed: bool) -> Datatype:
    return Datatype((int,), -(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1)


DATATYPES: Mapping[str, Datatype] = {
    "BOOL": Datatype((bool,)),
    **{"INT%d" % bits: _integers(bits, signed=True) for bits in (8, 16, 32, 64)},
    **{"UINT%d" % bits: _integers(bits, signed=False) for bits in (8, 16, 32, 64)},
    **{"FP%d" % bits: Datatype((int, float, type(None))) for bits in (16, 32, 64)},
    "BYTES": Datatype((str,)),
}
"""Numbers with a point may be null: JSON has no other way to say that one is missing."""


def read(body: Mapping[str, Any]) -> Tuple[List[Any], Dict[str, Any]]:
    """The instances of an inference request, and what its answer has to repeat.

    Raises:
        BadRequest: A tensor is not what its shape and datatype say.
    """
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise BadRequest("`inputs` must be a list of tensors", field="inputs")
    columns: Dict[str, List[Any]] = {}
    shapes = []
    for tensor in inputs:
        name, shape, values = _tensor(tensor)
        if name in columns:
            raise BadRequest(f"two inputs are called `{name}`", field=name)
        columns[name] = nested(values, shape)
        shapes.append(shape)
    facts = {"id": body.get("id"), "parameters": _told(body.get("parameters")), "outputs": _wanted(body)}
    if len(inputs) == 1 and len(shapes[0]) > 1 and not _as_frame(body):
        return next(iter(columns.values())), facts
    return rows_of({name: _narrow(values, shape) for (name, values), shape in zip(columns.items(), shapes)}), facts  # noqa: B905  Python 3.8 has no strict=


def write(predictions: Sequence[Any], facts: Mapping[str, Any]) -> Dict[str, Any]:
    """The inference response.

    Raises:
        BadRequest: The request wants an output that there is not.
    """
    outputs = [_output(name, values) for name, values in _columns(predictions).items()]
    wanted = facts.get("outputs")
    if wanted:
        known = {output["name"]: output for output in outputs}
        for name in wanted:
            if name not in known:
                raise BadRequest(f"there is no output `{name}`; there is: {', '.join(known)}", field=name)
        outputs = [known[name] for name in wanted]
    said = {key: facts[key] for key in ("model_name", "model_version", "id") if facts.get(key) is not None}
    return {**said, "outputs": outputs}


def rows_of(columns: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The rows of a table that is given by its columns.

    Raises:
        BadRequest: The columns are not lists of one length.
    """
    length: Optional[int] = None
    for name, values in columns.items():
        if not isinstance(values, list):
            raise BadRequest(f"column `{name}` must be a list", field=name)
        if length is not None and len(values) != length:
            raise BadRequest(f"column `{name}` has {len(values)} values, expected {length}", field=name)
        length = len(values)
    return [dict(zip(columns, row)) for row in zip(*columns.values())]  # noqa: B905  Python 3.8 has no strict=


def nested(values: Sequence[Any], shape: Sequence[int]) -> List[Any]:
    """Values in row-major order as lists of lists."""
    found = list(values)
    for size in reversed(shape[1:]):
        found = [found[start : start + size] for start in range(0, len(found), size)] if size else []
    return found if len(found) == shape[0] else [[] for _ in range(shape[0])]


def flat(value: Any) -> List[Any]:
    """The values of nested lists, in row-major order."""
    level = [value]
    while level and any(isinstance(item, list) for item in level):
        level = [item for one in level for item in (one if isinstance(one, list) else [one])]
    return level


def _tensor(tensor: Any) -> Tuple[str, List[int], List[Any]]:
    """Name, shape and flat values of an input, checked."""
    if not isinstance(tensor, Mapping) or not isinstance(tensor.get("name"), str):
        raise BadRequest("every input needs a `name`, a `shape`, a `datatype` and `data`", field="inputs")
    name, shape, datatype = tensor["name"], tensor.get("shape"), tensor.get("datatype")
    if not isinstance(shape, list) or not shape or any(type(size) is not int or size < 0 for size in shape):
        raise BadRequest("`shape` must be a list of sizes", field=name)
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise BadRequest(f"unknown datatype `{datatype}`; known: {', '.join(DATATYPES)}", field=name)
    if not isinstance(tensor.get("data"), list):
        raise BadRequest("`data` must be a list (binary tensors are not read)", field=name)
    values, count = flat(tensor["data"]), _product(shape)
    if len(values) != count:
        message = f"shape {shape} asks for {count} values, `data` has {len(values)}"
        raise BadRequest(message, field=name)
    _check(values, datatype, count // shape[0] if shape[0] else 1, name)
    return name, shape, values


def _check(values: Sequence[Any], datatype: str, width: int, name: str) -> None:
    types, low, high = DATATYPES[datatype]
    for index, value in enumerate(values):
        allowed = type(value) in types and (low is None or high is None or low <= value <= high)
        if not allowed:
            raise BadRequest(f"not a value of {datatype}", row=index // max(width, 1), field=name)


def _told(parameters: Any) -> Any:
    """The caller's parameters, without the one that is about the encoding."""
    if not isinstance(parameters, Mapping):
        return parameters
    return {key: value for key, value in parameters.items() if key != "content_type"}


def _as_frame(body: Mapping[str, Any]) -> bool:
    parameters = body.get("parameters")
    return isinstance(parameters, Mapping) and parameters.get("content_type") == "pd"


def _wanted(body: Mapping[str, Any]) -> List[str]:
    outputs = body.get("outputs") or []
    if not isinstance(outputs, list) or not all(isinstance(one, Mapping) and "name" in one for one in outputs):
        raise BadRequest("`outputs` must be a list of objects with a `name`", field="outputs")
    return [str(one["name"]) for one in outputs]


def _narrow(values: List[Any], shape: Sequence[int]) -> List[Any]:
    """A column: of a tensor (n, 1) the values themselves."""
    return [row[0] for row in values] if list(shape[1:]) == [1] else values


def _columns(predictions: Sequence[Any]) -> Dict[str, List[Any]]:
    first = predictions[0] if predictions else None
    if isinstance(first, dict) and all(isinstance(row, dict) and row.keys() == first.keys() for row in predictions):
        return {name: [row[name] for row in predictions] for name in first}
    return {OUTPUT: list(predictions)}


def _output(name: str, rows: List[Any]) -> Dict[str, Any]:
    shape = _shape(rows)
    values = rows if shape is None else flat(rows)
    datatype = _datatype(values)
    if shape is None or datatype is None:
        texts = [json.dumps(row, separators=(",", ":")) for row in rows]
        parameters = {"content_type": "application/json"}
        return {"name": name, "shape": [len(rows)], "datatype": "BYTES", "data": texts, "parameters": parameters}
    return {"name": name, "shape": shape, "datatype": datatype, "data": values}


def _shape(value: Any) -> Optional[List[int]]:
    """The shape of nested lists; None when they are not rectangular."""
    if not isinstance(value, list):
        return []
    inner = [_shape(item) for item in value]
    if not inner:
        return [0]
    first = inner[0]
    return [len(value), *first] if first is not None and all(one == first for one in inner) else None


def _datatype(values: Sequence[Any]) -> Optional[str]:
    kinds = {type(value) for value in values}
    return next((name for name, fits in ANSWERS if fits(kinds)), None)


def _product(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


ANSWERS: Sequence[Tuple[str, Callable[[Any], bool]]] = (
    ("FP64", lambda kinds: not kinds),
    ("BOOL", lambda kinds: kinds == {bool}),
    ("INT64", lambda kinds: kinds == {int}),
    ("FP64", lambda kinds: kinds <= {int, float, type(None)}),
    ("BYTES", lambda kinds: kinds == {str}),
)
"""The datatype of an output, by the Python types in it."""
