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
    # Paths are text here, and in `in_its_folder`: hot, once for each file of a dataset.
    target = f"{folder}/{path}"
    while True:
        staged = f"{folder}/{STAGING}/{OURS}{uuid4().hex}"
        with suppress(FileNotFoundError), _new(staged, mode) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _same(file.fileno(), staged):
                continue  # taken for litter between the two lines above
            try:
                file.writelines(content)
                file.flush()
                in_its_folder(target, partial(_name, staged, target, only_new=only_new))
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(staged)
            return


def in_its_folder(path: str, act: Callable[[], Result]) -> Result:
    """Do what needs the folder of *path*; where there is none, make it and do it again: mostly it is there.

    Raises:
        FileNotFoundError: Something else is not there.
    """
    try:
        return act()
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return act()


def _new(path: str, mode: int) -> BinaryIO:
    """A new file to write to."""
    opener = partial(os.open, mode=mode)
    return in_its_folder(path, lambda: open(path, "xb", opener=opener))


def _same(descriptor: int, path: str) -> bool:
    """Whether the open file still has that name."""
    return os.fstat(descriptor).st_ino == os.stat(path).st_ino


def _name(staged: str, target: str, *, only_new: bool) -> None:
    """Give a whole file its name, in one step."""
    if not only_new:
        os.replace(staged, target)
        return
    try:
        os.link(staged, target)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # a file system without hard links
        with open(target, "xb"):
            os.replace(staged, target)


def tidy(folder: Path) -> None:
    """Remove what processes that are no more left in ``staging/``."""
    for item in folder.glob(f"{STAGING}/{OURS}*"):
        with suppress(OSError), item.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            item.unlink(missing_ok=True)
