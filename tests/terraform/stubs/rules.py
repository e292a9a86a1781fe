"""What a real provider refuses and a schema does not say: the rules of an overlay, and values for what is read only."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from wire import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ_ONLY = 'Can\'t configure a value for "{}": its value will be decided automatically by the provider.'


def problems(rules: list[dict[str, Any]], config: dict[str, Any], *, applied: bool = False) -> Iterator[str]:
    """What the rules find wrong with an object.

    Args:
        rules: Each with an `attr` and a check for its values, or with a group of attributes.
        config: The object.
        applied: Whether it is an object that was made, in which computed values stand beside the given ones.
    """
    for rule in rules:
        for check, verdict in CHECKS.items():
            if check in rule:
                yield from (said for value in _at(config, rule["attr"].split(".")) if (said := verdict(rule, value)))
        if not applied:
            yield from _group(rule, config)


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    """The values at a path, of every block of a list of blocks; none that is unset or unknown."""
    if isinstance(value, list):
        for one in value:
            yield from _at(one, path)
    elif path and isinstance(value, dict):
        yield from _at(value.get(path[0]), path[1:])
    elif not path and value is not None and value is not UNKNOWN:
        yield value


def _pattern(rule: dict[str, Any], value: Any) -> str:
    said = rule.get("message", f"does not match {rule['regex']}")
    return "" if re.fullmatch(rule["regex"], str(value)) else f"{rule['attr']} = {value!r} {said}"


def _choice(rule: dict[str, Any], value: Any) -> str:
    return "" if value in rule["one_of"] else f"expected {rule['attr']} to be one of {rule['one_of']}, got {value}"


def _json(rule: dict[str, Any], value: Any) -> str:
    try:
        json.loads(value)
    except ValueError as error:
        return f"{rule['attr']} is not valid JSON: {error}"
    return ""


def _range(rule: dict[str, Any], value: Any) -> str:
    low, high = rule["range"]
    return "" if low <= float(value) <= high else f"expected {rule['attr']} in {low} to {high}, got {value}"


CHECKS: dict[str, Callable[[dict[str, Any], Any], str]] = {
    "regex": _pattern, "one_of": _choice, "json": _json, "range": _range,
}  # fmt: skip


def _group(rule: dict[str, Any], config: dict[str, Any]) -> Iterator[str]:
    group = rule.get("conflicts") or rule.get("exactly_one") or []
    if not group or any(config.get(name) is UNKNOWN for name in group):
        return  # looked at again while planning, when more is known
    given = [name for name in group if config.get(name) not in (None, [], "")]
    if "conflicts" in rule and len(given) > 1:
        yield f"conflicting arguments: {', '.join(given)}"
    if "exactly_one" in rule and len(given) != 1:
        yield f"exactly one of {', '.join(group)} must be set, got {given}"


def read_only(block: dict[str, Any], config: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Values that were given for what a provider decides itself; Terraform leaves this check to providers."""
    if not isinstance(config, dict):
        return
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("computed") and not attribute.get("optional") and config.get(name) is not None:
            yield READ_ONLY.format(".".join((*path, name)))
    for name, nested in block.get("block_types", {}).items():
        inner = config.get(name)
        for one in inner if isinstance(inner, list) else [inner]:
            yield from read_only(nested["block"], one, (*path, name))
