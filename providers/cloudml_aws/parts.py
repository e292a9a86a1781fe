"""Uploads in parts to S3.

Each part goes with its SHA-256, which S3 compares with what came and lists for the parts that it has. An ETag would not
do: under a KMS key it is no digest of the content. The signature covers the checksum in place of the content, which is
known from the scan of the file: nothing is hashed twice.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass
from cloudml.storage.parts import Part, Upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cloudml.clouds.parts import Root
    from cloudml.storage.parts import Piece
    from cloudml_aws.clients import Clients

CHECKSUM = "SHA256"


def checksum(piece: Piece) -> str:
    """That of a part as S3 writes it."""
    return base64.b64encode(piece.sha256).decode()


def listed(part: Mapping[str, Any]) -> Part:
    """A part in a list of S3."""
    return Part(part["Size"], part["ETag"], part.get(f"Checksum{CHECKSUM}", ""))


def named(number: int, part: Part) -> dict[str, Any]:
    """A part as the end of an upload names it."""
    said = {f"Checksum{CHECKSUM}": part.digest} if part.digest else {}
    return {"PartNumber": number, "ETag": part.tag, **said}


@dataclass(frozen=True, slots=True)
class Uploads:
    """`cloudml.storage.parts.PartCopies` of a bucket."""

    clients: Clients
    root: Root

    def find(self, path: str) -> Sequence[Upload]:
        """Those that were begun with the checksum by which parts are told."""
        return [self._upload(one) for one in self._all(path) if self._fits(one, path)]

    def begin(self, path: str) -> Upload:
        """A further upload."""
        body = {"Bucket": self.root.bucket, "Key": self.root.key(path), "ChecksumAlgorithm": CHECKSUM}
        return Upload(path, self.clients.send("s3:CreateMultipartUpload", body)["UploadId"])

    def parts(self, upload: Upload) -> Mapping[int, Part]:
        """What has come of it."""
        pages = self.clients.pages("s3:ListParts", self._about(upload), "Parts")
        return {one["PartNumber"]: listed(one) for one in pages}

    def holds(self, part: Part, piece: Piece) -> bool:
        """Whether a part is that piece."""
        return part.digest == checksum(piece)

    def put(self, upload: Upload, number: int, piece: Piece) -> Part:
        """Send a part."""
        found = checksum(piece)
        said = {"PartNumber": number, "Body": piece.content, f"Checksum{CHECKSUM}": found}
        answer = self.clients.send("s3:UploadPart", {**self._about(upload), **said})
        return Part(piece.size, answer["ETag"], found)

    def begin_copy(self, path: str) -> Upload:
        """An upload with the checksums that S3 chooses: it reckons them itself."""
        body = {"Bucket": self.root.bucket, "Key": self.root.key(path)}
        return Upload(path, self.clients.send("s3:CreateMultipartUpload", body)["UploadId"])

    def copy(self, upload: Upload, number: int, source: str, start: int, size: int) -> Part:
        """Make a part of what S3 has."""
        copied = f"{self.root.bucket}/{self.root.key(source)}"  # botocore quotes it
        said = {"PartNumber": number, "CopySource": copied, "CopySourceRange": f"bytes={start}-{start + size - 1}"}
        answer = self.clients.send("s3:UploadPartCopy", {**self._about(upload), **said})
        return Part(size, answer["CopyPartResult"]["ETag"])

    def complete(self, upload: Upload, parts: Sequence[Part]) -> None:
        """Make the object."""
        whole = {"Parts": [named(number, part) for number, part in enumerate(parts, 1)]}
        self.clients.send("s3:CompleteMultipartUpload", {**self._about(upload), "MultipartUpload": whole})

    def abort(self, upload: Upload) -> None:
        """Forget what has come."""
        self.clients.send("s3:AbortMultipartUpload", self._about(upload))

    def unfinished(self, folder: str) -> Iterator[Upload]:
        """All uploads below a folder."""
        return (self._upload(one) for one in self._all(f"{folder}/"))

    def _all(self, prefix: str) -> Iterator[dict[str, Any]]:
        body = {"Bucket": self.root.bucket, "Prefix": self.root.key(prefix)}
        return self.clients.pages("s3:ListMultipartUploads", body, "Uploads")

    def _fits(self, one: Mapping[str, Any], path: str) -> bool:
        return bool(one["Key"] == self.root.key(path) and one.get("ChecksumAlgorithm") == CHECKSUM)

    def _upload(self, one: Mapping[str, Any]) -> Upload:
        return Upload(self.root.path(one["Key"]), one["UploadId"], one["Initiated"])

    def _about(self, upload: Upload) -> dict[str, Any]:
        return {"Bucket": self.root.bucket, "Key": self.root.key(upload.path), "UploadId": upload.id}
