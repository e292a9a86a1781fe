"""Large contents in parts that the store keeps until all have come: an interrupted push goes on where it was.

Nothing is remembered on this computer. The name of a blob is the digest of its content, and where its parts begin
follows from its size: so the next push of the same content asks the store which parts it has, and sends the others. A
part that is there counts only if it is the same bytes. Of a file that changed while it was sent, parts of the wrong
content lie under that name; their size says nothing.

What differs from store to store is behind `Uploads`, which each cloud's provider implements with its own client.
obstore makes uploads in parts too, but tells nothing of them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cloudml.errors import AuthenticationError, NotFoundError, ProviderError, SpecError
from cloudml.storage.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

LARGE_BYTES = 64 << 20
"""Larger contents are sent so: eight parts. With less, a second try has little to save, and each would cost more: two
further requests, and the loading of the cloud's own client."""

SMALLEST_BYTES = 8 << 20
"""Of a part but the last: S3 and Google take none below 5 MiB."""

MOST = 9_000
"""S3 and Google take 10,000 parts of one object, Azure 50,000."""

Bytes = bytes | bytearray

AT_ONCE = 6
"""Parts of one content on their way."""

TRIES = 3
"""So often an upload is begun that others end meanwhile."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is not finished.

    Attributes:
        path: What it will be, below the storage's root.
        id: As the store calls it; empty where a path has one at most.
        begun: When; None where the store does not say.
    """

    path: str
    id: str = ""
    begun: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a store has.

    Attributes:
        size: In bytes.
        tag: By which the store knows it.
        digest: Of its content, as that store reckons it; empty where it does not say.
    """

    size: int
    tag: str
    digest: str = ""


class Content(Protocol):
    """What is sent; it can be read again from its beginning."""

    @property
    def ahead(self) -> int:
        """How many parts may be on their way or wait for it."""
        ...

    def pieces(self) -> Iterable[Callable[[], Bytes]]:
        """Every part in order, each read when it is called for, in any thread."""
        ...

    def check(self) -> None:
        """Now that all of it was read: was it what it should be?

        Raises:
            SpecError: It was not.
        """
        ...


class Uploads(Protocol):
    """The part protocol of one store; threads share it. Every method but `holds` asks the store.

    Raises:
        NotFoundError: The upload, or a part of it, is not there any more.
        ProviderError: Any other refusal, after those were tried again that may pass.
    """

    def find(self, path: str) -> Sequence[Upload]:
        """The uploads of *path* that can be gone on with."""
        ...

    def begin(self, path: str) -> Upload:
        """A further upload of *path*."""
        ...

    def parts(self, upload: Upload) -> Mapping[int, Part]:
        """What has come of it, by number."""
        ...

    def holds(self, part: Part, content: Bytes) -> bool:
        """Whether a part that the store named is that *content*."""
        ...

    def put(self, upload: Upload, number: int, content: Bytes) -> Part:
        """Send a part, in place of what has its number; the first is 1."""
        ...

    def complete(self, upload: Upload, parts: Sequence[Part]) -> None:
        """Make the object of these parts, which are all."""
        ...

    def abort(self, upload: Upload) -> None:
        """Let the store forget what has come."""
        ...

    def unfinished(self, folder: str) -> Iterable[Upload]:
        """All uploads below a folder that can be aborted."""
        ...


def part_bytes(size: int) -> int:
    """How large the parts are in which a content of that size is sent."""
    return max(SMALLEST_BYTES, size // MOST + 1)


def sizes(size: int) -> Sequence[int]:
    """The sizes of its parts, in order."""
    whole, rest = divmod(size, part_bytes(size))
    return [part_bytes(size)] * whole + [rest] * (rest > 0)


def cut(content: Iterable[bytes], size: int) -> Iterator[Bytes]:
    """The same bytes in pieces of *size*, but for the last; what comes so already is not copied."""
    piece = bytearray()
    for chunk in content:
        if not piece and len(chunk) == size:
            yield chunk
            continue
        rest = memoryview(chunk)
        while len(rest) >= (left := size - len(piece)):
            piece += rest[:left]
            yield piece
            piece, rest = bytearray(), rest[left:]
        piece += rest
    if piece:
        yield piece


def fitting(there: Mapping[int, Part], wanted: Sequence[int]) -> dict[int, Part]:
    """Those of some parts that have their place and size among the *wanted* ones."""
    return {
        number: part for number, part in there.items() if 1 <= number <= len(wanted) and part.size == wanted[number - 1]
    }


def send(uploads: Uploads, path: str, content: Content, size: int, arrived: Callable[[], bool]) -> int:
    """Make the object *path* of *content*; how many bytes were sent for it.

    Two at once may share an upload. Who is slower is told that it is not there, and finds the object.

    Args:
        uploads: The store's.
        path: Below the storage's root.
        content: What the object shall be.
        size: Of the content, in bytes.
        arrived: Whether the object is there as it should be.

    Raises:
        SpecError: The content is not what it should be; no object was made.
        ProviderError: The store's refusal.
    """
    sent = 0
    for left in reversed(range(TRIES)):
        upload, there = _begun(uploads, path, sizes(size))
        sending = _Sending(uploads, upload, there)
        try:
            sending.all(content)
            return sent + sending.sent
        except NotFoundError:
            sent += sending.sent
            if arrived():
                return sent
            if not left:
                raise
        except SpecError:
            with suppress(ProviderError):
                uploads.abort(upload)
            raise
    raise AssertionError("an upload needs a try")


def _begun(uploads: Uploads, path: str, wanted: Sequence[int]) -> tuple[Upload, Mapping[int, Part]]:
    """The upload of *path* of which most has come, and what; a new one where there is none."""
    found = [(upload, fitting(parts, wanted)) for upload, parts in _there(uploads, path)]
    if found:
        return max(found, key=lambda one: sum(part.size for part in one[1].values()))
    return uploads.begin(path), {}


def _there(uploads: Uploads, path: str) -> Iterator[tuple[Upload, Mapping[int, Part]]]:
    """What a store has of *path*; nothing where it does not tell, as to somebody who may not ask."""
    try:
        for upload in uploads.find(path):
            with suppress(NotFoundError):
                yield upload, uploads.parts(upload)
    except AuthenticationError:
        raise
    except ProviderError as error:
        if error.retryable:
            raise


class _Sending:
    """One upload on its way.

    Attributes:
        sent: How many bytes were sent.
    """

    def __init__(self, uploads: Uploads, upload: Upload, there: Mapping[int, Part]) -> None:
        self._uploads, self._upload, self._there = uploads, upload, there
        self.sent = 0

    def all(self, content: Content) -> None:
        """Bring every part, and complete the upload."""
        parts = []
        for part, sent in in_order(self._bring, enumerate(content.pieces(), 1), ahead=content.ahead, workers=AT_ONCE):
            parts.append(part)
            self.sent += sent
        content.check()
        self._uploads.complete(self._upload, parts)

    def _bring(self, numbered: tuple[int, Callable[[], Bytes]]) -> tuple[Part, int]:
        number, read = numbered
        piece = read()
        there = self._there.get(number)
        if there is not None and there.size == len(piece) and self._uploads.holds(there, piece):
            return there, 0
        return self._uploads.put(self._upload, number, piece), len(piece)
