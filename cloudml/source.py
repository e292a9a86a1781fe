"""The code that travels, and its identity.

What travels is what is hashed, and that is:

- the script, and every module of the source folder that it can import: imports are followed from file to file, wherever
  they stand in it; a package comes with all its files. A module is looked for beside the script, then in the source
  folder. One that .gitignore leaves out (generated code) travels too, because it runs here; one that .cloudmlignore
  leaves out does not.
- every Python file that a text in this code names (``"worker.py"``), and every Python file of the folder when something
  is imported by a name that only running it could tell, or the script is no Python.
- the other files of the folder, so that ``open("settings.json")`` works, but for: what .gitignore and .cloudmlignore
  leave out, hidden files, datasets, samples of endpoints, documents (*.md, *.ipynb, LICENSE …), files of tools
  (cloudml.yaml, pyproject.toml, Makefile, *.tf …), requirements*.txt, which is installed and not read, pages that
  `monitor report --html` wrote, and ``outputs/``, where a plain run leaves its results.

So editing a module that the script does not import changes nothing. Bytes count, line endings among them; file modes
and the order of files do not. What a pickle alone names is not followed: import it in the script that loads the pickle.
"""

from __future__ import annotations

import os
from dataclasses import field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.errors import SpecError
from cloudml.ignoring import Ignores, above, files, never, refused
from cloudml.imports import Import, Imports, wanted
from cloudml.packing import pack
from cloudml.records import dataclass
from cloudml.status import REPORT_MARK
from cloudml.storage import patterns
from cloudml.storage.digests import sha256, unreadable
from cloudml.storage.manifest import check, sha256_of_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Source", "SourceFile", "collect", "pack"]

LARGEST_BYTES = 10 * 10**6

PYTHON = (".py", ".pyi")

NOT_CODE = (
    "*.md", "*.rst", "*.ipynb", "LICENSE*", "NOTICE*", "AUTHORS*", "CHANGELOG*", "README*", "CODEOWNERS",
    "cloudml.yaml", "cloudml.yml", "pyproject.toml", "setup.cfg", "tox.ini", "Makefile", "justfile",
    "Dockerfile*", "docker-compose*", "requirements*.txt", "requirements*.in", "requirements*.lock",
    "*.tf", "*.tfvars", "*.tfstate*", "*.pyc", "*.lock",
)  # fmt: skip
"""Names of files that no script reads."""

RESULTS = "outputs"
HEAD_BYTES = 500
"""So much of a page tells who wrote it."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its path below the source folder with ``/``, its SHA-256 in hexadecimal, its size in bytes."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True)
class Source:
    """The code of a job or a predictor.

    Attributes:
        root: The source folder.
        script: Where it starts, relative to the folder.
        files: What travels, sorted by path.
    """

    root: Path = field(compare=False)
    script: str
    files: tuple[SourceFile, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the files' paths and contents: the same on every machine."""
        return sha256_of_json([[file.path, file.digest] for file in self.files])


def collect(source: Path, script: str, *, entry_points: Sequence[str] = (), exclude: Sequence[str] = ()) -> Source:
    """The code that *script* needs, by the rules at the top of this module.

    Args:
        source: The source folder.
        script: The file that runs, relative to the folder.
        entry_points: More files that travel, whatever their size and whatever ignores them; imports of Python files
            among them are followed.
        exclude: Paths or patterns of data, absolute or relative to *source*: no code.

    Raises:
        SpecError: A file is missing or too large, lies outside the folder, or is no Python where it should be.
    """
    root = Path(os.path.normpath(source.absolute()))
    if not root.is_dir():
        raise SpecError(f"the source folder `{source}` does not exist")
    visible = tuple(files(root, above(root)))
    named = tuple(_named(root, name, visible) for name in (script, *entry_points))
    code = Follower(root, visible, (named[0].parent, root)).follow(named)
    ignored = _matcher(root, exclude)
    others = [file for file in visible if file.suffix not in PYTHON and _read_by_code(file, root)]
    chosen = {file for file in (*code, *others) if file.suffix in PYTHON or not ignored(file)} | set(named)
    return Source(root, named[0].relative_to(root).as_posix(), tuple(_hashed(root, chosen, frozenset(named))))


def _named(root: Path, name: str, visible: Iterable[Path]) -> Path:
    """A file that was asked for by its name."""
    file = Path(os.path.normpath(root / name))
    if not file.is_relative_to(root):
        raise SpecError(
            f"`{name}` lies outside the source folder {root}", hint="set `source` to a folder that holds it"
        )
    if not file.is_file():
        known = [path.relative_to(root).as_posix() for path in visible if path.suffix == file.suffix]
        near = get_close_matches(file.relative_to(root).as_posix(), known, n=1, cutoff=0.5)
        raise SpecError(
            f"`{name}` is not in {root}", hint=f"did you mean `{near[0]}`?" if near else "check the spelling"
        )
    return file


