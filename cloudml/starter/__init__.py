"""The project that `cloudml init` writes: a whole life in seconds, with nothing but cloudml."""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from cloudml.errors import SpecError
from cloudml.specs.base import PROJECT
from cloudml.specs.load import FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLACEHOLDER = "PROJECT"
EMPTY = "choose an empty folder: `cloudml init DIR`"


def write(folder: Path, name: str = "") -> tuple[Path, ...]:
    """Write the starter project into *folder*, which is made if it is not there; what was written.

    The project file comes last: where it is missing, a run that was interrupted is taken up again.

    Args:
        name: The project's name; made from the folder's when empty.

    Raises:
        SpecError: No project may have that name, or a file is there already: nothing is written.
    """
    name = _allowed(name or project_name(folder.absolute().name))
    with as_file(files(__name__) / "files") as source:
        texts = {
            path.relative_to(source): path.read_text("utf-8").replace(PLACEHOLDER, name)
            for path in sorted(source.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
    _refuse_what_is_there(folder, texts)
    for path, text in sorted(texts.items(), key=lambda item: item[0].name == FILE):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())
    return tuple(folder / path for path in texts)


def _allowed(name: str) -> str:
    if not re.fullmatch(PROJECT, name):
        raise SpecError(
            f"no project may be named `{name}`",
            hint=f"2 to 31 of a-z, 0-9 and `-`, a letter first: `{project_name(name)}`",
        )
    return name


def _refuse_what_is_there(folder: Path, texts: Mapping[Path, str]) -> None:
    folders = (place for path in texts for place in reversed((folder / path).parents))
    blocked = next((place for place in folders if _there(place) and not place.is_dir()), None)
    if blocked:
        raise SpecError(f"`{blocked}` is not a folder; nothing was written", hint=EMPTY)
    begun = not _there(folder / FILE)
    there = [
        f"`{path}`"
        for path, text in texts.items()
        if _there(folder / path) and not (begun and _is(folder / path, text))
    ]
    if there:
        raise SpecError(f"`{folder}` has {', '.join(there)} already; nothing was written", hint=EMPTY)


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _there(path: Path) -> bool:
    return path.exists() or path.is_symlink()  # a link to nothing is there too


def project_name(folder: str) -> str:
    """A name that a project may have, as near to the folder's as can be."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")
    name = re.sub(r"^[^a-z]+", "", name)[:31].rstrip("-")
    return name if len(name) > 1 else "my-project"
