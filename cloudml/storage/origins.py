"""Contents that come from elsewhere: fetched once, and remembered by what their server said of them."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cloudml.errors import ConflictError, InvalidRequestError, NotFoundError, ProviderError
from cloudml.storage import blobs
from cloudml.storage.failures import translated
from cloudml.storage.files import STAGING
from cloudml.storage.locations import address, opened, parsed
from cloudml.storage.pieces import Reckoning
from cloudml.storage.pulling import Source, ranges, receive, stream, whole
from cloudml.storage.remote import identity, look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloudml.progress import Meter
    from cloudml.storage.manifest import Entry
    from cloudml.storage.store import Storage


def bring(storage: Storage, entries: tuple[Entry, ...], meter: Meter) -> tuple[tuple[Entry, ...], int | None]:
    """Fetch one remote content into the store's blobs.

    Its entries come back with their true digest; besides how many bytes travelled, None where the content was there.

    Raises:
        ConflictError: It is not what it was when the manifest was made.
    """
    entry = entries[0]
    marker = f"origins/{entry.digest}"
    digest = _known(storage, marker, entry.size)
    if digest:
        meter.add(entry.size)
        return tuple(replace(entry, digest=digest) for entry in entries), None
    location = parsed(entry.source)
    source = Source(opened(location.root), location.key, address(location.root, location.key), entry.size)
    _look_again(source, entry)
    digest, new = (_to_folder if storage.folder else _to_bucket)(storage, source, entry, meter)
    storage.write(marker, json.dumps({"digest": digest}).encode())
    return tuple(replace(entry, digest=digest) for entry in entries), entry.size if new else None


def _look_again(source: Source, entry: Entry) -> None:
    """Ask the content's server whether it is still what the manifest says."""
    if identity(look(source.store, source.key, source.shown)) != entry.digest:
        raise ConflictError(f"`{source.shown}` changed meanwhile", hint="try again")


def _known(storage: Storage, marker: str, size: int) -> str:
    """The digest of a content that was fetched before and is still there; empty otherwise."""
    try:
        digest = str(json.loads(storage.read(marker))["digest"])
    except NotFoundError:
        return ""
    return digest if blobs.has(storage, digest, size) else ""


def _to_folder(storage: Storage, source: Source, entry: Entry, meter: Meter) -> tuple[str, bool]:
    """Bring a content to a file, which becomes a blob; its digest, and whether it was new."""
    assert storage.folder
    staging = storage.folder / STAGING
    with translated(str(staging)):
        staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cloudml-", dir=staging) as folder:
        file = Path(folder, "content")
        _, digest = receive(source, str(file), meter)
        _look_again(source, entry)
        return digest, blobs.adopt(storage, file, digest)


def _to_bucket(storage: Storage, source: Source, entry: Entry, meter: Meter) -> tuple[str, bool]:
    """Send a content on as it comes; its digest, and whether it was new.

    Its name is known when all of it has passed. So a large one goes to a name of its own first, from which the store
    copies it: nothing of it is kept here.
    """
    passing = Passing(meter, entry.size)
    if entry.size <= blobs.WHOLE_BYTES:
        content = b"".join(passing.seen([whole(source)]))
        _look_again(source, entry)
        return passing.digest, blobs.put_whole(storage, passing.digest, content)
    staged = f"{STAGING}/{uuid4().hex}"
    try:
        with translated(storage.uri(staged)):
            blobs.put_parts(storage, staged, passing.seen(_pieces(source)), entry.size)
        _look_again(source, entry)
        new = not blobs.has(storage, passing.digest, entry.size)
        if new:
            blobs.duplicate(storage, staged, blobs.blob(passing.digest), entry.size)
        return passing.digest, new
    finally:
        with suppress(ProviderError):  # what stays is swept
            storage.remove([staged])


def _pieces(source: Source) -> Iterator[bytes | memoryview]:
    """The content in order, from a server that knows ranges or one that does not."""
    pieces = ranges(source)
    try:
        first = next(pieces)
    except InvalidRequestError:
        yield from stream(source)
        return
    yield first
    yield from pieces


class Passing:
    """Reckons the digest of what passes.

    Args:
        meter: Told of every byte.
        size: How many there will be.
    """

    def __init__(self, meter: Meter, size: int) -> None:
        self._meter = meter
        self._found = Reckoning(size)

    def seen(self, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """The same pieces."""
        for piece in pieces:
            self._found.update(piece)
            self._meter.add(len(piece))
            yield piece

    @property
    def digest(self) -> str:
        return self._found.digest()
