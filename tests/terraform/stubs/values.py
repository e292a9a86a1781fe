"""What a stub plans and what it makes up when it applies."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from wire import UNKNOWN, unknown_within

EMPTY: dict[str, Any] = {"list": [], "set": [], "map": {}, "bool": False, "number": 0, "dynamic": None}
NAMES = ("name", "bucket", "display_name", "account_id")
"""Attributes that a made-up ID is taken from."""


def planned(block: dict[str, Any], proposed: Any, config: Any, *, creating: bool) -> Any:
    """The proposed object with each computed attribute that nobody set as unknown, where the object is new."""
    if not isinstance(proposed, dict):
        return proposed
    given = config if isinstance(config, dict) else {}
    result = dict(proposed)
    for name, attribute in block.get("attributes", {}).items():
        unset = result.get(name) is None and given.get(name) is None
        if creating and unset and attribute.get("computed"):
            result[name] = UNKNOWN
    for name, nested in block.get("block_types", {}).items():
        result[name] = _planned_nested(nested, result.get(name), given.get(name), creating=creating)
    return result


def _planned_nested(nested: dict[str, Any], value: Any, config: Any, *, creating: bool) -> Any:
    block = nested["block"]
    if isinstance(value, list):
        given = config if isinstance(config, list) else []
        pairs = zip(value, [*given, *[None] * (len(value) - len(given))], strict=False)
        return [planned(block, one, other, creating=creating) for one, other in pairs]
    if isinstance(value, dict) and nested["nesting_mode"] == "map":
        given = config if isinstance(config, dict) else {}
        return {key: planned(block, one, given.get(key), creating=creating) for key, one in value.items()}
    return planned(block, value, config, creating=creating)


class Filler:
    """Makes up values for what only the cloud knows: from a template where there is one, else by type.

    Args:
        overlay: Has the templates of values, and the context that they refer to.
        kind: ``r`` for a resource, ``d`` for a data source.
        name: Its type.
        known: What is known of the object.
    """

    def __init__(self, overlay: dict[str, Any], kind: str, name: str, known: dict[str, Any]) -> None:
        self.templates = overlay.get("values", {}).get(f"{kind}:{name}", {})
        self.context = overlay.get("context", {})
        self.name = name
        self.known = known
        self.digest = hashlib.sha256(f"{name}{json.dumps(known, sort_keys=True, default=str)}".encode()).hexdigest()

    def filled(self, block: dict[str, Any], value: Any, *, top: bool = True) -> Any:
        """The object with no unknown left in it."""
        if not isinstance(value, dict):
            return value
        result = dict(value)
        for name, attribute in block.get("attributes", {}).items():
            if unknown_within(result.get(name)):
                result[name] = self._value(name, attribute["type"], top=top)
        for name, nested in block.get("block_types", {}).items():
            result[name] = self._nested(nested, result.get(name))
        return result

    def _nested(self, nested: dict[str, Any], value: Any) -> Any:
        if value is UNKNOWN:
            return [] if nested["nesting_mode"] in {"list", "set"} else None
        if isinstance(value, list):
            return [self.filled(nested["block"], one, top=False) for one in value]
        return self.filled(nested["block"], value, top=False)

    def _value(self, name: str, kind: Any, *, top: bool) -> Any:
        """What stands for an unknown; of the object's own attributes later templates may speak."""
        template = self.templates.get(name) if top else None
        value = self._made_up(name, kind, top=top) if template is None else self._said(template)
        if top:
            self.known[name] = value
        return value

    def _said(self, template: Any) -> Any:
        if isinstance(template, list):
            return [self._said(one) for one in template]
        return re.sub(r"\{([^{}]+)\}", self._word, template)

    def _word(self, match: re.Match[str]) -> str:
        """``{name}``, ``{hash8}``, ``{path|'/'}``: the first that is known."""
        for word in match[1].split("|"):
            if word.startswith("'"):
                return word.strip("'")
            if re.fullmatch(r"hash\d+", word):
                return self.digest[: int(word.removeprefix("hash"))]
            value = self.known.get(word, self.context.get(word))
            if value is not None:
                return str(value)
        return "x"

    def _made_up(self, name: str, kind: Any, *, top: bool) -> Any:
        if isinstance(kind, list) and kind[0] == "object":
            return {key: self._made_up(key, inner, top=False) for key, inner in kind[1].items()}
        if name.endswith("_prefix"):
            return None
        if name in self.context:
            return self.context[name]
        key = kind[0] if isinstance(kind, list) else kind
        if key in EMPTY:
            return EMPTY[key]
        if top and name in {"id", "arn", "name"}:
            called = next((self.known[one] for one in NAMES if isinstance(self.known.get(one), str)), self.digest[:12])
            return f"{self.name}/{called}"
        return f"stub-{name}-{self.digest[:8]}"
