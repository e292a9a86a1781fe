"""The time, in one place, so that a test can hold it still."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def moment(value: Any) -> datetime | None:
    """A time of an answer or of a record, in UTC: a datetime, or text in ISO 8601; None where there is none."""
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else None
