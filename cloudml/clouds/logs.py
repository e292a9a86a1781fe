"""Lines of logs, and how a cursor of several streams is written."""

from __future__ import annotations

import base64
import json
from dataclasses import field
from typing import TYPE_CHECKING

from cloudml.errors import InvalidRequestError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A line of a log.

    Attributes:
        moment: When, in milliseconds since 1970.
        text: Without its end.
    """

    moment: int
    text: str = field(compare=False)


def written(cursor: Mapping[str, str]) -> str:
    """A cursor as text: for each stream, where reading goes on."""
    return base64.urlsafe_b64encode(json.dumps(cursor, separators=(",", ":")).encode()).decode()


def read_cursor(text: str) -> dict[str, str]:
    """What `written` wrote.

    Raises:
        InvalidRequestError: It is none of ours.
    """
    if not text:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InvalidRequestError(f"`{text}` is no cursor of a log", hint="hand back the cursor of a page")
    return found
