"""Laying code out as a folder, to be run or sent."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cloudml.errors import ConflictError, SpecError
from cloudml.storage.digests import changed, sha256, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.source import Source

RUNTIME = Path(__file__).parent / "runtime"
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip file can tell."""

MINIMAL = b'"""The part of cloudml that travels with a job; see cloudml.runtime."""\n'


def pack(source: Source, folder: Path) -> Path:
    """Lay the files of *source* out as *folder*; if it is there and not empty, it is left as it is.

    The files are copies: links would follow what is edited afterwards. The folder appears complete or not at all, and
    of several that make it at once one wins.

    Raises:
        SpecError: A file is not what it was when the source was collected.
        ConflictError: The folder is there and holds something else.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        made = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
        try:
            _lay_out(source, made)
            _rename(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    if not _holds(folder, source):
        raise ConflictError(f"`{folder}` exists and does not hold that code", hint="remove it")
    return folder


def _lay_out(source: Source, folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in source.files:
        original, copy = source.root / file.path, folder / file.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy(original, copy)  # with its mode: a script may start another
        except OSError as error:
            raise unreadable(original, error) from error
        if copy.stat().st_size != file.size or sha256(str(copy), file.size) != file.digest:
            raise changed(original)


def _rename(made: Path, folder: Path) -> None:
    """Give the finished folder its name, unless another was faster."""
    try:
        made.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise SpecError(f"`{folder}` cannot be made: {error.strerror}") from error


def _holds(folder: Path, source: Source) -> bool:
    """Whether the code lies there; what ran there may have left more files."""
    return all(
        (folder / file.path).is_file() and (folder / file.path).stat().st_size == file.size for file in source.files
    )


def runtime_files() -> Mapping[str, bytes]:
    """What `from cloudml import runtime` needs in a container where cloudml is not installed, by path."""
    modules = (path for path in RUNTIME.rglob("*.py") if "__pycache__" not in path.parts)
    found = {f"cloudml/runtime/{path.relative_to(RUNTIME).as_posix()}": path.read_bytes() for path in sorted(modules)}
    return {"cloudml/__init__.py": MINIMAL} | found


@cache
def runtime_archive() -> bytes:
    """The same as one file, which Python imports from as it is: `zipimport` reads it, and nothing is written.

    Its bytes depend on the modules alone. They lie in it as they are, so that no image needs zlib.
    """
    import io
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for path, content in runtime_files().items():
            archive.writestr(zipfile.ZipInfo(path, EARLIEST), content)
    return made.getvalue()
