"""Any value of ours as JSON: statuses, reports, plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from cloudml.units import Size, Threshold, duration_text

HIDDEN = frozenset({"native"})
"""What is for programs of one provider only, and may be large."""


def as_json(value: Any) -> Any:
    """*value* in terms of JSON: times in ISO 8601 and UTC, units as they are written, states by their word."""
    if is_dataclass(value) and not isinstance(value, type | Size | Threshold):
        return {one.name: as_json(getattr(value, one.name)) for one in fields(value) if one.name not in HIDDEN}
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(inner) for inner in value]
    return _leaf(value)


def _leaf(value: Any) -> Any:
    for kind, write in _LEAVES:
        if isinstance(value, kind):
            return write(value)
    return value


_LEAVES: tuple[tuple[Any, Any], ...] = (
    (datetime, lambda value: value.isoformat().replace("+00:00", "Z")),
    (timedelta, duration_text),
    (Enum, lambda value: value.value),
    (Size | Threshold | Path, str),
)
