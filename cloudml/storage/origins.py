"""Contents that come from elsewhere: fetched once, and remembered by what their server said of them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.errors import ConflictError, NotFoundError
from cloudml.progress import SILENT, Meter
from cloudml.storage import blobs
from cloudml.storage.locations import address, opened, parsed
from cloudml.storage.pulling import Source, receive
from cloudml.storage.remote import identity, look

if TYPE_CHECKING:
    from cloudml.storage.manifest import Entry
    from cloudml.storage.store import Storage


def bring(storage: Storage, entries: tuple[Entry, ...], meter: Meter) -> tuple[tuple[Entry, ...], bool]:
    """Fetch one remote content into the store's blobs; its entries with their true digest, and whether it travelled.

    Raises:
        ConflictError: It is not what it was when the manifest was made.
    """
    marker = f"origins/{entries[0].digest}"
    digest = _known(storage, marker, entries[0].size)
    if digest:
        meter.add(entries[0].size)
        return tuple(replace(entry, digest=digest) for entry in entries), False
    with tempfile.TemporaryDirectory(prefix="cloudml-", dir=_staging(storage)) as folder:
        file = Path(folder, "content")
        digest = _fetch(entries[0], file, meter)
        local = replace(entries[0], digest=digest, source=str(file))
        uploaded = blobs.upload(storage, local, Meter(SILENT, None, meter.label))
    storage.write(marker, json.dumps({"digest": digest}).encode())
    return tuple(replace(entry, digest=digest) for entry in entries), uploaded


def _known(storage: Storage, marker: str, size: int) -> str:
    """The digest of a content that was fetched before and is still there; empty otherwise."""
    try:
        digest = str(json.loads(storage.read(marker))["digest"])
    except NotFoundError:
        return ""
    there = storage.head(blobs.blob(digest))
    return digest if there and there["size"] == size else ""


def _staging(storage: Storage) -> Path | None:
    """Beside the blobs where these are files, so that a full disk is the right one; else the system's own place."""
    if not storage.folder:
        return None
    folder = storage.folder / "staging"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fetch(entry: Entry, file: Path, meter: Meter) -> str:
    """Bring a remote content to a file; its digest."""
    location = parsed(entry.source)
    store = opened(location.root)
    shown = address(location.root, location.key)

    def unchanged() -> None:
        if identity(look(store, location.key, shown)) != entry.digest:
            raise ConflictError(f"`{shown}` changed meanwhile", hint="try again")

    unchanged()
    _, digest = receive(Source(store, location.key, shown, entry.size), str(file), meter)
    unchanged()
    return digest
