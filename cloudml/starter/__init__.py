"""The project that `cloudml init` writes: a whole life in seconds, with nothing but cloudml."""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from cloudml.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

PLACEHOLDER = "PROJECT"


def write(folder: Path, name: str = "") -> tuple[Path, ...]:
    """Write the starter project into *folder*, which is made if it is not there; what was written.

    Args:
        name: The project's name; made from the folder's when empty.

    Raises:
        SpecError: A file of that name is there already: nothing is written.
    """
    name = name or project_name(folder.absolute().name)
    with as_file(files(__name__) / "files") as source:
        texts = {
            path.relative_to(source): path.read_text("utf-8").replace(PLACEHOLDER, name)
            for path in sorted(source.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
    there = [str(path) for path in texts if (folder / path).exists()]
    if there:
        raise SpecError(
            f"`{folder}` has {', '.join(f'`{one}`' for one in there)} already; nothing was written",
            hint="choose an empty folder: `cloudml init DIR`",
        )
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return tuple(folder / path for path in texts)


def project_name(folder: str) -> str:
    """A name that a project may have, as near to the folder's as can be."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")
    name = re.sub(r"^[^a-z]+", "", name)[:31].rstrip("-")
    return name if len(name) > 1 else "my-project"
