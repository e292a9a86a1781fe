"""The plain requests for objects and lists of them, answered out of moto's own store without its server.

They are most of all that are sent, and moto's server takes ten times as long for them; of a large upload it makes four
copies in memory. Whatever says more than a plain request, is asked of a bucket with settings of its own, or would be
refused, goes on to moto.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from datetime import UTC
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote

from cloudml.doubles.contents import Reader
from cloudml.doubles.listening import http_date
from cloudml_aws.double import making, multiparts
from cloudml_aws.double.multiparts import element
from cloudml_aws.double.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_aws.double.wire import Asked

SAID = frozenset({
    "HTTP_X_AMZ_DATE", "HTTP_X_AMZ_CONTENT_SHA256", "HTTP_X_AMZ_SECURITY_TOKEN", "HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM",
    "HTTP_X_AMZ_CHECKSUM_MODE", "HTTP_X_AMZ_CHECKSUM_CRC32", "HTTP_X_AMZ_CHECKSUM_CRC32C", "HTTP_X_AMZ_CHECKSUM_SHA256",
    "HTTP_X_AMZ_COPY_SOURCE", "HTTP_X_AMZ_COPY_SOURCE_RANGE",
})  # fmt: skip
"""What a plain request may say in headers of Amazon's own."""
NOT_PLAIN = frozenset({
    "HTTP_CONTENT_ENCODING", "HTTP_CONTENT_DISPOSITION", "HTTP_CONTENT_LANGUAGE", "HTTP_CACHE_CONTROL", "HTTP_EXPIRES",
    "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_ORIGIN", "HTTP_CONTENT_MD5",
})  # fmt: skip
PLAIN: Mapping[str, frozenset[str]] = {"GetObject": frozenset({"HTTP_IF_MATCH"})}
"""What is plain of an operation all the same: boto3 asks for the pieces of a large object with its tag."""
LENGTH = "content-length"
ALGORITHMS = ("CRC32", "CRC32C", "SHA256")
SETTINGS = attrgetter(
    "is_versioned", "encryption", "object_lock_enabled", "notification_configuration", "policy", "cors"
)
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
PART = re.compile(r"<PartNumber>(\d+)</PartNumber>")
ETAG = re.compile(r"<ETag>(?:&quot;|&#34;|\")?([0-9a-f]{32})(?:&quot;|&#34;|\")?</ETag>")
LARGE_BYTES = 64 << 20
"""A smaller upload in parts is put together by moto."""
PARTS_AT_MOST = 10_000
SMALLEST_PART = 5 << 20
WRITTEN = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*")
"""Names that XML can hold as they are."""
OWNER_ID = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
OWNER = f"<Owner><DisplayName>webfile</DisplayName><ID>{OWNER_ID}</ID></Owner>"
"""Moto's, of everything."""


def answer(backend: Any, asked: Asked, environ: Mapping[str, Any], body: bytes) -> Answer | None:
    """The answer to a plain request; None when moto's server is to give it."""
    operation = OPERATIONS.get(asked.operation)
    if operation is None or asked.service != "s3" or not _plain(asked, environ):
        return None
    bucket = backend.buckets.get(asked.parameters.get("Bucket") or asked.parameters["BucketName"])
    if bucket is None or not _as_made(bucket):
        return None
    try:
        name = asked.parameters.get("Key", "").encode("latin-1").decode("utf-8")  # as WSGI has it
    except UnicodeError:
        return None
    return operation(backend, bucket, environ, body, name)


def _plain(asked: Asked, environ: Mapping[str, Any]) -> bool:
    said = environ.get("QUERY_STRING", "")
    query = set(parse_qs(said, keep_blank_values=True)) if said else set()
    lists, required = multiparts.QUERIES.get(asked.operation), QUERIES.get(asked.operation, set())
    of_query = query - {"encoding-type"} <= lists if lists else query - OPTIONAL.get(asked.operation, set()) == required
    return of_query and _usual(frozenset(environ) - PLAIN.get(asked.operation, frozenset()))


