"""What happens during `up` and `down`, as values: the command line draws them, `--json` prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from cloudml.records import dataclass


class Happened(StrEnum):
    """The kinds of event."""

    STARTED = "started"
    PROGRESS = "progress"
    STATE = "state"
    FINISHED = "finished"
    FAILED = "failed"
    SKIPPED = "skipped"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one resource.

    Attributes:
        event: What.
        resource: To which, ``jobs.train``; empty for the project as a whole.
        action: What is being done: create, update, replace, wait, reuse, delete.
        state: Where the resource stands.
        name: What the provider calls it.
        message: For people.
        seconds: Since its step began.
        done: Units done, where they are known.
        total: Units in all, where they are known.
        details: More, for `--json`.
    """

    event: Happened
    resource: str = ""
    action: str = ""
    state: str = ""
    name: str = ""
    message: str = ""
    seconds: float | None = None
    done: int | None = None
    total: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The event as one line of `--json`; what is not known is left out."""
        keys = ("resource", "action", "state", "name", "message", "seconds", "done", "total")
        said = {
            key: str(value) if isinstance(value, StrEnum) else value
            for key in keys
            if (value := getattr(self, key)) not in ("", None)
        }
        return {"event": str(self.event), **said, **self.details}


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that does nothing."""
    del event
