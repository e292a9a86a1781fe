"""Which files of a folder git, and the user, leave out."""

from __future__ import annotations

import os
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.errors import SpecError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pathspec import GitIgnoreSpec

GIT = ".gitignore"
OURS = ".cloudmlignore"

NEVER = frozenset({"__pycache__", "node_modules", "_cloudml"})
"""Folders that are never looked into; nor is a hidden one, nor a virtual environment (it has a pyvenv.cfg)."""


@dataclass(frozen=True)
class Rules:
    """The lines of one ignore file and the folder that they count in."""

    folder: Path
    lines: tuple[str, ...]

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec

        return GitIgnoreSpec.from_lines(self.lines)

    def verdict(self, path: Path, *, folder: bool) -> bool | None:
        """True to leave it out, False to keep it, None when no line speaks of it."""
        name = path.relative_to(self.folder).as_posix()
        return self._spec.check_file(f"{name}/" if folder else name).include


@dataclass(frozen=True)
class Ignores:
    """The ignore files that count at some folder, from the outermost; those of cloudml after those of git."""

    git: tuple[Rules, ...] = field(default=())
    ours: tuple[Rules, ...] = field(default=())

    def inside(self, folder: Path) -> Ignores:
        """With those that lie in *folder*."""
        return Ignores(self.git + rules(folder, GIT), self.ours + rules(folder, OURS))

    def leave_out(self, path: Path, *, folder: bool) -> bool:
        """Whether the last line that speaks of *path* leaves it out."""
        verdicts = (one.verdict(path, folder=folder) for one in reversed(self.git + self.ours))
        return next((verdict for verdict in verdicts if verdict is not None), False)


def rules(folder: Path, name: str) -> tuple[Rules, ...]:
    """The rules in one ignore file; none where there is no such file."""
    try:
        lines = (folder / name).read_text("utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ()
    except OSError as error:
        raise SpecError(f"`{folder / name}` cannot be read: {error.strerror}") from error
    return (Rules(folder, tuple(lines)),)


def above(folder: Path) -> Ignores:
    """The rules of the folders that *folder* lies in, up to the root of its git repository.

    A rule that leaves out *folder* itself is not meant for who works inside it.
    """
    parents = list(folder.parents)
    top = next((at for at, parent in enumerate([folder, *parents]) if (parent / ".git").exists()), 0)
    found = [rule for parent in reversed(parents[:top]) for rule in rules(parent, GIT)]
    return Ignores(tuple(rule for rule in found if not rule.verdict(folder, folder=True)))


def files(folder: Path, ignores: Ignores) -> Iterator[Path]:
    """Regular files below *folder* that are neither hidden nor left out, sorted; links are followed, loops are not.

    Args:
        folder: An absolute path.
        ignores: The rules that count at *folder*, without its own.
    """
    yield from _below(folder, ignores, frozenset())


def _below(folder: Path, ignores: Ignores, above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:
        return
    here = ignores.inside(folder)
    seen = [item for item in os.scandir(folder) if not item.name.startswith(".")]
    for item in sorted(seen, key=lambda item: item.name):
        path = Path(item.path)
        if item.is_dir():
            if not never(path) and not here.leave_out(path, folder=True):
                yield from _below(path, here, above | {real})
        elif item.is_file() and not here.leave_out(path, folder=False):
            yield path


def never(folder: Path) -> bool:
    return folder.name in NEVER or (folder / "pyvenv.cfg").is_file()


def refused(root: Path, file: Path) -> bool:
    """Whether *file* below *root* lies where nobody looks, or the user's own rules leave it out."""
    ours: tuple[Rules, ...] = ()
    for folder in [parent for parent in reversed(file.parents) if parent.is_relative_to(root)]:
        ours += rules(folder, OURS)
        step = next(path for path in (file, *file.parents) if path.parent == folder)
        if Ignores((), ours).leave_out(step, folder=step != file) or (step != file and never(step)):
            return True
    return False
