"""The content of an object, whole or a range of it, with the headers that both APIs of Cloud Storage send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloudml.doubles.listening import http_date
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer

if TYPE_CHECKING:
    from cloudml_gcp.double.objects import Stored
    from cloudml_gcp.double.wire import Request

PARTIAL = 206


def headers(stored: Stored) -> dict[str, str]:
    """What every answer about an object says of it."""
    moment = stored.updated or stored.created
    said = stored.meta.get("metadata") or {}
    own = {f"x-goog-meta-{name}": value for name, value in said.items() if value.isascii()}
    return {
        "ETag": f'"{stored.etag}"',
        "Last-Modified": http_date(int(moment.timestamp())),
        "Accept-Ranges": "bytes",
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": str(stored.metageneration),
        "x-goog-hash": f"crc32c={stored.crc32c}" + (f",md5={stored.md5}" if stored.md5 else ""),
        "x-goog-stored-content-length": str(len(stored.content)),
        "x-goog-stored-content-encoding": stored.meta.get("contentEncoding", "identity"),
        "x-goog-storage-class": "STANDARD",
        **own,
    }


def content(stored: Stored, request: Request) -> Answer:
    """The content that a request wants.

    Raises:
        Refused: It wants a range that is not there.
    """
    kind = str(stored.meta.get("contentType", "application/octet-stream"))
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if asked is None or not (asked[1] or asked[2]):
        return Answer(body=stored.content, kind=kind, headers=headers(stored))
    size = len(stored.content)
    first = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
    last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
    if first >= size:
        raise Refused("requestedRangeNotSatisfiable", "The requested range cannot be satisfied.", status=416)
    found = Answer(status=PARTIAL, body=stored.content[first : last + 1], kind=kind, headers=headers(stored))
    found.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return found
