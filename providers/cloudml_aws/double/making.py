"""Objects for moto's store, made from a pattern, and their contents; small ones are not copied."""

from __future__ import annotations

import io
import shutil
from functools import cache
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL_BYTES = 5 << 20
"""Contents of no more are kept in memory; the bound is moto's."""


def made(backend: Any, bucket: Any, name: str, content: Any, **said: Any) -> Any:
    """An object that is not in the bucket yet, as moto makes it where nothing is set: in a third of the time.

    Args:
        content: As of `held` or `joined`.
        said: Attributes of moto's object.
    """
    from moto.core.utils import utcnow
    from moto.s3.models import FakeKey
    from moto.utilities.utils import LowercaseDict

    size = content.seek(0, io.SEEK_END)
    own = {
        "name": name, "bucket_name": bucket.name, "acl": bucket.acl, "last_modified": utcnow(), "lock": Lock(),
        "_metadata": LowercaseDict({"Content-Type": "binary/octet-stream"}), "_value_buffer": content,
        "contentsize": size,
    }  # fmt: skip
    key = FakeKey.__new__(FakeKey)
    key.__dict__ |= {**_unsaid(backend.account_id, backend.region_name), **own, **said}
    return key


@cache
def _unsaid(account: str, region: str) -> Mapping[str, Any]:
    """The attributes of an object of which nothing is said."""
    from moto.s3.models import FakeKey

    key = FakeKey("", b"", account, region, version_id="null")
    found = dict(key.__dict__)
    key.dispose()
    return found


def held(content: bytes) -> Any:
    """Content as it is, and no copy of it; what is large is written to a file."""
    if len(content) <= SMALL_BYTES:
        return io.BytesIO(content)
    file = SpooledTemporaryFile(SMALL_BYTES)  # noqa: SIM115  the object's, which closes it
    file.write(content)
    return file


def joined(pieces: list[Any]) -> Any:
    """The contents of several objects, one after the other."""
    file = SpooledTemporaryFile(SMALL_BYTES)  # noqa: SIM115  likewise
    for piece in pieces:
        with piece.lock:
            piece._value_buffer.seek(0)  # noqa: SLF001  its value would be a copy in memory
            shutil.copyfileobj(piece._value_buffer, file, 1 << 20)  # noqa: SLF001
    return file
