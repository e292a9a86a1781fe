"""Between REST and the messages: JSON with paths and queries in, JSON out, and the words for what cannot be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudml_gcp.double.contract import Binding, Method

SYSTEM = frozenset({"alt", "key", "prettyPrint", "fields", "quotaUser", "access_token", "callback", "uploadType"})
"""Parameters of every Google API, besides those that begin with a dollar."""
_UNKNOWN = re.compile(r'Message type "(?P<type>[\w.]+)" has no field named "(?P<name>[^"]+)" at "(?P<path>[^"]*)"')
_WRONG = re.compile(r"Failed to parse (?P<name>\w+) field: (?P<rest>.*)", re.DOTALL)


def message(method: Method, binding: Binding, names: Sequence[str], query: Any, body: dict[str, Any] | None) -> Any:
    """The request that a call of REST is.

    Args:
        names: The values of the binding's names, in their order.
        query: Pairs of name and value.

    Raises:
        Refused: A field is unknown, or has a value of another kind.
    """
    found = method.request()
    if body is not None and binding.body == "*":
        _parse(body, found, "")
    elif body is not None and binding.body:
        inner = getattr(found, binding.body)
        _parse(body, inner, binding.body)
        inner.SetInParent()
    for name, value in query:
        if not name.startswith("$") and name not in SYSTEM:
            _set(found, name, value)
    for name, value in zip(binding.names, names, strict=True):
        _set(found, name, value)
    return found


def _parse(value: dict[str, Any], into: Any, path: str) -> None:
    from google.protobuf import json_format

    try:
        json_format.ParseDict(value, into)
    except json_format.ParseError as error:
        raise _refusal(str(error), path) from error


def _refusal(text: str, path: str) -> Refused:
    """What the service says of a body that it cannot read."""
    if unknown := _UNKNOWN.search(text):
        inner = unknown["path"].partition(".")[2]
        where = ".".join(part for part in (path, _snake(inner)) if part)
        placed = f" at '{where}'" if where else ""
        words = f'Invalid JSON payload received. Unknown name "{unknown["name"]}"{placed}: Cannot find field.'
        return Refused("INVALID_ARGUMENT", words, [(where, words)])
    if wrong := _WRONG.search(text):
        where = ".".join(part for part in (path, _snake(wrong["name"])) if part)
        words = f"Invalid value at '{where}', {wrong['rest'].rstrip('.')}"
        return Refused("INVALID_ARGUMENT", words, [(where, words)])
    return Refused("INVALID_ARGUMENT", f"Invalid JSON payload received. {text}")


def _snake(path: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path).lower()


def _set(message: Any, path: str, value: str) -> None:
    """Set a field that stands in the query or the path."""
    from google.protobuf import json_format

    *outer, last = path.split(".")
    for part in outer:
        message = getattr(message, _field(message, part, path).name)
    field = _field(message, last, path)
    given: Any = [value] if field.is_repeated else value
    if field.type == field.TYPE_BOOL:
        given = value.lower() == "true"
    elif field.enum_type and value.lstrip("-").isdigit():
        given = int(value)
    try:
        json_format.ParseDict({field.json_name: given}, message)
    except json_format.ParseError as error:
        words = f"Invalid value at '{path}' (TYPE_{type(given).__name__.upper()}), \"{value}\""
        raise Refused("INVALID_ARGUMENT", words, [(path, words)]) from error


def _field(message: Any, name: str, path: str) -> Any:
    fields = message.DESCRIPTOR.fields
    found = next((one for one in fields if name in {one.name, one.json_name}), None)
    if found is None:
        words = (
            f'Invalid JSON payload received. Unknown name "{path}": Cannot bind query parameter. '
            f"Field '{path}' could not be found in request message."
        )
        raise Refused("INVALID_ARGUMENT", words, [("", words)])
    return found


def shown(message: Any, query: Any = ()) -> dict[str, Any]:
    """A message as JSON; with numbers for enums if the query asks for them, as the official clients do."""
    from google.protobuf import json_format

    numbers = any(name == "$alt" and "enum-encoding=int" in value for name, value in query)
    found: dict[str, Any] = json_format.MessageToDict(message, use_integers_for_enums=numbers)
    return found