@lru_cache(maxsize=256)
def _usual(names: frozenset[str]) -> bool:
    """Whether the headers are those of plain requests; clients send few sets of them."""
    return not NOT_PLAIN & names and all(name in SAID for name in names if name.startswith("HTTP_X_AMZ_"))


def _as_made(bucket: Any) -> bool:
    """Whether nobody has set anything on a bucket."""
    return type(bucket).__name__ == "FakeBucket" and not any(SETTINGS(bucket))


def _there(bucket: Any, key: str) -> Any:
    """An object that is there as it was written; None otherwise."""
    found = bucket.keys.get(key)
    plain = found is not None and type(found).__name__ == "FakeKey" and found.storage_class == "STANDARD"
    return found if plain else None


def _checksum(environ: Mapping[str, Any]) -> tuple[str, str] | None:
    """Algorithm and value of the checksum that a request says; None where moto has to reckon it."""
    said = next((name for name in ALGORITHMS if f"HTTP_X_AMZ_CHECKSUM_{name}" in environ), "")
    algorithm = environ.get("HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM", said)
    value = environ.get(f"HTTP_X_AMZ_CHECKSUM_{algorithm}", "")
    return None if algorithm and not value else (algorithm, value)


def _written(key: Any, algorithm: str, value: str) -> Answer:
    said = {f"x-amz-checksum-{algorithm.lower()}": value} if algorithm else {}
    if key.encryption:
        return Answer(headers={**said, **{name: text for name, text in key.response_dict.items() if name != LENGTH}})
    about = {"x-amz-sdk-checksum-algorithm": key.checksum_algorithm} if key.checksum_algorithm else {}
    # Moto's way to a date looks for the machine's time zone each time.
    moment = http_date(int(key.last_modified.replace(tzinfo=UTC).timestamp()))
    return Answer(headers={**said, "ETag": key.etag, "last-modified": moment, **about})


def _put(backend: Any, bucket: Any, environ: Mapping[str, Any], body: bytes, name: str) -> Answer | None:
    wanted_new = environ.get("HTTP_IF_NONE_MATCH")
    checksum = _checksum(environ)
    if checksum is None or (wanted_new and (wanted_new != "*" or bucket.keys.get(name) is not None)):
        return None
    algorithm, value = checksum
    sums = {"_etag": _md5(body), "checksum_value": value or None, "checksum_algorithm": algorithm or None}
    key = making.made(backend, bucket, name, making.held(body), **sums)
    if kind := environ.get("CONTENT_TYPE"):
        key.set_metadata({"Content-Type": kind})
    backend.tagger.delete_all_tags_for_resource(key.arn)
    bucket.keys.setlist(name, [key])
    return _written(key, algorithm, value)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _get(_backend: Any, bucket: Any, environ: Mapping[str, Any], _body: bytes, name: str) -> Answer | None:
    key = _there(bucket, name)
    if key is None or "HTTP_IF_NONE_MATCH" in environ or environ.get("HTTP_IF_MATCH", key.etag) != key.etag:
        return None
    headers = {**key.response_dict, **key.metadata, "Accept-Ranges": "bytes"}
    size = key.contentsize
    asked = environ.get("HTTP_RANGE")
    if asked is None:
        return Answer(headers=headers | _kept(key, environ), body=_part(key, 0, size))
    found = RANGE.fullmatch(asked)
    if found is None or int(found[1]) >= size:
        return None
    start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    if start >= end:
        return None
    headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    if end - start == size:
        headers |= _kept(key, environ)
    return Answer(status=206, headers=headers, body=_part(key, start, end))


def _kept(key: Any, environ: Mapping[str, Any]) -> dict[str, str]:
    """The checksum that an object was written with, for who asks for it."""
    if environ.get("HTTP_X_AMZ_CHECKSUM_MODE") != "ENABLED" or not key.checksum_algorithm:
        return {}
    kind = {"x-amz-checksum-type": key.checksum_type} if key.checksum_type else {}
    parts = f"-{key.checksum_parts}" if key.checksum_type == "COMPOSITE" else ""
    return {f"x-amz-checksum-{key.checksum_algorithm.lower()}": f"{key.checksum_value}{parts}", **kind}


