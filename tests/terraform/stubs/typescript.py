"""Reads a block of a provider's schema out of the TypeScript of its generated CDK binding.

The binding says all that is needed, three times over: a comment in front of each attribute (name, computed, optional,
required), the function that writes HCL (block or attribute; list, set, map or struct; the element's type), and the
class of the stored value (a list, or a reference to the only one). Rules that a comparison with real schemas found:

- A nested block is never computed: what is written as a block and is computed is an attribute of an object type.
- A required block has a minimum of one; a block whose stored value is a single reference has a maximum of one.
- Structs of the provider's own block have no class: their fields stand in the function and the interface.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

DEEPEST = 8
DEEPEST_BLOCK = 16
"""Types and blocks that contain themselves are followed no further."""

SIMPLE = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
MAPS = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool", "AnyMap": "dynamic"}
COLLECTIONS: dict[str, Any] = {
    **{name: ["map", kind] for name, kind in MAPS.items()},
    **{f"{name}List": ["list", ["map", kind]] for name, kind in MAPS.items()},
    "StringListMap": ["map", ["list", "string"]],
    "StringListList": ["list", ["list", "string"]],
    "NumberListList": ["list", ["list", "number"]],
}
"""Classes of stored values that hold no struct, and their types."""
GETTERS: tuple[tuple[str, Any], ...] = (
    ("getStringListMapAttribute", ["map", ["list", "string"]]),
    ("getStringMapAttribute", ["map", "string"]),
    ("getNumberMapAttribute", ["map", "number"]),
    ("getBooleanMapAttribute", ["map", "bool"]),
    ("getAnyMapAttribute", ["map", "dynamic"]),
    ("getNumberListAttribute", ["list", "number"]),
    ("getListAttribute", ["list", "string"]),
    ("getStringAttribute", "string"),
    ("getNumberAttribute", "number"),
    ("getBooleanAttribute", "bool"),
)
"""How a read-only attribute is read, and its type."""

CLASS = re.compile(r"^export class (\w+) extends (?:cdktf|cdktn)\.(\w+)", re.MULTILINE)
FUNCTION = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^}", re.MULTILINE | re.DOTALL)
MARK = r"// [a-zA-Z0-9_]+ - computed:"
ATTRIBUTE = re.compile(
    r"^  // (?P<name>[a-zA-Z0-9_]+) - computed: (?P<computed>true|false), optional: (?P<optional>true|false), "
    rf"required: (?P<required>true|false)\n(?P<body>.*?)(?=^  {MARK}|^  // =====|^}}|\Z)",
    re.MULTILINE | re.DOTALL,
)
STORED = re.compile(r'= new (?:cdktf\.|cdktn\.)?(\w+)\(this, "[^"]+"(?:, (true|false))?\)')
TYPE_NAME = re.compile(r'tfResourceType = "([^"]+)"')
ROOTS = {"TerraformResource": "resource", "TerraformDataSource": "data", "TerraformProvider": "provider"}
"""Base classes of what has a schema of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How a field is written in HCL: what the writing function says of it."""

    value: str
    block: bool
    kind: str
    storage: str


def _entries(text: str, indent: str) -> dict[str, Entry]:
    pattern = (
        rf'^{indent}([A-Za-z0-9_"-]+): \{{\n{indent}  value: (.*?),\n{indent}  isBlock: (true|false),\n'
        rf'{indent}  type: "(\w+)",\n{indent}  storageClassType: "([^"]*)",\n{indent}\}},'
    )
    found = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return {
        name.strip('"'): Entry(value, block == "true", kind, storage) for name, value, block, kind, storage in found
    }


class Binding:
    """One generated file: usually one resource with the structs of its blocks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.classes: dict[str, tuple[str, str]] = {}
        marks = list(CLASS.finditer(text))
        ends = [*(mark.start() for mark in marks[1:]), len(text)]
        for mark, end in zip(marks, ends, strict=True):
            self.classes[mark[1]] = (mark[2], text[mark.start() : end])
        self.functions = {mark[1]: _entries(mark[0], "    ") for mark in FUNCTION.finditer(text)}

    def schemas(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Kind, name and schema of each resource, data source or provider in the file."""
        found = []
        for name, (base, body) in self.classes.items():
            said = TYPE_NAME.search(body)
            if base in ROOTS and said:
                found.append((ROOTS[base], said[1], {"version": 0, "block": self._block(name)}))
        return found

    def _fields(self, cls: str) -> dict[str, Entry]:
        base, body = self.classes[cls]
        if base in ROOTS:
            return _entries(body[body.find("synthesizeHclAttributes") :], "      ")
        return self.functions.get(_lower(cls.removesuffix("OutputReference")), {})

    def _block(self, cls: str, depth: int = 0) -> dict[str, Any]:
        if depth > DEEPEST_BLOCK:
            return {}
        fields = self._fields(cls)
        attributes, blocks = {}, {}
        seen = set()
        for found in ATTRIBUTE.finditer(self.classes[cls][1]):
            name, body, field = found["name"], found["body"], fields.get(found["name"])
            seen.add(name)
            if field and field.block and found["computed"] == "false":
                blocks[name] = self._nested(field, body, depth, required=found["required"] == "true")
                continue
            flags = {flag: True for flag in ("required", "optional", "computed") if found[flag] == "true"}
            attributes[name] = {"type": self._type(body, field, 0), **flags}
        for name, field in fields.items():
            if name in seen:
                continue
            if field.block:
                blocks[name] = self._nested(field, "", depth, required=False)
            else:
                attributes[name] = {"type": _stored_type(field) or "dynamic", "optional": True}
        return _filled(attributes, blocks)

    def _block_without_class(self, stem: str, depth: int) -> dict[str, Any]:
        fields = self.functions.get(stem)
        if not fields or depth > DEEPEST:
            return {}
        interface = re.search(
            rf"^export interface {_upper(stem)} (?:extends \S+ )?\{{(.*?)^\}}", self.text, re.MULTILINE | re.DOTALL
        )
        needed = set(re.findall(r"#(\w+)\}[^{}]*?\*/\s*readonly \w+:", interface[1])) if interface else set()
        attributes, blocks = {}, {}
        for name, field in fields.items():
            if not field.block:
                flag = "required" if name in needed else "optional"
                attributes[name] = {"type": _stored_type(field) or "dynamic", flag: True}
                continue
            blocks[name] = self._nested(field, "", depth, required=name in needed)
            if "listMapper" not in field.value and field.kind in {"list", "set"}:
                blocks[name]["max_items"] = 1
        return _filled(attributes, blocks)

    def _nested(self, field: Entry, body: str, depth: int, *, required: bool) -> dict[str, Any]:
        stored = STORED.search(body)
        function = re.search(r"(\w+)ToHclTerraform", field.value)
        cls = f"{_upper(function[1])}OutputReference" if function else ""
        if cls not in self.classes and stored:
            cls = re.sub(r"(List|Map|OutputReference)$", "", stored[1]) + "OutputReference"
        if cls in self.classes:
            inner = self._block(cls, depth + 1)
        else:
            inner = self._block_without_class(function[1] if function else "", depth + 1)
        nested: dict[str, Any] = {"nesting_mode": "single" if field.kind == "struct" else field.kind, "block": inner}
        if field.kind in {"list", "set"}:
            if required:
                nested["min_items"] = 1
            if stored and stored[1].endswith("OutputReference"):
                nested["max_items"] = 1
        return nested

    def _object(self, cls: str, depth: int) -> list[Any]:
        if cls not in self.classes or depth > DEEPEST:
            return ["object", {}]
        fields = self._fields(cls)
        body = self.classes[cls][1]
        return ["object", {
            found["name"]: self._type(found["body"], fields.get(found["name"]), depth + 1)
            for found in ATTRIBUTE.finditer(body)
        }]  # fmt: skip

    def _type(self, body: str, field: Entry | None, depth: int) -> Any:
        """The type of an attribute, as Terraform writes types in JSON."""
        stored = STORED.search(body)
        if not stored:
            return (field and _stored_type(field)) or _read_type(body) or "dynamic"
        cls, unordered = stored[1], stored[2] == "true"
        if cls in COLLECTIONS:
            kind, inner = COLLECTIONS[cls]
            return ["set" if unordered and kind == "list" else kind, inner]
        if cls.endswith("OutputReference"):
            kind = field.kind if field else "struct"
            inner = self._object(cls, depth)
            return inner if kind in {"struct", "simple"} else [kind, inner]
        return self._collection(cls, depth, unordered=unordered)

    def _collection(self, cls: str, depth: int, *, unordered: bool) -> Any:
        split = re.fullmatch(r"(\w+?)(List|Map)", cls)
        if not split:
            return "dynamic"
        kind = "map" if split[2] == "Map" else "set" if unordered else "list"
        inner = f"{split[1]}OutputReference"
        if inner not in self.classes and cls.endswith("MapList"):
            return [kind, ["map", self._object(f"{cls.removesuffix('MapList')}OutputReference", depth)]]
        return [kind, self._object(inner, depth)]


def _filled(attributes: dict[str, Any], blocks: dict[str, Any]) -> dict[str, Any]:
    return {**({"attributes": attributes} if attributes else {}), **({"block_types": blocks} if blocks else {})}


def _stored_type(field: Entry) -> Any:
    """The type that the writing function states: ``("list", "stringList")`` is a list of strings."""
    if field.storage in SIMPLE:
        inner = SIMPLE[field.storage]
        return inner if field.kind == "simple" else [field.kind, inner]
    found = re.fullmatch(r"(string|number|boolean|any)((?:List|Set|Map)+)", field.storage)
    if not found:
        return None
    kind: Any = SIMPLE[found[1]]
    wraps = re.findall("List|Set|Map", found[2])
    for wrap in wraps[:-1]:
        kind = [wrap.lower(), kind]
    return [field.kind if field.kind in {"list", "set", "map"} else wraps[-1].lower(), kind]


def _read_type(body: str) -> Any:
    """The type that a read-only attribute's getter states."""
    found = re.search(r"return (.*?);", body, re.DOTALL)
    said = found[1] if found else ""
    unordered = "Fn.tolist" in said
    for getter, kind in GETTERS:
        if getter in said:
            return ["set", kind[1]] if unordered and kind[0] == "list" else kind
    if "interpolationForAttribute" not in said:
        return None
    return ["set", "dynamic"] if unordered else "dynamic"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
