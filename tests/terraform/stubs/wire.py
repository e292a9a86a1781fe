"""Values and schemas as Terraform's plugin protocol carries them."""

from __future__ import annotations

import json
from typing import Any

import msgpack
from tf.gen import tfplugin_pb2 as pb

NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}
UNKNOWN_CODES = (0, 12)
"""Extension types of msgpack that stand for a value that is not known yet."""
WRITE_ONLY = bytes([11 << 3, 1])
"""The flag of attributes that are never kept; newer than the message classes at hand."""


class Unknown:
    """A value that is known after apply."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN = Unknown()


def read(value: Any) -> Any:
    """A DynamicValue as Python has it."""
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False, ext_hook=_extension)
    return json.loads(value.json) if value.json else None


def written(value: Any) -> Any:
    """The DynamicValue of a value."""
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=_unknown, use_bin_type=True))


def _extension(code: int, data: bytes) -> Any:
    return UNKNOWN if code in UNKNOWN_CODES else msgpack.ExtType(code, data)


def _unknown(value: Any) -> Any:
    if value is UNKNOWN:
        return msgpack.ExtType(0, b"\x00")
    raise TypeError(type(value))


def unknown_within(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(unknown_within, value.values()))
    if isinstance(value, list):
        return any(map(unknown_within, value))
    return value is UNKNOWN


def schema(document: dict[str, Any]) -> Any:
    return pb.Schema(version=0, block=_block(document["block"]))


def _block(block: dict[str, Any]) -> Any:
    message = pb.Schema.Block(version=0)
    for name, attribute in sorted(block.get("attributes", {}).items()):
        flags = {flag: attribute.get(flag, False) for flag in ("required", "optional", "computed")}
        kind = json.dumps(attribute["type"], separators=(",", ":")).encode()
        said = message.attributes.add(name=name, type=kind, **flags)
        if name.endswith("_wo") and not attribute.get("computed"):
            said.MergeFromString(WRITE_ONLY)
    for name, nested in sorted(block.get("block_types", {}).items()):
        mode = nested["nesting_mode"]
        if mode in {"set", "map"} and _dynamic_within(nested["block"]):
            mode = "list"  # Terraform refuses values of any type inside sets
        bounds = {bound: nested.get(bound, 0) for bound in ("min_items", "max_items")}
        message.block_types.add(type_name=name, block=_block(nested["block"]), nesting=NESTING[mode], **bounds)
    return message


def _dynamic_within(block: dict[str, Any]) -> bool:
    return "dynamic" in json.dumps([one["type"] for one in block.get("attributes", {}).values()]) or any(
        _dynamic_within(nested["block"]) for nested in block.get("block_types", {}).values()
    )