def _part(key: Any, start: int, end: int) -> bytes:
    with key.lock:
        key._value_buffer.seek(start)  # noqa: SLF001  moto reads all of it for every range
        return bytes(key._value_buffer.read(end - start))  # noqa: SLF001


def _head(_backend: Any, bucket: Any, environ: Mapping[str, Any], _body: bytes, name: str) -> Answer | None:
    key = _there(bucket, name)
    if key is None or {"HTTP_IF_NONE_MATCH", "HTTP_RANGE"} & environ.keys():
        return None
    about = {**key.metadata, **key.response_dict, "Accept-Ranges": "bytes"}
    if environ.get("HTTP_X_AMZ_CHECKSUM_MODE") == "ENABLED" and key.checksum_algorithm:
        about[f"x-amz-checksum-{key.checksum_algorithm.lower()}"] = key.checksum_value
    return Answer(headers=about)


def _copy(backend: Any, bucket: Any, environ: Mapping[str, Any], _body: bytes, name: str) -> Answer | None:
    source = _source(backend, environ)
    if source is None or source is bucket.keys.get(name):
        return None
    etag = None if source.multipart else source.etag.strip('"')
    there = source._value_buffer  # noqa: SLF001
    content = making.held(there.getvalue()) if isinstance(there, io.BytesIO) else making.joined([source])
    key = making.made(backend, bucket, name, content, _etag=etag, multipart=source.multipart)
    key.set_metadata(dict(source.metadata))
    if source.checksum_value:
        key.checksum_value, key.checksum_algorithm = source.checksum_value, source.checksum_algorithm
    backend.tagger.copy_tags(source.arn, key.arn)
    bucket.keys.setlist(name, [key])
    kind = f"Checksum{key.checksum_algorithm}"
    checksum = f"<{kind}>{key.checksum_value}</{kind}>" if key.checksum_value else ""
    facts = f"<ETag>{key.etag}</ETag><LastModified>{_seconds(key)}</LastModified>{checksum}"
    return _xml(f"<CopyObjectResult {multiparts.SPACE}>{facts}</CopyObjectResult>")


def _source(backend: Any, environ: Mapping[str, Any]) -> Any:
    """The object that a request copies; None where moto has to look at it."""
    said = environ["HTTP_X_AMZ_COPY_SOURCE"]
    from_bucket, _, from_name = unquote(said).lstrip("/").partition("/")
    bucket = backend.buckets.get(from_bucket)
    if "?" in said or bucket is None or not _as_made(bucket):
        return None
    found = _there(bucket, from_name)
    return None if found is None or found.encryption else found


def _seconds(key: Any) -> str:
    return f"{key.last_modified.isoformat(timespec='seconds')}.000Z"


def _upload_part(backend: Any, bucket: Any, environ: Mapping[str, Any], body: bytes, _name: str) -> Answer | None:
    query = _query(environ)
    checksum = _checksum(environ)
    upload, number = bucket.multiparts.get(query["uploadId"]), query["partNumber"]
    if upload is None:
        return _no_upload()
    if checksum is None or not _takes(upload, number):
        return None
    md5 = _md5(body)
    sums = {"_etag": md5, "checksum_algorithm": checksum[0] or None, "checksum_value": checksum[1] or None}
    key = making.made(backend, bucket, number, making.added(upload, body, md5), **sums)
    _keep_part(upload, int(number), key)
    return _written(key, *checksum)


