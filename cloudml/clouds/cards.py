"""Cards: small objects in the bucket that say whose a dataset or a job is.

They are listed in few requests, however many files a dataset has; they are there before the first file, so that what
was interrupted is found again; and they tell at once what the index of tags tells some minutes later.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cloudml.errors import ProviderError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore import ObjectMeta

    from cloudml.storage import Storage

ENDING = ".json"
COMPLETE = ".complete"
"""How the name of the object ends that says that everything is there."""
SHARED = ("blobs", "origins", "staging")
"""What spares sending the same content again; nothing reads it."""
NAMING = ("cards", "datasets", "jobs", "models")
"""Where the content that lies there is named."""


def write(storage: Storage, path: str, card: Mapping[str, Any]) -> None:
    """Put a card there, in place of an earlier one."""
    storage.write(f"{path}{ENDING}", json.dumps(card, indent=1, ensure_ascii=False).encode())


def read(storage: Storage, path: str) -> dict[str, Any]:
    """The card at *path*.

    Raises:
        NotFoundError: There is none.
        ProviderError: Somebody else wrote it.
    """
    content = storage.read(f"{path}{ENDING}")
    try:
        card = json.loads(content)
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise ProviderError(f"`{storage.uri(path)}{ENDING}` is no card of cloudml", hint="remove it")
    return card


@dataclass(frozen=True, slots=True)
class Held:
    """A card that only one of several can change: each change counts only if nobody else has made one meanwhile.

    Attributes:
        card: What it says; empty where there is none.
        seen: Which version of the object that was; None where there is none.
    """

    card: Mapping[str, Any]
    seen: ObjectMeta | None


def attempt() -> str:
    """What tells one start of a thing from every other one, in its card."""
    return os.urandom(16).hex()


def held(storage: Storage, path: str) -> Held:
    """The card at *path*, to be changed."""
    found = storage.seen(f"{path}{ENDING}")
    return Held(json.loads(found[0]), found[1]) if found else Held({}, None)


def change(storage: Storage, path: str, before: Held, card: Mapping[str, Any]) -> bool:
    """Put *card* in the place of the one that was held; False when somebody else was quicker."""
    content = json.dumps(card, indent=1, ensure_ascii=False).encode()
    if before.seen is None:
        done = storage.claim(f"{path}{ENDING}", content)
    else:
        done = storage.replace(f"{path}{ENDING}", content, before.seen)
    # The answer to the first of two attempts may have been lost: then the second was refused because of the first.
    return done or held(storage, path).card == card


def listed(storage: Storage, folder: str) -> dict[str, bool]:
    """The names of the cards in *folder*, and whether each is marked as complete."""
    paths = {one.path.rpartition("/")[2] for one in storage.list(folder.rstrip("/"))}
    found = sorted(name.removesuffix(ENDING) for name in paths if name.endswith(ENDING))
    return {name: f"{name}{COMPLETE}" in paths for name in found}


def remove(storage: Storage, path: str) -> None:
    """Remove a card; with the project's last, also the contents that are kept to spare sending them again."""
    storage.remove([f"{path}{ENDING}"])
    if not any(next(storage.list(folder), None) for folder in NAMING):
        for folder in SHARED:
            storage.delete(folder)
