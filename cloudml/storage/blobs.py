"""Contents under their digests, and the copies that give them names."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cloudml.errors import AlreadyExistsError
from cloudml.progress import Once
from cloudml.records import dataclass
from cloudml.storage import files, parts, pieces
from cloudml.storage.digests import CHUNK_BYTES, changed, mark, read, read_at, read_small
from cloudml.storage.failures import translated
from cloudml.storage.parts import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cloudml.progress import Meter
    from cloudml.storage.manifest import Entry
    from cloudml.storage.parts import Uploads
    from cloudml.storage.store import Storage

WHOLE_BYTES = 8 << 20
"""Files up to this size are sent in one request."""

PAGE = 1_000
"""Objects that a store lists at once."""

PAGE_COSTS = 64
"""A page of a list, of which one waits for the next, takes as long as looking at so many objects at once."""

ANYONE_WRITES = 0o222
READ_ONLY = 0o444


def blob(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def sizes(storage: Storage, entries: Sequence[Entry]) -> Mapping[str, int] | None:
    """The contents in a bucket, by digest with their sizes; None where it is cheaper to look at each of *entries*.

    They lie in the order of their digests, which are spread evenly: the first page tells how many there are.
    """
    import obstore

    if storage.folder or len(entries) < PAGE_COSTS:
        return None
    most = len(entries) // PAGE_COSTS * PAGE
    found: dict[str, int] = {}
    with translated(storage.uri("blobs")):
        for page in obstore.list(storage.store, "blobs", chunk_size=PAGE):
            found |= {meta["path"].rpartition("/")[2]: meta["size"] for meta in page}
            if len(found) >= PAGE and len(found) / reached(page[-1]["path"]) > most:
                return None
    return found


def reached(path: str) -> float:
    """How much of all digests lies up to that of the blob at *path*: between 0 and 1."""
    try:
        return (int(path.rpartition("/")[2][:8], 16) + 1) / 16**8
    except ValueError:  # nothing of ours
        return 1.0


def upload(storage: Storage, entry: Entry, meter: Meter, known: Mapping[str, int] | None = None) -> int | None:
    """Send the content of a local file; how many bytes travelled, None where nothing had to.

    Args:
        storage: Where to.
        entry: The file.
        meter: Told of what is read or need not be.
        known: What `sizes` found; None to ask the store.

    Raises:
        SpecError: The file is not what it was.
    """
    path = blob(entry.digest)
    there = _size(storage, path) if known is None else known.get(entry.digest)
    if there == entry.size:
        meter.add(entry.size)
        protect(storage, path)
        return None
    try:
        return _put(storage, path, entry, meter, new=there is None)
    except AlreadyExistsError:
        # Another push was faster, with the same bytes: the name is their digest.
        return None


def has(storage: Storage, digest: str, size: int) -> bool:
    """Whether that content is there, with all of its *size* bytes."""
    return _size(storage, blob(digest)) == size


def _size(storage: Storage, path: str) -> int | None:
    """The size of what is there; None where nothing is."""
    if storage.folder:
        with translated(storage.uri(path)):
            try:
                return os.stat(f"{storage.folder}/{path}").st_size  # noqa: PTH116 - hot: once for each file
            except FileNotFoundError:
                return None
    there = storage.head(path)
    return there["size"] if there else None


def room(storage: Storage, size: int) -> int:
    """How many bytes of a file of that size are held in memory while it is sent."""
    if storage.folder:
        return min(size, CHUNK_BYTES)
    return size if size <= WHOLE_BYTES else (parts.AT_ONCE + 1) * pieces.piece_bytes(size)


def _put(storage: Storage, path: str, entry: Entry, meter: Meter, *, new: bool) -> int:
    if storage.uploads and pieces.divided(entry.digest):
        return _put_resumed(storage, storage.uploads, path, entry, Once(meter))
    content = _verified(entry, meter.add)
    with translated(storage.uri(path)):
        if storage.folder:
            files.write(storage.folder, path, content, only_new=new, mode=READ_ONLY)
        elif entry.size <= WHOLE_BYTES:
            _put_whole(storage, path, b"".join(content), new=new)
        else:
            put_parts(storage, path, content, entry.size)
    return entry.size


def _put_resumed(storage: Storage, uploads: Uploads, path: str, entry: Entry, once: Once) -> int:
    content = _Large(entry, entry.pieces if _untouched(entry) else (), once)
    sent = parts.send(uploads, path, content, entry.size, lambda: has(storage, entry.digest, entry.size))
    once.all(entry.size)
    return sent


def _put_whole(storage: Storage, path: str, content: bytes, *, new: bool) -> None:
    import obstore

    obstore.put(storage.store, path, content, mode="create" if new else "overwrite", use_multipart=False)


def put_parts(storage: Storage, path: str, content: Iterable[bytes | memoryview], size: int) -> None:
    """Send a large object of *size* bytes to a bucket; nothing of it shows there before all of *content* has come."""
    import obstore

    obstore.put(storage.store, path, content, chunk_size=pieces.piece_bytes(size), max_concurrency=parts.AT_ONCE)


def put_whole(storage: Storage, digest: str, content: bytes) -> bool:
    """Make a blob of a small content in a bucket; whether it was new."""
    path = blob(digest)
    there = _size(storage, path)
    if there == len(content):
        return False
    with translated(storage.uri(path)), suppress(AlreadyExistsError):
        _put_whole(storage, path, content, new=there is None)
    return True


def adopt(storage: Storage, file: Path, digest: str) -> bool:
    """Make a blob of a file that lies in the store's folder already; whether it was new."""
    assert storage.folder
    path = blob(digest)
    with translated(storage.uri(path)):
        new = not has(storage, digest, file.stat().st_size)
        if new:
            target = storage.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    protect(storage, path)
    return new


