"""How a large content is divided, and the digest that comes of it.

The pieces are as large as the parts in which it is sent. A digest of theirs, the number of pieces behind it, is that of
the content: SHA-256 over the SHA-256 of every piece, as S3 reckons the checksum of an object that was uploaded in parts
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html, composite checksums). So
threads hash one file together, each piece goes with a digest that is known, and no byte is hashed twice.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGE_BYTES = 64 << 20
"""Larger contents are divided: into eight parts at least. With less, a second try has little to save, and each would
cost more: two further requests, and the loading of the cloud's own client."""

SMALLEST_BYTES = 8 << 20
"""Of a piece but the last: S3 and Google take none below 5 MiB."""

MOST = 9_000
"""S3 and Google take 10,000 parts of one object, Azure 50,000."""

DIGITS = 64
NUMBERED = "-"
"""Between the digits of a digest of pieces and their number."""


def piece_bytes(size: int) -> int:
    """How large the pieces of a content of that size are."""
    return max(SMALLEST_BYTES, size // MOST + 1)


def sizes(size: int) -> Sequence[int]:
    """The sizes of its pieces, in order."""
    whole, rest = divmod(size, piece_bytes(size))
    return [piece_bytes(size)] * whole + [rest] * (rest > 0)


def divided(digest: str) -> bool:
    """Whether a digest is one of pieces."""
    return digest[DIGITS : DIGITS + 1] == NUMBERED


def composite(digests: Sequence[bytes]) -> str:
    """The digest, in hexadecimal, of a content whose pieces have those SHA-256."""
    return f"{hashlib.sha256(b''.join(digests)).hexdigest()}{NUMBERED}{len(digests)}"


class Reckoning:
    """Reckons the digest of a content of *size* bytes that comes in order.

    Args:
        size: In bytes.
        like: A digest it will be compared with, which is of pieces or not; without one, the size tells.
    """

    def __init__(self, size: int, like: str = "") -> None:
        self._piece_bytes = piece_bytes(size) if (divided(like) if like else size > LARGE_BYTES) else 0
        self._found: list[bytes] = []
        self._begin()

    def _begin(self) -> None:
        self._now, self._left = hashlib.sha256(), self._piece_bytes

    def update(self, content: bytes | memoryview) -> None:
        """So much more of it."""
        rest = memoryview(content)
        while self._piece_bytes and len(rest) >= self._left:
            self._now.update(rest[: self._left])
            rest = rest[self._left :]
            self._found.append(self._now.digest())
            self._begin()
        self._now.update(rest)
        self._left -= len(rest)

    def digest(self) -> str:
        """Of all that has come."""
        if not self._piece_bytes:
            return self._now.hexdigest()
        begun = self._left < self._piece_bytes
        return composite([*self._found, self._now.digest()] if begun else self._found)
