"""Bodies of requests and answers: a table of content types, and what each one means.

    application/json         {"instances": [...], "parameters": {...}}   answered by {"predictions": [...]}
                             [...], a bare list of instances             answered by a bare list
                             {"dataframe_split" | "dataframe_records" | "inputs": ..., "params": {...}}, as MLflow takes
                             {"inputs": [{"name", "shape", "datatype", "data"}]}, the Open Inference Protocol v2
    application/jsonlines    an instance a line                          answered by a prediction a line
    text/csv                 an instance a line (`table.py`)             answered by a line for each prediction

The answer comes as Accept wants it; without a wish, as the request came. What is written is JSON of RFC 8259: a number
that is no number or not finite becomes null.
"""

from __future__ import annotations

import json
import math
import sys
from codecs import BOM_UTF8
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from cloudml.runtime import table, tensors
from cloudml.runtime.refusal import BadRequest, NotAcceptable, UnknownContentType

JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
Facts = Mapping[str, Any]
NOTHING: Facts = MappingProxyType({})


class Request(NamedTuple):
    """A request, decoded.

    Attributes:
        instances: The rows.
        parameters: What the caller says besides; None when nothing.
        kind: The content type that it came in, one of the three that there are.
        shape: How JSON answers are wrapped: "object", "list" or "tensors".
        facts: What a tensor request says about its answer.
    """

    instances: List[Any]
    parameters: Optional[Dict[str, Any]] = None
    kind: str = JSON
    shape: str = "object"
    facts: Facts = NOTHING


class Encoded(NamedTuple):
    """A body and its content type."""

    body: bytes
    content_type: str


def decode(body: bytes, content_type: Optional[str] = None, names: Sequence[str] = ()) -> Request:
    """The request in a body.

    Args:
        body: As it came.
        content_type: The header; JSON when there is none.
        names: The model's own column names, by which the header of a CSV is known.

    Raises:
        BadRequest: The body is not what its content type says; the row and field at fault are named.
        UnknownContentType: Nobody here reads that content type.
    """
    kind, said = parsed_type(content_type or JSON)
    known = KINDS.get(kind)
    if known is None:
        raise UnknownContentType(f"cannot read `{kind}`; send one of: {KNOWN}")
    text = _text(body)
    if known == CSV:
        return Request(table.read(text, said.get("header"), names), kind=CSV)
    return DECODERS[known](text)


def encode(predictions: Sequence[Any], accept: Optional[str], request: Request) -> Encoded:
    """The answer to *request*, in the way that *accept* wants.

    Raises:
        NotAcceptable: None of the wanted content types can be written, or not with these predictions.
    """
    kind = accepted(accept, request.kind)
    if kind == JSON:
        return Encoded(dumps(SHAPES[request.shape](predictions, request.facts)), JSON)
    if kind == LINES:
        return Encoded(b"".join(dumps(value) + b"\n" for value in predictions), LINES)
    return Encoded(table.write([plain(value) for value in predictions]).encode("utf-8"), "text/csv; charset=utf-8")


@lru_cache(maxsize=256)
def accepted(accept: Optional[str], otherwise: str) -> str:
    """The content type to answer in: the first that *accept* ranks highest, *otherwise* where it does not care.

    Raises:
        NotAcceptable: It wants others only.
    """
    for wanted in _ranked(accept or "*/*"):
        if wanted == "*/*" or (wanted.endswith("/*") and otherwise.startswith(wanted[:-1])):
            return otherwise
        if wanted in KINDS:
            return KINDS[wanted]
        if wanted in RANGES:
            return RANGES[wanted]
    raise NotAcceptable(f"cannot answer in `{accept}`; accept one of: {KNOWN}")


@lru_cache(maxsize=256)
def parsed_type(header: str) -> Tuple[str, Mapping[str, str]]:
    """A content type in lower case, and its parameters: ``text/csv``, ``{"header": "present"}``."""
    kind, *rest = header.split(";")
    pairs = (part.partition("=") for part in rest if "=" in part)
    return kind.strip().lower(), {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}


def dumps(value: Any) -> bytes:
    """JSON of RFC 8259, in ASCII."""
    return written(value).encode("ascii")


def written(value: Any) -> str:
    """The same before it is bytes."""
    try:
        return _write(value)
    except (TypeError, ValueError):  # not plain, or not finite: the slow way
        return _write(plain(value))


