"""Bringing files from a store to a folder.

A file grows under a hidden name, ``.<name>.part``, and gets its own when it is complete and its digest is right. What
an interrupted pull left is gone on with.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from cloudml.errors import ConflictError, InvalidRequestError, NotFoundError, SpecError
from cloudml.progress import Meter
from cloudml.storage.digests import sha256
from cloudml.storage.failures import translated
from cloudml.storage.manifest import check
from cloudml.storage.parallel import each

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from obstore.store import ObjectStore

    from cloudml.progress import Progress
    from cloudml.storage.store import Storage

PIECE_BYTES = 4 << 20
PIECES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did: how many files came, how many were there, how many bytes came."""

    downloaded: int = 0
    skipped: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """An object: where it is, what it is called in messages, its size in bytes."""

    store: ObjectStore
    key: str
    shown: str
    size: int


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
    return Source(storage.store, key, storage.uri(key), size)


def _total(wanted: Iterable[Wanted]) -> int:
    return sum(one.source.size for one in wanted)


def _bring(wanted: list[Wanted], folder: Path, meter: Meter, workers: int) -> Pulled:
    with translated(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_clashes([one.name for one in wanted], folder)
    came = each(lambda one: _arrive(one, folder, meter), wanted, workers=workers, stop=meter.stop)
    sizes = [one.source.size for one, travelled in zip(wanted, came, strict=True) if travelled]
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


def _arrive(wanted: Wanted, folder: Path, meter: Meter) -> bool:
    """Bring one file unless it is there; whether it came."""
    target = folder / wanted.name
    with translated(str(target)):
        if wanted.digest and target.is_file() and _is(target, wanted):
            meter.add(wanted.source.size)
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        # What was begun may be damaged, or be written by another pull right now: then anew under a name of our own.
        for part in (f".{target.name}.part", f".{target.name}.{uuid4().hex[:8]}.part"):
            if _complete(wanted, target.with_name(part), meter):
                target.with_name(part).replace(target)
                return True
    raise ConflictError(
        f"`{wanted.source.shown}` is not what was pushed: its digest is another", hint="delete it and push it again"
    )


def _complete(wanted: Wanted, part: Path, meter: Meter) -> bool:
    receive(wanted.source, part, meter)
    if _is(part, wanted):
        return True
    part.unlink(missing_ok=True)
    return False


def _is(file: Path, wanted: Wanted) -> bool:
    size = wanted.source.size
    return file.stat().st_size == size and (not wanted.digest or sha256(str(file), size) == wanted.digest)


def receive(source: Source, part: Path, meter: Meter) -> None:
    """Bring an object to *part*, going on from what is there."""
    if source.size <= PIECE_BYTES:
        part.write_bytes(_whole(source))
        meter.add(source.size)
        return
    with part.open("ab") as file:
        if file.tell() > source.size:
            file.truncate(0)
        meter.add(file.tell())
        try:
            _in_pieces(source, file, meter)
        except InvalidRequestError:
            # A server that knows no ranges.
            file.truncate(0)
            _in_one_stream(source, file, meter)


def _whole(source: Source) -> bytes:
    import obstore

    with translated(source.shown):
        return obstore.get(source.store, source.key).bytes().to_bytes()


def _in_pieces(source: Source, file: BinaryIO, meter: Meter) -> None:
    """Append the rest, several ranges at once; in order, so that what an interrupted write left is a beginning."""
    import obstore

    def piece(start: int) -> bytes:
        end = min(start + PIECE_BYTES, source.size)
        with translated(source.shown):
            return obstore.get_range(source.store, source.key, start=start, end=end).to_bytes()

    starts = range(file.tell(), source.size, PIECE_BYTES)
    for first in range(0, len(starts), PIECES_AT_ONCE):
        for content in each(piece, starts[first : first + PIECES_AT_ONCE], workers=PIECES_AT_ONCE):
            file.write(content)
            meter.add(len(content))


def _in_one_stream(source: Source, file: BinaryIO, meter: Meter) -> None:
    import obstore

    with translated(source.shown):
        for content in obstore.get(source.store, source.key).stream(PIECE_BYTES):
            file.write(content)
            meter.add(len(content))
