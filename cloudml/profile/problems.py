"""What could not be read: counted and named, never fatal."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from cloudml.records import dataclass

_NAMED = 20


@dataclass(slots=True)
class Problems:
    """A growing record of what could not be read, by what happened and where."""

    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, where: str, what: str, number: int = 1) -> None:
        if number:
            self.seen[where, what] += number

    @property
    def total(self) -> int:
        return self.seen.total()

    def sentences(self) -> tuple[str, ...]:
        """One line each, the most frequent first, at most 20 and one for the rest."""
        lines = [f"{where}: {what} ({number} times)" for (where, what), number in self.seen.most_common()]
        rest = (f"and {len(lines) - _NAMED} more kinds of problem",) if len(lines) > _NAMED else ()
        return (*lines[:_NAMED], *rest)
