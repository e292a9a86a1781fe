"""What the contract says of fields: required, output only, immutable; and requests held against it."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import stubs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OURS = "google.cloud.aiplatform."
REQUIRED, OUTPUT_ONLY, IMMUTABLE = "Required", "Output only", "Immutable"
_WORD = re.compile(r"(Required|Optional|Output only|Input only|Immutable|Identifier)\.\s*")
_FIELD = re.compile(r"^    (?P<name>\w+) \([^)]*\):$(?P<text>(?:\n(?:        .*)?)*)", re.MULTILINE)


@cache
def fields(descriptor: Any) -> Mapping[str, frozenset[str]]:
    """Field of a message -> the words with which its docstring begins."""
    if not descriptor.full_name.startswith(OURS):
        return {}
    kind: Any = stubs.module(descriptor.file.name.removesuffix(".proto").replace("/", "."))
    for part in descriptor.full_name.removeprefix(descriptor.file.package + ".").split("."):
        kind = getattr(kind, part)
    text = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    return {found["name"].rstrip("_"): _words(found["text"]) for found in _FIELD.finditer(text)}


def _words(text: str) -> frozenset[str]:
    rest, found = " ".join(text.split()), set()
    while word := _WORD.match(rest):
        found.add(word[1])
        rest = rest[word.end() :]
    return frozenset(found)


def says(field: Any, word: str) -> bool:
    """Whether the contract says that of a field."""
    return word in fields(field.containing_type).get(field.name.rstrip("_"), ())


def missing(message: Any, path: str = "", *, deep: bool = True) -> Iterator[str]:
    """The paths of required fields that are not set; numbers cannot be told from absent ones.

    Args:
        deep: Also in messages within the message; not for an update, where a mask says what counts.
    """
    for field in message.DESCRIPTOR.fields:
        here = f"{path}.{field.name}" if path else field.name
        if says(field, REQUIRED) and not says(field, OUTPUT_ONLY) and _absent(message, field):
            yield here
        elif deep:
            for index, inner in inside(message, field):
                yield from missing(inner, here if index is None else f"{here}[{index}]")


def _absent(message: Any, field: Any) -> bool:
    value = getattr(message, field.name)
    if field.is_repeated:
        return len(value) == 0
    if field.message_type or field.has_presence:
        return not message.HasField(field.name)
    return bool(field.type in {field.TYPE_STRING, field.TYPE_BYTES, field.TYPE_ENUM} and not value)


def inside(message: Any, field: Any) -> Iterator[tuple[int | None, Any]]:
    """The messages of Vertex AI in a field: with their index in a list, None alone."""
    if field.message_type is None or not field.message_type.full_name.startswith(OURS):
        return
    if field.message_type.GetOptions().map_entry:
        return
    if field.is_repeated:
        yield from enumerate(getattr(message, field.name))
    elif message.HasField(field.name):
        yield None, getattr(message, field.name)


def clear_output_only(message: Any) -> None:
    """Forget what only the service may say."""
    for field in message.DESCRIPTOR.fields:
        if says(field, OUTPUT_ONLY):
            message.ClearField(field.name)
        else:
            for _, inner in inside(message, field):
                clear_output_only(inner)