def _upload_part_copy(backend: Any, bucket: Any, environ: Mapping[str, Any], _body: bytes, _name: str) -> Answer | None:
    query = _query(environ)
    upload, number = bucket.multiparts.get(query["uploadId"]), query["partNumber"]
    if upload is None:
        return _no_upload()
    source = _source(backend, environ)
    said = environ.get("HTTP_X_AMZ_COPY_SOURCE_RANGE")
    if source is None or said is None or not _takes(upload, number):
        return None
    asked = RANGE.fullmatch(said)
    start, end = (int(asked[1]), int(asked[2]) + 1) if asked and asked[2] else (0, 0)
    if not start < end <= source.contentsize:  # moto takes what there is
        return _refused("InvalidArgument", f"Range specified is not valid for source object of size: {source.size}")
    content = making.content_of(source).part(start, end - start)
    key = making.made(backend, bucket, number, Reader(content), _etag=content.md5())
    _keep_part(upload, int(number), key)
    facts = f"<ETag>{key.etag}</ETag><LastModified>{_seconds(key)}</LastModified>"
    return _xml(f"<CopyPartResult {multiparts.SPACE}>{facts}</CopyPartResult>")


def _takes(upload: Any, number: str) -> bool:
    """Whether a part of that number is one that moto need not look at."""
    plain = not upload.sse_encryption and not upload.kms_key_id
    return plain and number.isdigit() and 1 <= int(number) <= PARTS_AT_MOST


def _keep_part(upload: Any, number: int, key: Any) -> None:
    before = upload.parts.get(number)
    upload.parts[number] = key
    upload.partlist = sorted(upload.parts)
    if before is not None:
        before.dispose()


def _list_uploads(_backend: Any, bucket: Any, environ: Mapping[str, Any], _body: bytes, _name: str) -> Answer | None:
    return _xml(multiparts.uploads(bucket, _query(environ)))


def _list_parts(_backend: Any, bucket: Any, environ: Mapping[str, Any], _body: bytes, name: str) -> Answer | None:
    query = _query(environ)
    upload = bucket.multiparts.get(query["uploadId"])
    return _no_upload() if upload is None else _xml(multiparts.parts(upload, name, query))


def _query(environ: Mapping[str, Any]) -> dict[str, str]:
    found = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return {name: values[0] for name, values in found.items()}


def _complete(backend: Any, bucket: Any, environ: Mapping[str, Any], body: bytes, name: str) -> Answer | None:
    """Put a large upload together without holding it in memory; moto does it with small ones."""
    upload = bucket.multiparts.get(_query(environ)["uploadId"])
    if upload is None:
        return _no_upload()
    text = body.decode("utf-8", "replace")
    wanted = [*zip(map(int, PART.findall(text)), ETAG.findall(text), strict=False)]
    if len(wanted) != text.count("<Part>") or not _whole(upload, wanted):
        return None
    parts = [upload.parts[number] for number, _ in wanted]
    md5s = b"".join(bytes.fromhex(etag) for _, etag in wanted)
    about = {"_storage_class": upload.storage or "STANDARD", "_etag": f"{_md5(md5s)}-{len(parts)}", "multipart": upload}
    key = making.made(backend, bucket, name, making.joined(parts), **about)
    key.set_metadata(dict(upload.metadata))
    key.set_acl(upload.acl)
    bucket.keys.setlist(name, [key])
    del bucket.multiparts[upload.id]
    backend.put_object_tagging(key, upload.tags)
    upload.dispose()
    return _xml(
        f"<CompleteMultipartUploadResult {multiparts.SPACE}><Bucket>{bucket.name}</Bucket>"
        f"<ETag>{key.etag}</ETag></CompleteMultipartUploadResult>"
    )


def _whole(upload: Any, wanted: list[tuple[int, str]]) -> bool:
    """Whether all parts are as they were sent, none but the last too small, and together large."""
    parts = [upload.parts.get(number) for number, _ in wanted]
    if not all(
        part is not None and part.etag.strip('"') == etag for part, (_, etag) in zip(parts, wanted, strict=True)
    ):
        return False
    numbers = [number for number, _ in wanted]
    sizes = [part.contentsize for part in parts if part is not None]
    ordered = numbers == sorted(set(numbers)) and all(size >= SMALLEST_PART for size in sizes[:-1])
    return ordered and sum(sizes) >= LARGE_BYTES and not upload.sse_encryption and not upload.kms_key_id