def plain(value: Any) -> Any:
    """The same in the types of JSON: arrays and frames of others become lists, what is no finite number null.

    Raises:
        TypeError: It has no form in JSON.
    """
    if value is None or value is True or value is False:
        return value
    convert = next((convert for kinds, convert in CONVERSIONS if isinstance(value, kinds)), _foreign)
    return convert(value)


def loads(text: str) -> Any:
    """The value in a JSON text.

    Raises:
        BadRequest: It is not JSON of RFC 8259.
    """
    try:
        return _read(text)
    except RecursionError as error:
        raise BadRequest("the body is nested too deeply") from error
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise BadRequest(message) from error
    except BadRequest:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise BadRequest(f"not JSON that can be read: {error}") from error


def predictions(body: bytes, content_type: Optional[str]) -> List[Any]:
    """The predictions in an answer, however it is wrapped: what foreign code gives back.

    Raises:
        BadRequest: It is none of the known content types.
    """
    kind = KINDS.get(parsed_type(content_type or JSON)[0])
    if kind == CSV:
        rows = table.read(_text(body), "absent", ())
        return [row[0] if len(row) == 1 else row for row in rows]
    if kind == LINES:
        return _lines(_text(body)).instances
    value = loads(_text(body))
    if isinstance(value, str):  # a script that has written JSON by itself, wrapped once more by its server
        value = loads(value)
    if isinstance(value, Mapping) and isinstance(value.get("predictions"), list):
        value = value["predictions"]
    return value if isinstance(value, list) else [value]


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig" if body.startswith(BOM_UTF8) else "utf-8")  # the first is written in Python
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: byte {error.start} of it cannot be read") from error


def _json(text: str) -> Request:
    value = loads(text)
    if isinstance(value, list):
        return Request(value, shape="list")
    if not isinstance(value, dict):
        raise BadRequest(f"expected an object or a list, found {_name_of(value)}")
    for key, read in WRAPPINGS.items():
        if key in value:
            return read(value)
    found = ", ".join(f"`{key}`" for key in value) or "no key"
    raise BadRequest(f"expected `instances`, found {found}")


def _lines(text: str) -> Request:
    rows: List[Any] = []
    for line in text.split("\n"):  # not splitlines: JSON text may hold the other separators
        if line.strip():
            try:
                rows.append(loads(line))
            except BadRequest as error:
                raise BadRequest(error.message, row=len(rows)) from error
    return Request(rows, kind=LINES)


def _instances(value: Mapping[str, Any]) -> Request:
    _only(value, {"instances", "parameters"})
    return Request(_list(value, "instances"), _parameters(value, "parameters"))


def _records(value: Mapping[str, Any]) -> Request:
    _only(value, {"dataframe_records", "params"})
    return Request(_list(value, "dataframe_records"), _parameters(value, "params"))


def _split(value: Mapping[str, Any]) -> Request:
    _only(value, {"dataframe_split", "params"})
    frame = value["dataframe_split"]
    if not isinstance(frame, Mapping):
        raise BadRequest("`dataframe_split` must be an object", field="dataframe_split")
    rows, columns = _list(frame, "data"), frame.get("columns")
    if columns is not None and not isinstance(columns, list):
        raise BadRequest("`columns` must be a list", field="columns")
    for index, row in enumerate(rows):
        if not isinstance(row, list) or (columns is not None and len(row) != len(columns)):
            raise BadRequest(f"expected a list of {len(columns or ())} values", row=index, field="data")
    named = rows if columns is None else [dict(zip(map(str, columns), row)) for row in rows]  # noqa: B905  Python 3.8 has no strict=
    return Request(named, _parameters(value, "params"))


def _inputs(value: Mapping[str, Any]) -> Request:
    found = value["inputs"]
    if isinstance(found, list) and found and all(isinstance(one, dict) and "datatype" in one for one in found):
        instances, facts = tensors.read(value)
        return Request(instances, _parameters(facts, "parameters"), shape="tensors", facts=facts)
    _only(value, {"inputs", "params"})
    if isinstance(found, dict):
        return Request(tensors.rows_of(found), _parameters(value, "params"))
    return Request(_list(value, "inputs"), _parameters(value, "params"))


def _only(value: Mapping[str, Any], known: "set[str]") -> None:
    for key in value:
        if key not in known:
            allowed = ", ".join("`%s`" % name for name in sorted(known))
            raise BadRequest(f"unknown key `{key}` beside {allowed}", field=key)


