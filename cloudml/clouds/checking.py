"""Looking at a target: what is the same at every cloud."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from cloudml.errors import CloudMLError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cloudml.specs import ProjectSpec
    from cloudml.storage import Storage

Wanted = TypeVar("Wanted")
CONTENT = b"cloudml"


def probed(storage: Storage) -> tuple[bool, str]:
    """Write an object, read it, remove it: whether that went well, and what to say of it."""
    from uuid import uuid4

    path = f"check-{uuid4().hex}"
    try:
        storage.write(path, CONTENT)
        said = storage.read(path)
        storage.remove([path])
    except CloudMLError as error:
        with suppress(CloudMLError):
            storage.remove([path])
        return False, error.message
    return said == CONTENT, f"written, read, removed at {storage.url}"


def of_folder(root: Path, of_project: Callable[[ProjectSpec], Iterable[Wanted]]) -> tuple[Wanted, ...]:
    """What the project in a folder needs of a quota; nothing where there is none, or it cannot be read."""
    from cloudml.specs.load import load

    try:
        return tuple(of_project(load(root)))
    except CloudMLError:
        return ()  # `cloudml validate` says what is wrong with it
