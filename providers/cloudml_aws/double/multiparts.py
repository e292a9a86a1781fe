"""What has come of uploads in parts, out of moto's own store: moto lists no checksums, and takes numbers for places."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
LARGEST = 1_000
QUERIES: Mapping[str, frozenset[str]] = {
    "ListMultipartUploads": frozenset({"uploads", "prefix", "key-marker", "upload-id-marker", "max-uploads"}),
    "ListParts": frozenset({"uploadId", "part-number-marker", "max-parts"}),
}
"""What a list may be asked that is answered here; an encoding besides, which changes nothing of names as ours are."""


def element(name: str, value: object) -> str:
    """An element of XML; nothing where there is no value."""
    return f"<{name}>{escape(str(value))}</{name}>" if value not in {None, ""} else ""


def uploads(bucket: Any, query: Mapping[str, str]) -> str:
    """The uploads that are not finished, in the order of their keys."""
    after = (query.get("key-marker", ""), query.get("upload-id-marker", "\uffff"))
    found = sorted((one.key_name, one.id, one) for one in list(bucket.multiparts.values()))
    rows = [row for row in found if row[0].startswith(query.get("prefix", "")) and row[:2] > after]
    page = rows[: min(int(query.get("max-uploads") or LARGEST), LARGEST)]
    cut = len(page) < len(rows)
    more = element("NextKeyMarker", page[-1][0]) + element("NextUploadIdMarker", page[-1][1]) if cut else ""
    listed = "".join(f"<Upload>{_upload(one)}</Upload>" for _, _, one in page)
    head = f"{element('Bucket', bucket.name)}{element('IsTruncated', str(cut).lower())}{more}"
    return f"<ListMultipartUploadsResult {SPACE}>{head}{listed}</ListMultipartUploadsResult>"


def _upload(one: Any) -> str:
    algorithm = element("ChecksumAlgorithm", one.metadata.get("x-amz-checksum-algorithm"))
    about = element("Key", one.key_name) + element("UploadId", one.id) + element("StorageClass", "STANDARD")
    return f"{about}{element('Initiated', begun(one))}{algorithm}"


def begun(upload: Any) -> str:
    """When an upload began, which moto does not know: with its first part, or only now."""
    first = min((part.last_modified for part in list(upload.parts.values())), default=datetime.now(UTC))
    return str(first.strftime("%Y-%m-%dT%H:%M:%S.000Z"))


def parts(upload: Any, key: str, query: Mapping[str, str]) -> str:
    """The parts that have come, in the order of their numbers."""
    after = int(query.get("part-number-marker") or 0)
    rows = [(number, upload.parts[number]) for number in sorted(upload.parts) if number > after]
    page = rows[: min(int(query.get("max-parts") or LARGEST), LARGEST)]
    cut = len(page) < len(rows)
    more = element("NextPartNumberMarker", page[-1][0]) if cut else ""
    listed = "".join(f"<Part>{_part(number, one)}</Part>" for number, one in page)
    head = f"{element('Key', key)}{element('UploadId', upload.id)}{element('IsTruncated', str(cut).lower())}{more}"
    return f"<ListPartsResult {SPACE}>{head}{listed}</ListPartsResult>"


def _part(number: int, part: Any) -> str:
    about = element("PartNumber", number) + element("LastModified", part.last_modified_ISO8601)
    checksum = element(f"Checksum{part.checksum_algorithm}", part.checksum_value) if part.checksum_algorithm else ""
    return f"{about}{element('ETag', part.etag)}{element('Size', part.contentsize)}{checksum}"
