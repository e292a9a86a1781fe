"""Removing content that nothing names any more.

A blob is only there to spare sending it again: every dataset has copies of its own, so removing one
costs time, not data.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from cloudml import clock
from cloudml.errors import NotFoundError, PermissionDeniedError
from cloudml.records import dataclass
from cloudml.storage.files import STAGING
from cloudml.storage.manifest import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from cloudml.storage.store import Listed, Storage

OWN = ("blobs", "origins", STAGING)
ORIGINS_AT_MOST_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Swept:
    """How many blobs were removed, and their size."""

    blobs: int = 0
    bytes: int = 0


def sweep(storage: Storage, grace: timedelta) -> Swept:
    """As `Storage.sweep`."""
    before = clock.now() - grace
    named = {digest for manifest in _manifests(storage) for digest in manifest}
    old = [one for one in storage.list("blobs") if one.modified < before and _digest(one) not in named]
    for one in old:
        storage.remove([one.path])
    _sweep_origins(storage, before)
    _sweep_uploads(storage, before)
    if storage.folder:
        _sweep_litter(storage.folder, before)
    else:
        storage.remove([one.path for one in storage.list(STAGING) if one.modified < before])
    return Swept(len(old), sum(one.size for one in old))


def _digest(listed: Listed) -> str:
    return listed.path.rpartition("/")[2]


def _manifests(storage: Storage) -> Iterator[set[str]]:
    """The digests that each manifest names; files inside a pushed folder are data, whatever they are called."""
    complete: set[str] = set()
    for path in candidates(listed.path for listed in storage.list()):
        if any(parent in complete for parent in _parents(path)):
            continue
        found = parsed(storage.read(path))
        if found:
            complete.add(path.removesuffix(".json"))
            yield {entry.digest for entry in found[1].entries}


def candidates(paths: Iterable[str]) -> list[str]:
    """The paths that may be manifests, those nearest to the root first."""
    named = [path for path in paths if path.endswith(".json") and path.partition("/")[0] not in OWN]
    return sorted(named, key=lambda path: (path.count("/"), path))


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _sweep_origins(storage: Storage, before: datetime) -> None:
    for one in list(storage.list("origins")):
        digest = json.loads(storage.read(one.path))["digest"]
        if one.modified < before and not storage.exists(f"blobs/{digest[:2]}/{digest}"):
            storage.remove([one.path])


def _sweep_uploads(storage: Storage, before: datetime) -> None:
    """Uploads that nobody goes on with; where they may not be listed, the store's own rules remove them."""
    uploads = storage.uploads
    if uploads is None:
        return
    with suppress(PermissionDeniedError):
        for upload in [one for folder in ("blobs", STAGING) for one in uploads.unfinished(folder)]:
            if upload.begun and upload.begun < before:
                with suppress(NotFoundError):
                    uploads.abort(upload)


def _sweep_litter(folder: Path, before: datetime) -> None:
    """What killed processes left in a file system: staged files and folders."""
    for item in folder.glob(f"{STAGING}/*"):
        if item.lstat().st_mtime < before.timestamp():
            shutil.rmtree(item) if item.is_dir() else item.unlink(missing_ok=True)
