"""Copies that a store makes of its own objects, many for one request where its cloud takes that.

Which requests those are is behind `Copies`, which a cloud's provider implements with its own client; where it has none,
obstore asks for each copy. With large contents a store may take its time: each of them is copied by itself.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudml.errors import ProviderError

FEWEST = 8
"""With less in a request, nothing is won by it."""

TURNS = 2
"""So many requests each worker has at least: one that is slow holds up less."""

Item = TypeVar("Item")


class Copies(Protocol):
    """Many copies for one request; threads share it."""

    @property
    def most(self) -> int:
        """So many copies one request asks for."""
        ...

    def copy(self, pairs: Sequence[tuple[str, str]]) -> Sequence[ProviderError | None]:
        """Give each first path's object the second path as well, in place of what has it.

        Refusals that may pass are tried again, each by itself.

        Returns:
            For each pair why it was not copied; None where it was.

        Raises:
            ProviderError: The request as a whole was refused.
        """
        ...


def together(copies: Copies | None, count: int, workers: int) -> int:
    """How many of *count* copies that *workers* ask for go into one request; 1 for each by itself."""
    size = min(copies.most, count // (workers * TURNS)) if copies else 1
    return size if size >= FEWEST else 1


def cut(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """The same items in groups of *size*, but for the last."""
    return [items[start : start + size] for start in range(0, len(items), size)]


class Waiting(Generic[Item]):
    """What waits until there is enough for a request; threads share it.

    Args:
        enough: So many.
    """

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self._items: list[Item] = []
        self._lock = Lock()

    def add(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """Let more wait; the groups that are full now, for who called."""
        with self._lock:
            self._items += items
            whole = len(self._items) // self.enough * self.enough
            full, self._items = self._items[:whole], self._items[whole:]
        return cut(full, self.enough)

    def rest(self) -> Sequence[Item]:
        """What is left when nothing more comes."""
        with self._lock:
            left, self._items = self._items, []
        return left
