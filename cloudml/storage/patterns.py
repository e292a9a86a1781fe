"""Which files a dataset's `path` means.

A path is a file, a folder (all below it) or a pattern: ``*``, ``?`` and ``[a-z]`` inside one name, ``**`` for any
number of folders. A pattern that matches a folder (``year=*``, ``*.parquet`` written by Spark) means all below it.
Files and folders that are hidden (``.name``) and `_cloudml` are no part of a dataset, unless named in the fixed part.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cloudml.storage.manifest import composed

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = frozenset("*?[")
RECORD = "_cloudml"

States = frozenset[int]
"""How far a name has come through a pattern: each number says how many parts of the pattern are behind."""


def has_magic(text: str) -> bool:
    return not MAGIC.isdisjoint(text)


def split(location: str) -> tuple[str, tuple[str, ...]]:
    """The fixed folder in front of a pattern, and the pattern's parts; no parts for a plain path."""
    parts = PurePosixPath(location).parts
    first = next((index for index, part in enumerate(parts) if has_magic(part)), len(parts))
    fixed = PurePosixPath(*parts[:first])
    return str(fixed), tuple(composed(part) for part in parts[first:])


def skipped(name: str) -> bool:
    return name.startswith(".") or name == RECORD


def start(pattern: Sequence[str]) -> States:
    return _closed(frozenset({0}), pattern)


def step(states: States, name: str, pattern: Sequence[str]) -> States:
    """Where *states* lead by a file or folder called *name*; nowhere when nothing below can match either."""
    shaped = composed(name)
    stay = {at for at in states if at == len(pattern) or pattern[at] == "**"}
    go = {at + 1 for at in states if at < len(pattern) and pattern[at] != "**" and fnmatchcase(shaped, pattern[at])}
    return _closed(frozenset(stay | go), pattern)


def matched(states: States, pattern: Sequence[str]) -> bool:
    return len(pattern) in states


def matches(name: str, pattern: Sequence[str]) -> bool:
    """Whether the file *name*, with ``/`` between folders, is meant by *pattern*."""
    states = start(pattern)
    for part in name.split("/"):
        if skipped(part):
            return False
        states = step(states, part, pattern)
    return matched(states, pattern)


def _closed(states: States, pattern: Sequence[str]) -> States:
    """With what ``**`` reaches by standing for no folder at all."""
    closed = set(states)
    for at, part in enumerate(pattern):
        if at in closed and part == "**":
            closed.add(at + 1)
    return frozenset(closed)