def _list(backend: Any, bucket: Any, environ: Mapping[str, Any], _body: bytes, _name: str) -> Answer | None:
    """A page of names; moto chooses what is on it, and gives the token of the next."""
    query = _query(environ)
    most, coding, token = query.get("max-keys", "1000"), query.get("encoding-type"), query.get("continuation-token")
    unknown = token is not None and token not in backend._pagination_tokens  # noqa: SLF001
    if query["list-type"] != "2" or not (most.isascii() and most.isdigit()) or coding not in {None, "url"} or unknown:
        return None
    prefix, delimiter, start = query.get("prefix", ""), query.get("delimiter", ""), query.get("start-after", "")
    found, more, following = backend.list_objects_v2(bucket, prefix, delimiter, token, start, int(most))
    names = [one if isinstance(one, str) else one.name for one in found]
    if not all(map(WRITTEN.fullmatch, (delimiter, start, *(() if coding else (prefix, *names))))):
        return None

    def spelt(kind: str, name: str) -> str:
        return element(kind, quote(name) if coding else name)

    owner = OWNER if query.get("fetch-owner") else ""
    folders = [f"<CommonPrefixes>{spelt('Prefix', one)}</CommonPrefixes>" for one in found if type(one) is str]
    objects = [_listed(one, spelt("Key", one.name), owner) for one in found if type(one) is not str]
    after = (
        ("EncodingType", coding), ("KeyCount", str(len(found))), ("NextContinuationToken", following),
        ("StartAfter", "" if token else start),
    )  # fmt: skip
    about = element("Name", bucket.name) + (spelt("Prefix", prefix) or "<Prefix/>") + element("Delimiter", delimiter)
    said = "".join((about, element("MaxKeys", int(most)), *folders, *itertools.starmap(element, after)))
    facts = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{''.join(objects)}{said}"
    return _xml(f"<ListBucketResult {multiparts.SPACE}>{facts}</ListBucketResult>")


def _listed(key: Any, name: str, owner: str) -> str:
    algorithm = key.checksum_algorithm
    checksum = f"<ChecksumAlgorithm>{algorithm}</ChecksumAlgorithm>" if algorithm else ""
    return (
        f"<Contents>{name}<LastModified>{key.last_modified_ISO8601}</LastModified><ETag>{key.etag}</ETag>"
        f"{checksum}<Size>{key.size}</Size><StorageClass>{key.storage_class}</StorageClass>{owner}</Contents>"
    )


def _no_upload() -> Answer:
    """The refusal of an upload that is not there, at which moto's server fails."""
    message = "The specified upload does not exist. The upload ID may be invalid, or it may have been completed."
    return _refused("NoSuchUpload", message, 404)


def _refused(code: str, message: str, status: int = 400) -> Answer:
    return _xml(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>", status)


def _xml(text: str, status: int = 200) -> Answer:
    whole = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Answer(status=status, headers={"Content-Type": "application/xml"}, body=whole)


QUERIES: Mapping[str, set[str]] = {
    "ListObjectsV2": {"list-type"},
    "UploadPart": {"uploadId", "partNumber"},
    "UploadPartCopy": {"uploadId", "partNumber"},
    "CompleteMultipartUpload": {"uploadId"},
}
OPTIONAL: Mapping[str, set[str]] = {
    "ListObjectsV2": {
        "continuation-token", "delimiter", "encoding-type", "fetch-owner", "max-keys", "prefix", "start-after",
    },
}  # fmt: skip
"""What the query of a plain request must say, and what it may."""
OPERATIONS: Mapping[str, Callable[[Any, Any, Mapping[str, Any], bytes, str], Answer | None]] = {
    "CompleteMultipartUpload": _complete,
    "CopyObject": _copy,
    "GetObject": _get,
    "HeadObject": _head,
    "ListObjectsV2": _list,
    "ListMultipartUploads": _list_uploads,
    "ListParts": _list_parts,
    "PutObject": _put,
    "UploadPart": _upload_part,
    "UploadPartCopy": _upload_part_copy,
}
