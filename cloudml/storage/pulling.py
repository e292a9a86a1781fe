"""Bringing files from a store to a folder.

A file grows under a hidden name, ``.<name>.part``, and gets its own when it is complete and its digest is right. What
an interrupted pull left is gone on with.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING
from uuid import uuid4

from cloudml.errors import ConflictError, InvalidRequestError, NotFoundError, SpecError
from cloudml.progress import Meter
from cloudml.records import dataclass
from cloudml.storage.digests import CHUNK_BYTES, digest
from cloudml.storage.failures import translated
from cloudml.storage.manifest import check
from cloudml.storage.parallel import Room, each, in_order
from cloudml.storage.pieces import Reckoning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from obstore.store import ObjectStore

    from cloudml.progress import Progress
    from cloudml.storage.store import Storage

PIECE_BYTES = 4 << 20
PIECES_AT_ONCE = 4
ROOM_BYTES = 96 << 20
"""How much of all files that are on their way is in memory."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did: how many files came, how many were there, how many bytes came."""

    downloaded: int = 0
    skipped: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """An object: where it is, what it is called in messages, its size in bytes, and its path in a file system."""

    store: ObjectStore
    key: str
    shown: str
    size: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to bring: what it comes from, its path below the folder, and its digest where it is known."""

    source: Source
    name: str
    digest: str = ""


def pull(storage: Storage, prefix: str, folder: Path, progress: Progress) -> Pulled:
    """As `Storage.pull`."""
    wanted = [
        Wanted(_source(storage, f"{prefix}/{entry.path}", entry.size), entry.path, entry.digest)
        for entry in storage.manifest(prefix).entries
    ]
    return _bring(wanted, folder, Meter(progress, _total(wanted), f"fetching {prefix}"), storage.workers)


def download(storage: Storage, prefix: str, folder: Path, progress: Progress) -> Pulled:
    """As `Storage.download`."""
    wanted = [
        Wanted(_source(storage, listed.path, listed.size), listed.path[len(prefix) + 1 :])
        for listed in storage.list(prefix)
    ]
    if not wanted:
        raise NotFoundError(f"`{storage.uri(prefix)}` holds nothing")
    for one in wanted:
        check(one.name)
    return _bring(wanted, folder, Meter(progress, _total(wanted), f"fetching {prefix}"), storage.workers)


def _source(storage: Storage, key: str, size: int) -> Source:
    return Source(storage.store, key, storage.uri(key), size, f"{storage.folder}/{key}" if storage.folder else "")


def _total(wanted: Iterable[Wanted]) -> int:
    return sum(one.source.size for one in wanted)


def _bring(wanted: list[Wanted], folder: Path, meter: Meter, workers: int) -> Pulled:
    with translated(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_clashes([one.name for one in wanted], folder)
        for parent in sorted({one.name.rpartition("/")[0] for one in wanted} - {""}):
            (folder / parent).mkdir(parents=True, exist_ok=True)
    room = Room(ROOM_BYTES)
    # Large ones first: they take longest.
    ordered = sorted(wanted, key=lambda one: -one.source.size)
    came = each(lambda one: _arrive(one, folder, meter, room), ordered, workers=workers, stop=meter.stop)
    sizes = [one.source.size for one, travelled in zip(ordered, came, strict=True) if travelled]
    return Pulled(len(sizes), len(wanted) - len(sizes), sum(sizes))


def _refuse_clashes(names: list[str], folder: Path) -> None:
    folded = {name.casefold(): name for name in names}
    clashing = [name for name in names if folded[name.casefold()] != name]
    if clashing and _folds_case(folder):
        raise SpecError(
            f"`{clashing[0]}` and `{folded[clashing[0].casefold()]}` are one name in the file system of {folder}",
            hint="use a folder whose file system tells upper from lower case",
        )


def _folds_case(folder: Path) -> bool:
    with tempfile.NamedTemporaryFile(prefix=".case-", dir=folder) as probe:
        return (folder / Path(probe.name).name.swapcase()).exists()


def _arrive(wanted: Wanted, folder: Path, meter: Meter, room: Room) -> bool:
    """Bring one file unless it is there; whether it came."""
    target = f"{folder}/{wanted.name}"
    with translated(target):
        if wanted.digest and _is(target, wanted):
            meter.add(wanted.source.size)
            return False
        # What was begun may be damaged, or be written by another pull right now: then anew under a name of our own.
        above, _, name = target.rpartition("/")
        for part in (f"{above}/.{name}.part", f"{above}/.{name}.{uuid4().hex[:8]}.part"):
            with room.of(min(wanted.source.size, PIECES_AT_ONCE * PIECE_BYTES)):
                complete = _complete(wanted, part, meter)
            if complete:
                os.replace(part, target)  # noqa: PTH105 - hot, as everything here: once for each file
                return True
    raise ConflictError(
        f"`{wanted.source.shown}` is not what was pushed: its digest is another", hint="delete it and push it again"
    )


def _complete(wanted: Wanted, part: str, meter: Meter) -> bool:
    size, found = receive(wanted.source, part, meter, wanted.digest)
    if size == wanted.source.size and wanted.digest in ("", found):
        return True
    Path(part).unlink(missing_ok=True)
    return False


def _is(file: str, wanted: Wanted) -> bool:
    """Whether the file is there, and is what is wanted."""
    try:
        status = os.stat(file)  # noqa: PTH116 - hot
    except FileNotFoundError:
        return False
    size = wanted.source.size
    return S_ISREG(status.st_mode) and status.st_size == size and digest(file, size, wanted.digest) == wanted.digest


def receive(source: Source, part: str, meter: Meter, like: str = "") -> tuple[int, str]:
    """Bring an object to the file *part*, going on from what is there; how many bytes it has, and their digest.

    Args:
        source: The object.
        part: A path.
        meter: Told of every byte that is there.
        like: A digest with which theirs will be compared.
    """
    reckoning = Reckoning(source.size, like)
    if source.size <= PIECE_BYTES:
        content = whole(source)
        with open(part, "wb") as file:  # noqa: PTH123 - hot
            file.write(content)
        meter.add(source.size)
        reckoning.update(content)
        return len(content), reckoning.digest()
    with Path(part).open("a+b") as file:
        arrived = Arrived(file, meter, reckoning)
        arrived.go_on(source.size)
        try:
            for piece in ranges(source, arrived.size):
                arrived.add(piece)
        except InvalidRequestError:
            # A server that knows no ranges.
            arrived.begin_anew(Reckoning(source.size, like))
            for part_of_it in stream(source):
                arrived.add(part_of_it)
        return arrived.size, arrived.reckoning.digest()


def whole(source: Source) -> memoryview:
    """The content of a small object."""
    import obstore

    with translated(source.shown):
        if source.file:  # obstore goes through three threads for it
            with open(source.file, "rb", buffering=0) as file:  # noqa: PTH123 - hot
                return memoryview(file.read())
        return memoryview(obstore.get(source.store, source.key).bytes())


class Arrived:
    """What has come of an object: a file that grows from its beginning, and the digest of it.

    Args:
        file: Open for reading and appending.
        meter: Told of every byte that is there.
        reckoning: Of its digest.
    """

    def __init__(self, file: BinaryIO, meter: Meter, reckoning: Reckoning) -> None:
        self._file, self._meter, self.reckoning = file, meter, reckoning
        self.size = 0

    def go_on(self, most: int) -> None:
        """Begin with what is in the file, unless that is more than there can be."""
        if self._file.seek(0, os.SEEK_END) > most:
            self._file.truncate(0)
        self._file.seek(0)
        while piece := self._file.read(CHUNK_BYTES):
            self.reckoning.update(piece)
            self.size += len(piece)
        self._meter.add(self.size)

    def begin_anew(self, reckoning: Reckoning) -> None:
        self._file.truncate(0)
        self.reckoning = reckoning
        self.size = 0

    def add(self, piece: bytes | memoryview) -> None:
        """Append what follows."""
        count = self._file.write(piece)
        self.reckoning.update(piece)
        self.size += count
        self._meter.add(count)


def ranges(source: Source, start: int = 0) -> Iterator[memoryview]:
    """The content from *start* on, several ranges at once; in order, so that what has come is always a beginning.

    Raises:
        InvalidRequestError: The server knows no ranges.
    """
    import obstore

    def piece(start: int) -> memoryview:
        end = min(start + PIECE_BYTES, source.size)
        with translated(source.shown):
            return memoryview(obstore.get_range(source.store, source.key, start=start, end=end))

    return in_order(piece, range(start, source.size, PIECE_BYTES), ahead=PIECES_AT_ONCE)


def stream(source: Source) -> Iterator[bytes]:
    """The content in one answer, piece by piece.

    A thread reads it: obstore cannot read on the one in which it asks for what it sends.
    """
    import obstore

    def pieces() -> Iterator[bytes]:
        with translated(source.shown):
            yield from obstore.get(source.store, source.key).stream(PIECE_BYTES)

    found = pieces()
    return iter(in_order(lambda _: next(found, b""), itertools.count(), ahead=1).__next__, b"")
