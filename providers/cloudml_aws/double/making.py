"""Objects for moto's store, made from a pattern, and their contents, which are not copied."""

from __future__ import annotations

import io
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from cloudml.doubles import contents
from cloudml.doubles.contents import Log, Reader

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

    from cloudml.doubles.contents import Content

SMALL_BYTES = 5 << 20
"""Contents of no more are kept in memory; the bound is moto's."""


def made(backend: Any, bucket: Any, name: str, content: Any, **said: Any) -> Any:
    """An object that is not in the bucket yet, as moto makes it where nothing is set: in a third of the time.

    Args:
        content: As of `held`, `added` or `joined`.
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
    return io.BytesIO(content) if len(content) <= SMALL_BYTES else Reader(Log().add(content))


def added(upload: Any, content: bytes, md5: str) -> Any:
    """The content of a part of an upload; all of one upload lie in one file."""
    with _lock:
        log = _logs.get(upload)
        if log is None:
            log = _logs[upload] = Log()
    return Reader(log.add(content, md5))


def joined(keys: Sequence[Any]) -> Any:
    """The contents of several objects, one after the other."""
    return Reader(contents.joined(map(content_of, keys)))


def content_of(key: Any) -> Content:
    """The content of an object, which others may share."""
    there = key._value_buffer  # noqa: SLF001  its value would be a copy in memory
    return there.content if isinstance(there, Reader) else Log().add(key.value)


_logs: MutableMapping[Any, Log] = WeakKeyDictionary()
_lock = Lock()
