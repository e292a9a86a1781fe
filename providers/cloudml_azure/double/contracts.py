"""Holding a body against the contract, as the service does, and writing its enums in the service's own case.

The contract is `cloudml_azure/facts/contract.json`: the typed wire models of the official SDK at one api-version.
Bodies of that version are refused where they differ; those of any other only get the case of their enums, where it is
known.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudml_azure
from cloudml_azure.double.refusals import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[["Reading", Mapping[str, Any], Any, str], Any]

DURATION = re.compile(r"P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a text"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "duration": ((str,), "an ISO 8601 duration"),
    "datetime": ((str,), "an ISO 8601 time"),
    "object": ((dict,), "an object"),
    "map": ((dict,), "an object"),
    "list": ((list,), "a list"),
    "enum": ((str,), "a text"),
    "constant": ((str,), "a text"),
}


@cache
def contract() -> dict[str, Any]:
    """The vendored contract."""
    file = Path(cloudml_azure.__file__).parent / "facts" / "contract.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def checked(root: str, body: Any, *, strict: bool) -> Any:
    """A copy of the body with its enums in the service's case.

    Raises:
        Refused: It is *strict*, and the contract does not allow the body.
    """
    reading = Reading()
    found = reading.object({"of": contract()["roots"][root]}, json.loads(json.dumps(body)), "")
    if strict and reading.problems:
        raise invalid(reading.problems)
    return found


def check_name(root: str, name: str) -> None:
    """Refuse a name that no resource of that kind can have.

    Raises:
        Refused: It does not match.
    """
    rule = contract()["names"].get(root)
    if rule is None:
        return
    long_enough = rule.get("min_length", 1) <= len(name) <= rule["max_length"]
    if not long_enough or not re.match(rule["pattern"], name) or (root.startswith("online") and "--" in name):
        raise Refused(
            "ValidationError",
            f"The name '{name}' is invalid: it must have {rule.get('min_length', 1)} to {rule['max_length']} "
            f"characters and match {rule['pattern']}.",
        )


class Reading:
    """One walk through a body.

    Attributes:
        problems: Sentences, each with the path that it is about between backquotes.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def value(self, field: Mapping[str, Any], value: Any, path: str) -> Any:
        """A copy of a value; what is wrong with it is written down."""
        kinds, words = TYPES.get(field["type"], ((object,), ""))
        if value is None or field["type"] == "any":
            return value
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.problems.append(f"`{path}` must be {words}.")
            return value
        self._bounds(field, value, path)
        inner = INSIDE.get(field["type"])
        return inner(self, field, value, path) if inner else value

    def object(self, field: Mapping[str, Any], value: dict[str, Any], path: str) -> Any:
        described, known = self._kind(field["of"], value, path)
        if not known:
            return value
        properties = described["properties"]
        found = {}
        for name, inner in value.items():
            at = f"{path}.{name}" if path else name
            if name not in properties:
                self.problems.append(f"`{at}` is not known.")
                found[name] = inner
                continue
            if properties[name].get("read_only") and inner is not None:
                self.problems.append(f"`{at}` is read-only.")
            found[name] = self.value(properties[name], inner, at)
        for name, one in properties.items():
            if one.get("required") and value.get(name) is None:
                self.problems.append(f"`{path}.{name}` is required." if path else f"`{name}` is required.")
        return found

    def _kind(self, name: str, value: Mapping[str, Any], path: str) -> tuple[Mapping[str, Any], bool]:
        """The description of the type that the value says it is; false when there is none here."""
        described: Mapping[str, Any] = contract()["types"][name]
        key = described.get("discriminator")
        if key is None:
            return described, True
        said = str(value.get(key, "")).lower()
        kind = next((kind for word, kind in described["kinds"].items() if word.lower() == said), None)
        if kind == name:
            return described, True
        if kind is not None:
            return self._kind(kind, value, path)
        if said not in {one.lower() for one in described.get("others", ())}:
            allowed = ", ".join(described["kinds"])
            self.problems.append(f"`{path}.{key}` must be one of {allowed}.")
        return described, False

    def enum(self, field: Mapping[str, Any], value: str, path: str) -> str:
        allowed = contract()["enums"][field["of"]] if field["type"] == "enum" else [field["of"]]
        found = next((one for one in allowed if one.lower() == value.lower()), None)
        if found is None:
            self.problems.append(f"`{path}` must be one of {', '.join(allowed)}.")
            return value
        return str(found)

    def list(self, field: Mapping[str, Any], value: list[Any], path: str) -> list[Any]:
        return [self.value(field["of"], inner, f"{path}[{index}]") for index, inner in enumerate(value)]

    def map(self, field: Mapping[str, Any], value: dict[str, Any], path: str) -> dict[str, Any]:
        return {name: self.value(field["of"], inner, f"{path}.{name}") for name, inner in value.items()}

    def duration(self, field: Mapping[str, Any], value: str, path: str) -> str:
        pattern = DURATION if field["type"] == "duration" else MOMENT
        if not pattern.fullmatch(value):
            self.problems.append(f"`{path}` must be {TYPES[field['type']][1]}.")
        return value

    def _bounds(self, field: Mapping[str, Any], value: Any, path: str) -> None:
        size = len(value) if isinstance(value, str | list) else 0
        if "min_length" in field and size < field["min_length"]:
            self.problems.append(f"`{path}` must not be shorter than {field['min_length']}.")
        elif "max_length" in field and size > field["max_length"]:
            self.problems.append(f"`{path}` must not be longer than {field['max_length']}.")
        elif "pattern" in field and isinstance(value, str) and not re.search(field["pattern"], value):
            self.problems.append(f"`{path}` must match {field['pattern']}.")


INSIDE: Mapping[str, Check] = {
    "object": Reading.object,
    "list": Reading.list,
    "map": Reading.map,
    "enum": Reading.enum,
    "constant": Reading.enum,
    "duration": Reading.duration,
    "datetime": Reading.duration,
}
