"""Folders of installed packages, shared by all that ask for the same requirements, one installing at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.runtime.requirements import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Turn:
    """The right to install into a folder; the kernel takes it back from who dies.

    Attributes:
        site: The folder; empty when nothing is to be installed.
        lock: The descriptor that holds it; -1 when it was let go.
    """

    site: str
    lock: int

    def let_go_when_done(self) -> None:
        """Let the next have its turn once the packages are there."""
        if self.lock >= 0 and is_installed(self.site):
            self.let_go()

    def let_go(self) -> None:
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


@contextmanager
def turn(site: str | None) -> Iterator[Turn]:
    """Wait until nobody else installs into *site*."""
    if site is None:
        yield Turn("", -1)
        return
    folder = Path(site)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    mine = Turn(site, lock)
    try:
        yield mine
    finally:
        mine.let_go()
