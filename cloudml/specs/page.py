"""The reference page of the project file, made from the models.

python -m cloudml.specs.page docs/project-file.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.specs import shape
from cloudml.specs.base import PROVIDERS, RESERVED_PARAMETER, RESERVED_PORT, RESERVED_VARIABLES
from cloudml.specs.schema import schema
from cloudml.units import COMPARISONS, DURATIONS, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TITLES: Mapping[str, str] = {model.__name__: noun.capitalize() for model, noun in shape.NOUNS.items()}


def page() -> str:
    """The page, in Markdown."""
    made = schema()
    definitions = made["$defs"]
    parts = [_HEAD, _section("The file", made, definitions)]
    shown = set()
    for section, field in made["properties"].items():
        for name in _reachable(_definition(field), definitions) if "patternProperties" in field else ():
            if name not in shown:
                title = f"`{section}`" if name == _definition(field) else TITLES[name]
                parts.append(_section(title, definitions[name], definitions))
                shown.add(name)
    return "\n".join([*parts, _rules()])


_HEAD = """# The project file

Made from the models in `cloudml/specs` by `python -m cloudml.specs.page docs/project-file.md`; do not edit.

`cloudml.yaml` is YAML 1.2, in UTF-8, at most 1 MiB. `cloudml schema` prints its JSON schema for editors, and
`cloudml validate` tells every mistake with its line. Anchors, aliases and merges (`<<`) are taken; tags are not. `yes`,
`on` and dates are text in YAML 1.2; write `true` and `false`.
"""


def _section(title: str, definition: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    required = definition.get("required", [])
    rows = [
        f"| `{name}` | {_type(field, definitions)} | {_default(name, field, required)} | {_cell(field)} |"
        for name, field in definition["properties"].items()
        if name not in PROVIDERS
    ]
    blocks = ["", f"Beside these: {_words(PROVIDERS)}, blocks of a provider's own words."]
    more = blocks if PROVIDERS[1] in definition["properties"] else []
    head = [
        f"## {title}",
        "",
        _prose(definition["description"]),
        "",
        "| key | value | default | |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, *more, ""])


def _type(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a field takes, in words."""
    if "$ref" in field:
        return _link(_definition(field))
    if "oneOf" in field:
        return " or ".join(_type(branch, definitions) for branch in field["oneOf"])
    if "enum" in field:
        return _words(field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'], definitions)}"
    if "patternProperties" in field:
        (inner,) = field["patternProperties"].values()
        return f"names, each with {'a block' if '$ref' in inner else _type(inner, definitions)}"
    return _scalar(field)


_SCALARS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def _scalar(field: Mapping[str, Any]) -> str:
    if isinstance(field.get("type"), list):
        return "text, number, `true` or `false`"
    bounds = [f"{word} {field[key]:g}" for word, key in (("from", "minimum"), ("to", "maximum")) if key in field]
    name = _SCALARS.get(str(field.get("type")), "anything")
    return " ".join([name, *bounds])


def _default(name: str, field: Mapping[str, Any], required: Iterable[str]) -> str:
    if name in required:
        return "required"
    value = field.get("default")
    return "" if value is None or value == [] else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(field: Mapping[str, Any]) -> str:
    examples = ", ".join(f"`{example}`" for example in field.get("examples", []))
    text = _prose(field.get("description", ""))
    return f"{text} Example: {examples}." if examples and examples not in text else text


def _prose(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _definition(field: Mapping[str, Any]) -> str:
    """The name of the definition that a field, or each thing in it, follows."""
    inner = next(iter(field.get("patternProperties", {}).values()), field)
    return str(inner["$ref"]).rpartition("/")[2]


def _reachable(name: str, definitions: Mapping[str, Any]) -> Iterator[str]:
    """The definition and those it leans on, in the order of reading."""
    yield name
    for reference in _references(definitions[name]):
        yield from _reachable(reference, definitions)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield str(value["$ref"]).rpartition("/")[2]
        for inner in value.values():
            yield from _references(inner)
    if isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _link(name: str) -> str:
    title = TITLES[name].lower()
    return f"[{title}](#{title.replace(' ', '-')})"


def _rules() -> str:
    variables = _words(RESERVED_VARIABLES)
    return f"""## Units

Sizes are a number and one of {_words(SIZES)}: `KB` is 1000 bytes and `KiB` 1024.
Durations are numbers with {_words(DURATIONS)}, such as `1d12h`. A schedule has five cron fields, in UTC.
A threshold is one of {_words(COMPARISONS)} and a number.

## References

`datasets.NAME` and `jobs.NAME.OUTPUT` are data, `jobs.NAME.METRIC` a metric, `models.NAME` and `endpoints.NAME` the
rest. What is referred to must be declared, and jobs must not wait for each other in a circle. A monitor's endpoint
needs `capture`.

## Reserved names

An input cannot be called `code`, and no input or output may begin with `{RESERVED_PORT}`. Parameters may not begin with
`{RESERVED_PARAMETER}`, and no two may differ only by case, `-`, `.` and `_`, since scripts also read them as variables.
Environment variables may not begin with {variables}.
The target `local` is always the local provider.

## Secrets

A file with a secret in it is refused: keys of targets called `password`, `token` and the like, and values anywhere that
look like keys. Sign in by the environment or the provider's own sign-in.
"""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
