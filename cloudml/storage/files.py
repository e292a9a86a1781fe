"""Writing into a store that is a folder: a name appears with all of its content or not at all.

A file grows in ``staging/``, locked by whoever writes it, and gets its name when it is whole. The lock goes with the
process, however it ends: what a killed one left can be told from what is being written, and the next push removes it.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

STAGING = "staging"
OURS = "new-"
"""How the names in it begin that are written here."""
WRITABLE = 0o666

Result = TypeVar("Result")


def write(folder: Path, path: str, content: Iterable[bytes], *, only_new: bool, mode: int = WRITABLE) -> None:
    """Give *path* below *folder* that content.

    Args:
        folder: The store's.
        path: The file's name in it.
        content: Pieces.
        only_new: Do not take the place of a file.
        mode: Who may read and write it, of those whom the process lets.

    Raises:
        FileExistsError: Something is there and *only_new* was asked; of several at once, one succeeds.
        OSError: It cannot be written.
    """
    target = folder / path
    while True:
        staged = folder / STAGING / f"{OURS}{uuid4().hex}"
        with suppress(FileNotFoundError), _new(staged, mode) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _same(file.fileno(), staged):
                continue  # taken for litter between the two lines above
            try:
                file.writelines(content)
                file.flush()
                in_its_folder(target, partial(_name, staged, target, only_new=only_new))
            finally:
                staged.unlink(missing_ok=True)
            return


def in_its_folder(path: Path, act: Callable[[], Result]) -> Result:
    """Do what needs the folder of *path*; where there is none, make it and do it again: mostly it is there.

    Raises:
        FileNotFoundError: Something else is not there.
    """
    try:
        return act()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return act()


def _new(path: Path, mode: int) -> BinaryIO:
    """A new file to write to."""
    opener = partial(os.open, mode=mode)
    return in_its_folder(path, lambda: open(path, "xb", opener=opener))


def _same(descriptor: int, path: Path) -> bool:
    """Whether the open file still has that name."""
    return os.fstat(descriptor).st_ino == path.stat().st_ino


def _name(staged: Path, target: Path, *, only_new: bool) -> None:
    """Give a whole file its name, in one step."""
    if not only_new:
        staged.replace(target)
        return
    try:
        os.link(staged, target)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # a file system without hard links
        with target.open("xb"):
            staged.replace(target)


def tidy(folder: Path) -> None:
    """Remove what processes that are no more left in ``staging/``."""
    for item in folder.glob(f"{STAGING}/{OURS}*"):
        with suppress(OSError), item.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            item.unlink(missing_ok=True)
