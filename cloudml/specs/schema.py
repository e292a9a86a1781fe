"""The JSON schema of a project file as it is written, for editors and other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.specs import shape
from cloudml.specs.base import PROVIDERS
from cloudml.specs.described import descriptions
from cloudml.specs.project import SECTIONS, ProjectSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:cloudml:project-file:1"


def schema(*, providers: Iterable[str] = ()) -> dict[str, Any]:
    """The schema, in draft 2020-12.

    It knows the form of a file. What needs more than one place of it (references, cycles, files, reserved names) only
    `load` can check.

    Args:
        providers: Names of installed providers, beside the four of cloudml, whose blocks are allowed.
    """
    made = ProjectSpec.model_json_schema(by_alias=False)
    _describe(made)
    definitions = {name: _as_written(value) for name, value in made.pop("$defs").items()}
    blocks = {name: _block(name) for name in sorted({*PROVIDERS, *providers})}
    for definition in definitions.values():
        if definition["properties"].pop("native", None) is not None:
            definition["properties"] |= blocks
    for name in _resources():
        definitions[name]["properties"].pop("name")
        definitions[name]["required"].remove("name")
    head = {"$schema": DIALECT, "$id": ID, "title": "cloudml project file"}
    return {**head, **{key: value for key, value in _as_written(made).items() if key != "title"}, "$defs": definitions}


def _describe(made: dict[str, Any]) -> None:
    """Put beside each field what the docstring behind it says."""
    for model in shape.NOUNS:
        properties = made["properties"] if model is ProjectSpec else made["$defs"][model.__name__]["properties"]
        for name, text in descriptions(model).items():
            properties[name]["description"] = text


def _resources() -> list[str]:
    """The names of the definitions whose `name` is their key."""
    found = (shape.spec_in(ProjectSpec.model_fields[section].annotation) for section in SECTIONS)
    return [spec.__name__ for spec in found if spec is not None]


def _block(provider: str) -> dict[str, Any]:
    return {"type": "object", "description": f"What only {provider} knows; merged into its native request last."}


def _as_written(value: Any) -> Any:
    """Without what pydantic adds for Python's sake, and with keys that match no pattern refused."""
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if not isinstance(value, dict):
        return value
    branches = value.get("anyOf", [])
    if {"type": "null"} in branches:
        return _without_null(value, [branch for branch in branches if branch != {"type": "null"}])
    kept = {key: _as_written(inner) for key, inner in value.items() if not _is_python(key, inner)}
    return {**kept, "additionalProperties": False} if "patternProperties" in kept else kept


def _without_null(value: dict[str, Any], branches: list[Any]) -> Any:
    """A field that may be left out; written, it holds a value."""
    rest = {key: inner for key, inner in value.items() if key not in {"anyOf", "default"}}
    return _as_written({**rest, **branches[0]} if len(branches) == 1 else {**rest, "anyOf": branches})


def _is_python(key: str, value: Any) -> bool:
    """Titles made from Python names, and defaults that a file would spell otherwise."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and isinstance(value, dict))
