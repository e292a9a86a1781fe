"""Large contents of a double's object store: in files without a name, never copied.

What was sent does not change any more, so copies of an object share it, and an object that is put together of parts
is their list. A file goes with the last content in it.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import weakref
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PIECE_BYTES = 1 << 20


class Log:
    """A temporary file to whose end contents are written; threads share it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  it is closed with the last content
        weakref.finalize(self, self._file.close).atexit = False  # threads may still read from it then
        self._lock = Lock()
        self._end = 0

    def add(self, content: bytes, md5: str = "") -> Content:
        """Keep it, and its MD5 where that is known."""
        rest = memoryview(content)
        with self._lock:
            start = self._end
            self._end += len(rest)
        at = start
        while rest:
            count = os.pwrite(self._file.fileno(), rest, at)
            at, rest = at + count, rest[count:]
        return Content((Stretch(self, start, at - start, md5),) if at > start else ())

    def read(self, start: int, size: int) -> bytes:
        """So many bytes from a place on."""
        found = os.pread(self._file.fileno(), size, start)
        while len(found) < size:  # Linux gives 2 GiB at once
            found += os.pread(self._file.fileno(), size - len(found), start + len(found))
        return found


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a log.

    Attributes:
        md5: Of its bytes, in hexadecimal, where somebody said it.
    """

    log: Log
    start: int
    size: int
    md5: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """Stretches of logs, one after the other."""

    stretches: tuple[Stretch, ...] = ()

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(one.size for one in self.stretches)

    def part(self, start: int, size: int) -> Content:
        """So many of its bytes from a place on, or as many as there are."""
        found = []
        at = 0
        for one in self.stretches:
            low, high = max(start - at, 0), min(start + size - at, one.size)
            if low < high:
                md5 = one.md5 if high - low == one.size else ""
                found.append(Stretch(one.log, one.start + low, high - low, md5))
            at += one.size
        return Content(tuple(found))

    def md5(self) -> str:
        """Of its bytes, in hexadecimal."""
        known = self.stretches[0].md5 if len(self.stretches) == 1 else ""
        if known:
            return known
        found = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces():
            found.update(piece)
        return found.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, PIECE_BYTES at most at once."""
        for one in self.stretches:
            for place in range(0, one.size, PIECE_BYTES):
                yield one.log.read(one.start + place, min(PIECE_BYTES, one.size - place))

    def read(self) -> bytes:
        """All of its bytes."""
        return b"".join(one.log.read(one.start, one.size) for one in self.stretches)


def joined(contents: Iterable[Content]) -> Content:
    """Those contents, one after the other."""
    return Content(tuple(stretch for one in contents for stretch in one.stretches))


class Reader(io.RawIOBase):
    """A content as a file that is read."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._size = content.size
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go on elsewhere."""
        self._at = place + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all that follow."""
        found = self.content.part(self._at, self._size - self._at if size < 0 else size).read()
        self._at += len(found)
        return found
