"""Names that a cloud takes: legible, unique, and fitted to its alphabet and length."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cloudml.capabilities import Level
from cloudml.plan import Note
from cloudml.records import dataclass

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

DIGITS = 8
"""How many hexadecimal digits of its hash end a name that was shortened or changed."""


@dataclass(frozen=True, slots=True)
class Alphabet:
    """What names of one kind of object may be.

    Attributes:
        good: All of a good name.
        other: What a name may not have, which becomes a hyphen.
        longest: So many characters at most.
        first: What stands before a name that may not begin as it does.
    """

    good: re.Pattern[str]
    other: re.Pattern[str]
    longest: int
    first: str = "x"

    def fit(self, name: str, longest: int | None = None) -> str:
        """*name* if it is a good one; else a legible part of it and a hash of the whole.

        What was fitted is fitted to itself.

        Args:
            name: As the project gives it.
            longest: Fewer characters than the alphabet's own, for a name to which something is added.
        """
        room = self.longest if longest is None else longest
        if len(name) <= room and self.good.fullmatch(name):
            return name
        kept = self.other.sub("-", name).strip("-")[: room - DIGITS - 1].rstrip("-")
        ending = hashlib.sha256(name.encode()).hexdigest()[:DIGITS]
        fitted = f"{kept or self.first}-{ending}"
        if self.good.fullmatch(fitted):
            return fitted
        return f"{f'{self.first}{kept}'[: room - DIGITS - 1].rstrip('-')}-{ending}"


def shortened(path: str, wanted: str, native: str, rule: str) -> Iterator[Note]:
    """A note where a cloud's name is not the one that the project gives.

    Args:
        path: What has the name, ``jobs.train``.
        wanted: The name that the project gives.
        native: The cloud's.
        rule: What the cloud's names may be, as a clause.
    """
    if wanted != native:
        yield Note(f"{path}.name", f"`{wanted}` is called `{native}`: {rule}", Level.NATIVE)
