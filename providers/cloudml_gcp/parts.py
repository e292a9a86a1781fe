"""Uploads in parts to Cloud Storage, by its XML API.

Google lists each part with an ETag, which is the MD5 of its content. Here it is reckoned of parts that are there,
and of no other.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

from cloudml.records import dataclass
from cloudml.storage.parts import Part, Upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from xml.etree.ElementTree import Element

    from cloudml.clouds.parts import Root
    from cloudml.storage.parts import Piece
    from cloudml_gcp.clients import Clients

ANY = "{*}"
"""Google's documents have a namespace or none, from answer to answer."""


def md5(content: bytes) -> str:
    """The MD5 of a part, in hexadecimal."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def text(element: Element, name: str) -> str:
    """What an element says under a name; nothing where it does not."""
    return element.findtext(f"{ANY}{name}", "")


def upload_of(element: Element, root: Root) -> Upload:
    """An upload in a list of Google's."""
    begun = text(element, "Initiated")
    return Upload(root.path(text(element, "Key")), text(element, "UploadId"), datetime.fromisoformat(begun))


def part_of(element: Element) -> tuple[int, Part]:
    """A part in a list of Google's, and its number."""
    tag = text(element, "ETag")
    return int(text(element, "PartNumber")), Part(int(text(element, "Size")), tag, tag.strip('"'))


def document(whole: Sequence[Part]) -> bytes:
    """The document that ends an upload."""
    from xml.sax.saxutils import escape

    named = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.tag)}</ETag></Part>"
        for number, part in enumerate(whole, 1)
    )
    return f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()


@dataclass(frozen=True, slots=True)
class Uploads:
    """`cloudml.storage.parts.Uploads` of a bucket."""

    clients: Clients
    root: Root

    def find(self, path: str) -> Sequence[Upload]:
        """All of that object."""
        return [one for one in self._all(path) if one.path == path]

    def begin(self, path: str) -> Upload:
        """A further upload."""
        answer = self.clients.stored("storage:uploads.start", "POST", self._path(path), {"uploads": ""})
        return Upload(path, text(_read(answer.body), "UploadId"))

    def parts(self, upload: Upload) -> Mapping[int, Part]:
        """What has come of it."""
        pages = self._pages("storage:uploads.parts", self._path(upload.path), {"uploadId": upload.id}, MARKER_OF_PARTS)
        return dict(part_of(one) for page in pages for one in page.iterfind(f"{ANY}Part"))

    def holds(self, part: Part, piece: Piece) -> bool:
        """Whether a part is that piece."""
        return part.digest == md5(piece.content)

    def put(self, upload: Upload, number: int, piece: Piece) -> Part:
        """Send a part."""
        query = {"partNumber": str(number), "uploadId": upload.id}
        answer = self.clients.stored("storage:uploads.part", "PUT", self._path(upload.path), query, piece.content)
        return Part(piece.size, answer.headers["ETag"])

    def complete(self, upload: Upload, parts: Sequence[Part]) -> None:
        """Make the object."""
        query = {"uploadId": upload.id}
        self.clients.stored("storage:objects.insert", "POST", self._path(upload.path), query, document(parts))

    def abort(self, upload: Upload) -> None:
        """Forget what has come."""
        query = {"uploadId": upload.id}
        self.clients.stored("storage:uploads.delete", "DELETE", self._path(upload.path), query)

    def unfinished(self, folder: str) -> Iterator[Upload]:
        """All uploads below a folder."""
        return self._all(f"{folder}/")

    def _all(self, prefix: str) -> Iterator[Upload]:
        query = {"uploads": "", "prefix": self.root.key(prefix)}
        for page in self._pages("storage:uploads.list", self.root.bucket, query, MARKERS_OF_UPLOADS):
            yield from (upload_of(one, self.root) for one in page.iterfind(f"{ANY}Upload"))

    def _pages(
        self, operation: str, path: str, query: Mapping[str, str], markers: Mapping[str, str]
    ) -> Iterator[Element]:
        """Every page of a list; *markers* are what names the next one, as the page and as the request call it."""
        more: dict[str, str] = {}
        while True:
            page = _read(self.clients.stored(operation, "GET", path, {**query, **more}).body)
            yield page
            if text(page, "IsTruncated") != "true":
                return
            more = {asked: text(page, named) for named, asked in markers.items()}

    def _path(self, path: str) -> str:
        return f"{self.root.bucket}/{self.root.key(path)}"


MARKER_OF_PARTS: Mapping[str, str] = {"NextPartNumberMarker": "part-number-marker"}
MARKERS_OF_UPLOADS: Mapping[str, str] = {"NextKeyMarker": "key-marker", "NextUploadIdMarker": "upload-id-marker"}


def _read(content: bytes) -> Element:
    from xml.etree import ElementTree as ET

    return ET.fromstring(content)  # noqa: S314  from Google, over TLS