def _list(value: Mapping[str, Any], key: str) -> List[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise BadRequest(f"`{key}` must be a list, found {_name_of(found)}", field=key)
    return found


def _parameters(value: Mapping[str, Any], key: str) -> Optional[Dict[str, Any]]:
    found = value.get(key)
    if found is None or isinstance(found, dict):
        return found or None
    raise BadRequest(f"`{key}` must be an object, found {_name_of(found)}", field=key)


def _ranked(accept: str) -> List[str]:
    """The content types in an Accept header, the most wanted first; those with weight 0 are left out."""
    ranked = []
    for part in accept.split(","):
        kind, said = parsed_type(part)
        try:
            weight = float(said.get("q", "1"))
        except ValueError:
            weight = 1.0
        if kind and weight > 0:
            ranked.append((weight, kind))
    return [kind for _, kind in sorted(ranked, key=lambda pair: -pair[0])]


def _no_constant(name: str) -> Any:
    raise BadRequest(f"not JSON: `{name}` is no JSON number; send null")


def _name_of(value: Any) -> str:
    return NAMES.get(type(value), type(value).__name__)


def _foreign(value: Any) -> Any:
    """Arrays, numbers of arrays, frames: by the method that they share."""
    for method, arguments in (("to_dict", ("records",)), ("tolist", ()), ("item", ()), ("isoformat", ())):
        convert: Optional[Callable[..., Any]] = getattr(value, method, None)
        if callable(convert):
            try:
                found = convert(*arguments)
            except TypeError:  # a Series' to_dict takes a class instead
                continue
            return found if isinstance(found, str) or _holds_numbers(value) else plain(found)
    raise TypeError(f"a prediction of type {type(value).__name__} cannot be written as JSON")


def _holds_numbers(value: Any) -> bool:
    """Whether it is an array of numpy whose `tolist` gives nothing but finite numbers and truth values."""
    if type(value).__module__ != "numpy" or value.dtype.itemsize > _LARGEST_NUMBER:
        return False
    kind = value.dtype.kind
    return kind in "biu" or (kind == "f" and bool(sys.modules["numpy"].isfinite(value).all()))


def _as_object(predictions: Sequence[Any], facts: Facts) -> Any:
    del facts
    return {"predictions": predictions}


def _as_list(predictions: Sequence[Any], facts: Facts) -> Any:
    del facts
    return predictions


def _as_tensors(predictions: Sequence[Any], facts: Facts) -> Any:
    return tensors.write([plain(value) for value in predictions], facts)


_write = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_read = json.JSONDecoder(parse_constant=_no_constant).decode
"""Made once: `json.dumps` and `json.loads` make a new one for every call that says how."""
_LARGEST_NUMBER = 8
"""Bytes of the largest number of numpy that is one of Python's too."""
CONVERSIONS: Sequence[Tuple[Any, Callable[[Any], Any]]] = (
    (str, str),
    (int, int),
    (float, lambda value: float(value) if math.isfinite(value) else None),
    (Mapping, lambda value: {str(plain(key)): plain(item) for key, item in value.items()}),
    ((list, tuple), lambda value: [plain(item) for item in value]),
    ((bytes, bytearray), lambda value: bytes(value).decode("utf-8", "replace")),
)
"""How values become plain, by type; subclasses too (a number of numpy is a float)."""
KINDS: Mapping[str, str] = {
    JSON: JSON,
    "text/json": JSON,
    "application/x-www-form-urlencoded": JSON,  # what curl says of any body, when it is told nothing
    LINES: LINES,
    "application/x-jsonlines": LINES,
    "application/jsonl": LINES,
    "application/x-ndjson": LINES,
    CSV: CSV,
    "application/csv": CSV,
}
"""Content types that are understood, and the one whose rules hold."""
KNOWN = f"{JSON}, {LINES}, {CSV}"
RANGES: Mapping[str, str] = {"application/*": JSON, "text/*": CSV}
DECODERS: Mapping[str, Callable[[str], Request]] = {JSON: _json, LINES: _lines}
WRAPPINGS: Mapping[str, Callable[[Mapping[str, Any]], Request]] = {
    "instances": _instances,
    "dataframe_split": _split,
    "dataframe_records": _records,
    "inputs": _inputs,
}
SHAPES: Mapping[str, Callable[[Sequence[Any], Facts], Any]] = {
    "object": _as_object,
    "list": _as_list,
    "tensors": _as_tensors,
}
NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "nothing",
}