@dataclass(frozen=True, slots=True)
class _Large:
    """A local file that is sent in parts.

    Attributes:
        known: The SHA-256 of its pieces, if nobody has touched the file since they were reckoned; else nothing.
    """

    entry: Entry
    known: Sequence[bytes]
    once: Once

    def pieces(self) -> Iterator[Piece]:
        size = pieces.piece_bytes(self.entry.size)
        for number, length in enumerate(pieces.sizes(self.entry.size)):
            read = partial(self._read, number * size, length)
            yield Piece(length, read, self.known[number] if self.known else b"")

    def counting(self) -> Callable[[int], None]:
        return self.once.again()

    def _read(self, place: int, size: int) -> bytes:
        found = read_at(self.entry.source, place, size)
        # What was read before the file was touched is what its digest says.
        if len(found) != size or (self.known and not _untouched(self.entry)):
            raise changed(self.entry.source)
        return found

    def check(self, digests: Sequence[bytes]) -> None:
        if pieces.composite(digests) != self.entry.digest:
            raise changed(self.entry.source)


def _verified(entry: Entry, count: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of a local file; an error instead of the end when they are not those of its digest.

    Of a file that has not been touched since its digest was reckoned it is not reckoned again. The store shows nothing
    of an upload whose source failed, so no blob can have a wrong name.
    """
    if entry.size <= CHUNK_BYTES:
        content, status = read_small(entry.source, entry.size)
        if mark(status) != entry.mark and not _is(content, entry):
            raise changed(entry.source)
        count(entry.size)
        yield content
        return
    found = None if _untouched(entry) else pieces.Reckoning(entry.size, like=entry.digest)
    for chunk in read(entry.source):
        if found:
            found.update(chunk)
        count(len(chunk))
        yield chunk
    if not (found.digest() == entry.digest if found else _untouched(entry)):
        raise changed(entry.source)


def _is(content: bytes, entry: Entry) -> bool:
    reckoning = pieces.Reckoning(entry.size, like=entry.digest)
    reckoning.update(content)
    return reckoning.digest() == entry.digest


def _untouched(entry: Entry) -> bool:
    try:
        return entry.mark is not None and mark(os.stat(entry.source)) == entry.mark  # noqa: PTH116 - hot
    except OSError:
        return False


def protect(storage: Storage, path: str) -> None:
    """Make a blob in a file system read-only: datasets are links to it."""
    if storage.folder and os.name == "posix":
        file = storage.folder / path
        with translated(str(file)), suppress(FileNotFoundError):  # swept meanwhile: the copy will find out
            if file.stat().st_mode & ANYONE_WRITES:
                file.chmod(READ_ONLY)


def copy(storage: Storage, entry: Entry, target: str) -> None:
    """Give the blob of *entry* the name *target*, in place of what has it; the bytes do not travel.

    Raises:
        NotFoundError: The blob is not there.
    """
    path = blob(entry.digest)
    with translated(storage.uri(path)):
        if storage.folder:
            _link(*(f"{storage.folder}/{name}" for name in (path, target, files.STAGING)))
        else:
            duplicate(storage, path, target, entry.size)


def duplicate(storage: Storage, path: str, target: str, size: int) -> None:
    """Let a bucket's store copy an object of *size* bytes."""
    import obstore

    with translated(storage.uri(path)):
        if storage.part_copies and size > pieces.LARGE_BYTES:
            parts.duplicate(storage.part_copies, path, target, size)
        else:
            obstore.copy(storage.store, path, target)


def _link(blob: str, target: str, staging: str) -> None:
    """A hard link, or a copy where there can be none.

    obstore's own copy is not used here: over a link to the same file it leaves its temporary name behind, in the folder
    that jobs read.
    """
    try:
        files.in_its_folder(target, lambda: os.link(blob, target))
        return
    except FileExistsError:
        if Path(target).samefile(blob):
            return
    except FileNotFoundError:
        raise
    except OSError:
        # No hard links on this file system, or too many of this file.
        Path(target).parent.mkdir(parents=True, exist_ok=True)
    made = f"{staging}/{uuid4().hex}"
    Path(staging).mkdir(parents=True, exist_ok=True)
    _link_or_copy(blob, made)
    Path(made).replace(target)


def _link_or_copy(blob: str, made: str) -> None:
    try:
        os.link(blob, made)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(blob, made)
        Path(made).chmod(READ_ONLY)