def _read_by_code(file: Path, root: Path) -> bool:
    """Whether a script may want to open that file."""
    if file.relative_to(root).parts[0] == RESULTS or any(fnmatchcase(file.name, name) for name in NOT_CODE):
        return False
    return file.suffix != ".html" or not _is_report(file)


def _is_report(page: Path) -> bool:
    """Whether it is a page of a monitor's report; one that cannot be read is refused where it is hashed."""
    try:
        with page.open("rb") as content:
            return REPORT_MARK.encode() in content.read(HEAD_BYTES)
    except OSError:
        return False


def _matcher(root: Path, exclude: Iterable[str]) -> Callable[[Path], bool]:
    """Whether a file belongs to what is excluded."""
    split = [
        (os.path.normpath(root / fixed), parts)
        for fixed, parts in (patterns.split(Path(os.path.relpath(root / text, root)).as_posix()) for text in exclude)
    ]

    def matches(file: Path) -> bool:
        return any(
            file.is_relative_to(fixed) and (not parts or patterns.matches(file.relative_to(fixed).as_posix(), parts))
            for fixed, parts in split
        )

    return matches


def _hashed(root: Path, chosen: Iterable[Path], named: frozenset[Path]) -> Iterator[SourceFile]:
    """The files with their digests, sorted by path."""
    for file in sorted(chosen, key=lambda path: path.relative_to(root).as_posix()):
        path = file.relative_to(root).as_posix()
        check(path)
        size = _size(file)
        if size > LARGEST_BYTES and file not in named:
            raise SpecError(
                f"`{path}` would travel with the code, has {size / 10**6:.0f} MB; {LARGEST_BYTES // 10**6} is the most",
                hint="declare it as a dataset and read it as an input, or leave it out with a line in .cloudmlignore",
            )
        yield SourceFile(path, sha256(str(file), size), size)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise unreadable(file, error) from error


@dataclass(frozen=True)
class Follower:
    """Follows imports inside one folder.

    Attributes:
        root: The folder.
        visible: Its files that are not ignored.
        bases: Where modules are looked for, in this order: as sys.path will have it.
    """

    root: Path
    visible: tuple[Path, ...]
    bases: tuple[Path, ...]

    def follow(self, start: Iterable[Path]) -> frozenset[Path]:
        """The files that code starting at *start* can import, these included."""
        reached: set[Path] = set()
        asked = frozenset(start)
        waiting = list(asked)
        while waiting:
            file = waiting.pop()
            if file in reached or (file not in asked and refused(self.root, file)):
                continue
            reached.add(file)
            if file.suffix == ".py":
                waiting += self._wanted_by(file)
            elif file.suffix in SCRIPTS:
                waiting += self._all_python()
        return frozenset(reached)

    def _wanted_by(self, file: Path) -> Iterator[Path]:
        imports = self._imports(file)
        if imports.dynamic:
            yield from self._all_python()
        for one in imports.modules:
            for found in self._found(one, file):
                yield from self._inside(found) if found.is_dir() else (found,)
        for text in imports.paths:
            paths = (Path(os.path.normpath(base / text)) for base in self.bases)
            yield from (path for path in paths if path.is_relative_to(self.root) and path.is_file())

    def _imports(self, file: Path) -> Imports:
        path = file.relative_to(self.root).as_posix()
        try:
            return wanted(file.read_bytes(), path)
        except SyntaxError as error:
            where = f"{file}:{error.lineno or 1}"
            raise SpecError(f"`{path}`, line {error.lineno or 1}: {error.msg}", where=where) from error
        except OSError as error:
            raise unreadable(file, error) from error

    def _all_python(self) -> Iterator[Path]:
        return (file for file in self.visible if file.suffix in PYTHON)

    def _inside(self, package: Path) -> Iterator[Path]:
        """All files of a package, also of one that git ignores."""
        inside = [file for file in self.visible if file.is_relative_to(package)]
        return iter(inside or list(files(package, Ignores())))

    def _found(self, one: Import, importer: Path) -> Iterator[Path]:
        """The module files and package folders that an import leads to."""
        folders = list(importer.parents[one.level - 1 : one.level] if one.level else self.bases)
        for part in one.name.split(".") if one.name else ():
            module, folders = self._look(folders, part)
            if module:
                yield module
                return
        for member in one.members:
            module, _ = self._look(folders, member)
            if module:
                yield module

    def _look(self, folders: Iterable[Path], part: str) -> tuple[Path | None, list[Path]]:
        """A package or module of that name in the first of *folders* that has one; or the folders of a namespace."""
        portions: list[Path] = []
        for folder in (folder for folder in folders if folder.is_relative_to(self.root)):
            package = folder / part
            if (package / "__init__.py").is_file():
                return package, []
            if (module := folder / f"{part}.py").is_file():
                return module, []
            if package.is_dir() and not never(package):
                portions.append(package)
        return None, portions


SCRIPTS = (".sh", ".bash")
"""Kinds of scripts that may start any Python file."""
