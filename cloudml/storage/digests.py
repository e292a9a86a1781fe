"""Digests of files, remembered so that an unchanged file is not read again."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from typing import TYPE_CHECKING, Protocol, TypeVar

from cloudml.errors import SpecError
from cloudml.records import dataclass
from cloudml.storage.pieces import Reckoning

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

SETTLED_NS = 2_000_000_000
"""A file may change twice within the tick of its file system's clock (two seconds on FAT) and look untouched, so a
digest is remembered only of a file that was left alone that long before it was read."""

PATIENCE_S = 10.0
"""How long to wait for another process that writes the cache."""

CHUNK_BYTES = 1 << 20
AT_ONCE = 500
"""Paths in one query: SQLite allows 999 variables in old versions."""

ROWS_AT_MOST = 500_000

Mark = tuple[int, int, int, int, int]
Result = TypeVar("Result")


class _Updated(Protocol):
    def update(self, content: bytes, /) -> None:
        """So much more of it."""


Updated = TypeVar("Updated", bound=_Updated)


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what an unchanged file is known."""

    size: int
    mtime_ns: int
    inode: int


def stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def mark(status: os.stat_result) -> Mark:
    """Like a stamp, with the time of the last change of its kind: no program can set that."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def settled(changed_ns: int, read_at_ns: int) -> bool:
    """Whether a file that changed at the one moment, and was read from the other on, cannot have changed unseen."""
    return changed_ns + SETTLED_NS < read_at_ns


def changed(path: Path | str) -> SpecError:
    return SpecError(f"`{path}` changed while it was read", hint="let what writes it finish, then try again")


def unreadable(path: Path | str, error: OSError) -> SpecError:
    return SpecError(f"`{path}` cannot be read: {error.strerror or error}")


def read(path: str) -> Iterator[bytes]:
    """The bytes of a file, CHUNK_BYTES at most at once.

    Raises:
        SpecError: It cannot be read, or changed meanwhile.
    """
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - Path.open would only wrap this hot path
            before = stamp(os.fstat(file.fileno()))
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
            after = stamp(os.fstat(file.fileno()))
        now = stamp(os.stat(path))  # noqa: PTH116 - as above
    except OSError as error:
        raise unreadable(path, error) from error
    if not before == after == now:
        raise changed(path)


def read_small(path: str, size: int) -> tuple[bytes, os.stat_result]:
    """All bytes of a file of *size*, in memory at once, and how it stood.

    Half as many calls into the system as `read` makes: threads give the interpreter away at each.

    Raises:
        SpecError: It cannot be read, or is not what it was.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            before = os.fstat(descriptor)
            found = os.read(descriptor, size + 1)
            while len(found) < size and (more := os.read(descriptor, size - len(found))):
                found += more
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(found) != size or stamp(before) != stamp(after):  # links to it may come and go
        raise changed(path)
    return found, after


def read_at(path: str, place: int, size: int) -> bytes:
    """So many bytes of a file from a place on; fewer at its end.

    Raises:
        SpecError: It cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            file.seek(place)
            found = file.read(size)
            while len(found) < size and (more := file.read(size - len(found))):
                found += more
    except OSError as error:
        raise unreadable(path, error) from error
    return found


def sha256(path: str, size: int, count: Callable[[int], None] | None = None) -> str:
    """The SHA-256, in hexadecimal, of a file of *size* bytes that does not change; *count* hears of each piece.

    Raises:
        SpecError: It cannot be read, or is not what it was.
    """
    return _reckoned(path, size, hashlib.sha256(), count).hexdigest()


def digest(path: str, size: int, like: str = "") -> str:
    """The digest of a file as a manifest tells it, *like* another that it will be compared with.

    Raises:
        SpecError: It cannot be read, or is not what it was.
    """
    return _reckoned(path, size, Reckoning(size, like)).digest()


def sha256_of_piece(path: str, place: int, size: int, count: Callable[[int], None]) -> bytes:
    """The SHA-256, as 32 bytes, of so many bytes of a file from a place on; *count* hears of each chunk.

    Raises:
        SpecError: It cannot be read, or does not hold so many.
    """
    found = hashlib.sha256()
    chunk = memoryview(bytearray(min(size, CHUNK_BYTES)))
    left = size
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            file.seek(place)
            while left and (got := file.readinto(chunk[:left])):
                found.update(chunk[:got])
                count(got)
                left -= got
    except OSError as error:
        raise unreadable(path, error) from error
    if left:
        raise changed(path)
    return found.digest()


def _reckoned(path: str, size: int, found: Updated, count: Callable[[int], None] | None = None) -> Updated:
    seen = 0
    for chunk in read(path) if size > CHUNK_BYTES else read_small(path, size)[:1]:
        found.update(chunk)
        seen += len(chunk)
        if count:
            count(len(chunk))
    if seen != size:
        raise changed(path)
    return found


class DigestCache:
    """Digests by path, size, time of change and inode, in one SQLite file; any number of processes may share it.

    Losing it costs time and nothing else, so a damaged or unwritable file counts as an empty one.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def known(self, stamps: Mapping[str, Stamp]) -> dict[str, str]:
        """Digests of those files that are as they were."""
        paths = list(stamps)

        def look(database: sqlite3.Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for start in range(0, len(paths), AT_ONCE):
                some = paths[start : start + AT_ONCE]
                rows = database.execute(SELECT.format(",".join("?" * len(some))), some)
                found |= {path: digest for path, *seen, digest in rows if Stamp(*seen) == stamps[path]}
            return found

        return self._run(look) or {}

    def keep(self, digests: Iterable[tuple[str, Stamp, str]], read_at_ns: int) -> None:
        """Remember digests of files whose reading began at *read_at_ns*, but of no file that had just changed."""
        rows = [
            (path, seen.size, seen.mtime_ns, seen.inode, digest)
            for path, seen, digest in digests
            if settled(seen.mtime_ns, read_at_ns)
        ]

        def write(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?)", rows)
            database.execute(FORGET, (ROWS_AT_MOST,))

        if rows:
            self._run(write)

    def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        import sqlite3

        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=PATIENCE_S)) as database, database:
                database.execute(SCHEMA)
                return work(database)
        except (OSError, sqlite3.OperationalError):
            return None
        except sqlite3.DatabaseError:
            self._file.unlink(missing_ok=True)
            return None


SCHEMA = """CREATE TABLE IF NOT EXISTS contents (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, digest TEXT
)"""

SELECT = "SELECT path, size, mtime_ns, inode, digest FROM contents WHERE path IN ({})"
FORGET = "DELETE FROM contents WHERE rowid <= (SELECT max(rowid) FROM contents) - ?"
