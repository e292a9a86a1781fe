"""Holding a request against the vendor's own service model, before it is sent.

botocore itself looks at names, types and least lengths only. The model also has patterns, enums and largest values,
which the service refuses; this file asks all of it. Pure: the model is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml.plan import Call

TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "structure": ((Mapping,), "an object"),
    "map": ((Mapping,), "an object"),
    "list": ((list, tuple), "a list"),
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "long": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "blob": ((bytes, bytearray, str), "bytes"),
}
SHOWN = 80


def check(call: Call, model: Any) -> None:
    """Refuse a request that the service would refuse.

    Raises:
        SpecError: With every problem, and where in the request it stands.
    """
    found = tuple(problems(model, call.operation.partition(":")[2], call.body))
    if found:
        raise SpecError(
            f"{call.operation} cannot be sent: {'; '.join(found)}",
            path=call.operation,
            hint="nothing was sent; look at `cloudml plan --requests`",
        )


def problems(model: Any, operation: str, body: Mapping[str, Any]) -> Iterator[str]:
    """What the service would refuse in the request of *operation*; nothing when it is good."""
    shape = model.operation_model(operation).input_shape
    return iter(()) if shape is None else _problems(shape, body, "")


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    kinds, words = TYPES.get(shape.type_name, ((object,), ""))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and object not in kinds):
        yield f"`{path or 'the request'}` is {_shown(value)}, and must be {words}"
        return
    if reason := _outside(shape, value):
        yield f"`{path}` is {_shown(value)}, and must {reason}"
    yield from INSIDE.get(shape.type_name, _nothing)(shape, value, path)


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"`{_at(path, name)}` is missing"
    for name, inner in value.items():
        if name in shape.members:
            yield from _problems(shape.members[name], inner, _at(path, name))
        else:
            guess = nearest(name, tuple(shape.members))
            yield f"`{_at(path, name)}` is unknown" + (f"; is `{guess}` meant?" if guess else "")


def _list(shape: Any, value: Sequence[Any], path: str) -> Iterator[str]:
    for index, inner in enumerate(value):
        yield from _problems(shape.member, inner, f"{path}[{index}]")


def _map(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, inner in value.items():
        yield from _problems(shape.key, name, _at(path, name))
        yield from _problems(shape.value, inner, _at(path, name))


def _nothing(shape: Any, value: Any, path: str) -> Iterator[str]:
    del shape, value, path
    return iter(())


INSIDE: Mapping[str, Callable[[Any, Any, str], Iterator[str]]] = {"structure": _structure, "list": _list, "map": _map}


def _outside(shape: Any, value: Any) -> str:
    """Which bound of the model *value* is beyond; empty when it is within all."""
    bounds: Mapping[str, Any] = shape.metadata
    if bounds.get("enum") and value not in bounds["enum"]:
        guess = nearest(str(value), tuple(bounds["enum"]))
        return f"be one of {len(bounds['enum'])} values" + (f"; is `{guess}` meant?" if guess else _few(bounds["enum"]))
    if reason := _beyond(bounds, value):
        return reason
    if isinstance(value, str) and "pattern" in bounds and not compiled(bounds["pattern"]).fullmatch(value):
        return f"match the pattern {bounds['pattern']}"
    return ""


def _beyond(bounds: Mapping[str, Any], value: Any) -> str:
    """Whether a number, or the length of anything else, is too small or too large."""
    number = isinstance(value, int | float)
    size = value if number or not hasattr(value, "__len__") else len(value)
    what = "be" if number else "have a length of"
    if "min" in bounds and size < bounds["min"]:
        return f"{what} at least {bounds['min']}"
    if "max" in bounds and size > bounds["max"]:
        return f"{what} at most {bounds['max']}"
    return ""


def _few(values: Sequence[str]) -> str:
    return f": {', '.join(values)}" if len(values) <= 12 else ""  # noqa: PLR2004  what a line can hold


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    r"""A pattern of the model. They are Java's: classes such as ``\p{L}`` need the package `regex`.

    One that cannot be read here lets everything pass, as the service will say.
    """
    import regex

    try:
        found: re.Pattern[str] = regex.compile(pattern.replace(r"\z", r"\Z"))
    except regex.error:
        return re.compile(r"[\s\S]*")
    return found


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
