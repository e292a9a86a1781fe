"""Large contents in parts that the store keeps until all have come: an interrupted push goes on where it was.

Nothing is remembered on this computer. The name of a blob is the digest of its content, and where its parts begin
follows from its size (`cloudml.storage.pieces`): so the next push of the same content asks the store which parts it
has, and sends the others. A part that is there counts only if it is the same bytes. Of a file that changed while it was
sent, parts of the wrong content lie under that name; their size says nothing.

What differs from store to store is behind `Uploads`, which each cloud's provider implements with its own client.
obstore makes uploads in parts too, but tells nothing of them.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from cloudml.errors import AuthenticationError, NotFoundError, ProviderError, SpecError
from cloudml.records import dataclass
from cloudml.storage.parallel import Item, Result, in_order
from cloudml.storage.pieces import piece_bytes, sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

AT_ONCE = 6
"""Parts of one content on their way."""

WAITING = 4
"""So many times as many are handed out."""

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


class Piece:
    """A piece of a content, read when somebody asks for its bytes.

    Args:
        size: In bytes.
        read: Gives them.
        sha256: Of them, where it is known.
    """

    def __init__(self, size: int, read: Callable[[], bytes], sha256: bytes = b"") -> None:
        self.size = size
        self._read, self._sha256 = read, sha256
        self._content: bytes | None = None

    # Not `cached_property`: until Python 3.12 one lock for all pieces would keep their threads apart.

    @property
    def content(self) -> bytes:
        """Its bytes."""
        if self._content is None:
            self._content = self._read()
        return self._content

    @property
    def sha256(self) -> bytes:
        """Of its bytes, as 32 bytes."""
        if not self._sha256:
            self._sha256 = hashlib.sha256(self.content).digest()
        return self._sha256


class Content(Protocol):
    """What is sent; it can be read again from its beginning."""

    def pieces(self) -> Iterable[Piece]:
        """Every piece in order; threads read several at once."""
        ...

    def counting(self) -> Callable[[int], None]:
        """What is told of the bytes that are there, once for each time that all pieces are gone through."""
        ...

    def check(self, digests: Sequence[bytes]) -> None:
        """Now that all of it was sent or was there, with pieces of those SHA-256: is it what it should be?

        Raises:
            SpecError: It is not.
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

    def holds(self, part: Part, piece: Piece) -> bool:
        """Whether a part that the store named is that piece."""
        ...

    def put(self, upload: Upload, number: int, piece: Piece) -> Part:
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


class PartCopies(Uploads, Protocol):
    """Uploads whose parts the store takes out of an object that it has.

    S3 copies no object of more than 5 GiB by itself, and a large one slowly.
    """

    def begin_copy(self, path: str) -> Upload:
        """An upload of *path* whose parts are copies."""
        ...

    def copy(self, upload: Upload, number: int, source: str, start: int, size: int) -> Part:
        """Make a part of so many bytes of the object *source* from a place on."""
        ...


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


def duplicate(copies: PartCopies, source: str, target: str, size: int) -> None:
    """Let the store make the object *target* of *source*, which has *size* bytes, part by part.

    Raises:
        ProviderError: The store's refusal; what was begun is forgotten.
    """
    upload = copies.begin_copy(target)

    def part(numbered: tuple[int, int]) -> Part:
        number, length = numbered
        return copies.copy(upload, number, source, (number - 1) * piece_bytes(size), length)

    try:
        copies.complete(upload, [*_numbered(part, sizes(size))])
    except BaseException:
        with suppress(ProviderError):
            copies.abort(upload)
        raise


def _numbered(work: Callable[[tuple[int, Item]], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What *work* gives for the parts of one content, in order; it is told their numbers.

    What waits is not in memory yet: whoever is free takes the next part, whichever is not through.
    """
    return in_order(work, enumerate(items, 1), ahead=WAITING * AT_ONCE, workers=AT_ONCE)


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
        count = content.counting()

        def bring(numbered: tuple[int, Piece]) -> tuple[Part, bytes, int]:
            number, piece = numbered
            part, sent = self._brought(number, piece)
            count(piece.size)
            return part, piece.sha256, sent

        whole, digests = [], []
        for part, sha256, sent in _numbered(bring, content.pieces()):
            whole.append(part)
            digests.append(sha256)
            self.sent += sent
        content.check(digests)
        self._uploads.complete(self._upload, whole)

    def _brought(self, number: int, piece: Piece) -> tuple[Part, int]:
        """A part that is there now; how many bytes were sent for it."""
        there = self._there.get(number)
        if there is not None and there.size == piece.size and self._uploads.holds(there, piece):
            return there, 0
        return self._uploads.put(self._upload, number, piece), piece.size
