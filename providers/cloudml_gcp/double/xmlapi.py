"""The part of Cloud Storage's XML API that obstore speaks: objects, lists, copies and multipart uploads."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from cloudml_gcp.double import listing, reading
from cloudml_gcp.double.objects import crc32c, when
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked, decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from cloudml_gcp.double.objects import Stored
    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

XML = "application/xml; charset=UTF-8"
SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
"""Google's own client looks for an upload's number in it."""
LISTED = {"prefix": "prefix", "delimiter": "delimiter", "continuation-token": "pageToken", "max-keys": "maxResults"}
"""Words of the XML API -> those of the JSON API."""
CODES = {
    "notFound": "NoSuchKey",
    "conditionNotMet": "PreconditionFailed",
    "requestedRangeNotSatisfiable": "InvalidRange",
    "RESOURCE_EXHAUSTED": "SlowDown",
    "rateLimitExceeded": "SlowDown",
    "PERMISSION_DENIED": "AccessDenied",
    "UNAUTHENTICATED": "AuthenticationRequired",
    "UNAVAILABLE": "ServiceUnavailable",
    "INTERNAL": "InternalError",
}


LISTED_AT_MOST = 1_000
"""Uploads, or parts of one."""
OF_UPLOADS = {"GET": "uploads.parts", "PUT": "uploads.part", "DELETE": "uploads.delete"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload, and its ETag: MD5 in hexadecimal."""

    content: bytes
    etag: str


@dataclass(slots=True)
class Multipart:
    """An upload in parts on its way."""

    bucket: str
    name: str
    kind: str
    begun: datetime
    parts: dict[int, Part] = field(default_factory=dict)


def _place(request: Request) -> tuple[str, str]:
    bucket, _, name = request.path.lstrip("/").partition("/")
    return decoded(bucket), decoded(name)


def read(_world: World, request: Request) -> Asked | None:
    """What a request to ``/BUCKET/OBJECT`` asks."""
    bucket, name = _place(request)
    if not bucket:
        return None
    return Asked(
        service="storage",
        operation=_operation(request, name),
        about=f"{bucket}/{name}" if name else bucket,
        parameters={"bucket": bucket, "object": name, **request.parameters},
    )


def _operation(request: Request, name: str) -> str:
    said = request.parameters
    if not name:
        lists = "uploads.list" if "uploads" in said else "objects.list"
        return lists if request.verb in {"GET", "HEAD"} else "nothing"
    if "uploads" in said:
        return "uploads.start"
    if "uploadId" in said:
        return OF_UPLOADS.get(request.verb, "objects.insert")
    if request.verb == "PUT":
        return "objects.copy" if "x-goog-copy-source" in request.headers else "objects.insert"
    return {"DELETE": "objects.delete", "GET": "objects.get", "HEAD": "objects.get"}.get(request.verb, "nothing")


def answer(world: World, request: Request, asked: Asked) -> Answer:
    """Carry out what is asked.

    Raises:
        Refused: Cloud Storage says no.
    """
    operation = OPERATIONS.get(asked.operation)
    if operation is None:
        raise Refused("notFound", "Not Found", status=404)
    return operation(world, request)


def refused(_request: Request, refusal: Refused) -> Answer:
    if refusal.code == "notModified":
        return Answer(status=refusal.status)
    code = CODES.get(refusal.code, refusal.code)
    message, details = escape(refusal.message), ""
    if refusal.code == "PERMISSION_DENIED":
        message, details = "Access denied.", f"<Details>{message}</Details>"
    text = f"<Error><Code>{escape(code)}</Code><Message>{message}</Message>{details}</Error>"
    return _xml(text, refusal.status)


def _xml(text: str, status: int = 200) -> Answer:
    return Answer(status=status, body=f"<?xml version='1.0' encoding='UTF-8'?>{text}".encode(), kind=XML)


def _conditions(request: Request) -> dict[str, str]:
    names = {
        "x-goog-if-generation-match": "ifGenerationMatch",
        "x-goog-if-metageneration-match": "ifMetagenerationMatch",
    }
    return {word: request.headers[name] for name, word in names.items() if name in request.headers}


def _list(world: World, request: Request) -> Answer:
    bucket, _ = _place(request)
    said = {LISTED[name]: value for name, value in request.query if name in LISTED}
    page = listing.page(world.objects, bucket, said)
    more = f"<NextContinuationToken>{page.following}</NextContinuationToken>" if page.following else ""
    rows = "".join(_row(one) for one in page.objects)
    prefixes = "".join(f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in page.prefixes)
    count = f"<KeyCount>{len(page.objects) + len(page.prefixes)}</KeyCount>"
    cut = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
    head = f"<Name>{escape(bucket)}</Name><Prefix>{escape(said.get('prefix', ''))}</Prefix>{count}{cut}{more}"
    return _xml(f"<ListBucketResult>{head}{rows}{prefixes}</ListBucketResult>")


def _row(stored: Stored) -> str:
    return (
        f"<Contents><Key>{escape(stored.name)}</Key><Generation>{stored.generation}</Generation>"
        f"<MetaGeneration>{stored.metageneration}</MetaGeneration>"
        f"<LastModified>{when(stored.updated or stored.created)}</LastModified>"
        f"<ETag>&quot;{stored.etag}&quot;</ETag><Size>{len(stored.content)}</Size></Contents>"
    )


def _get(world: World, request: Request) -> Answer:
    bucket, name = _place(request)
    stored = world.objects.find(bucket, name, request.parameters.get("generation", ""))
    known, wanted = request.headers.get("if-none-match"), request.headers.get("if-match")
    if known is not None and known.strip('"') in {stored.etag, "*"}:
        raise Refused("notModified", "", status=304)
    if wanted is not None and wanted.strip('"') not in {stored.etag, "*"}:
        raise Refused("conditionNotMet", "At least one of the pre-conditions you specified did not hold.", status=412)
    world.objects.hold(stored, _conditions(request), reading=True)
    return reading.content(stored, request)


def _put(world: World, request: Request) -> Answer:
    bucket, name = _place(request)
    return Answer(headers=reading.headers(_stored(world, request, bucket, name, request.body)))


def _stored(world: World, request: Request, bucket: str, name: str, content: bytes) -> Stored:
    mark = "x-goog-meta-"
    own = {key.removeprefix(mark): value for key, value in request.headers.items() if key.startswith(mark)}
    about = {"contentType": request.headers.get("content-type"), "metadata": own or None}
    return world.objects.put(bucket, name, content, about, **_conditions(request))


def _copy(world: World, request: Request) -> Answer:
    bucket, name = _place(request)
    from_bucket, _, from_name = decoded(request.headers["x-goog-copy-source"]).lstrip("/").partition("/")
    source = world.objects.find(from_bucket, from_name)
    made = world.objects.copy(source, bucket, name, source.meta, **_conditions(request))
    found = _xml(f"<CopyObjectResult><ETag>&quot;{made.etag}&quot;</ETag></CopyObjectResult>")
    found.headers["x-goog-generation"] = str(made.generation)
    return found


def _delete(world: World, request: Request) -> Answer:
    bucket, name = _place(request)
    world.objects.delete(bucket, name, request.parameters.get("generation", ""), **_conditions(request))
    return Answer(status=204)


def _start(world: World, request: Request) -> Answer:
    bucket, name = _place(request)
    world.objects.bucket(bucket)
    number = uuid.uuid4().hex
    world.multiparts[number] = Multipart(bucket, name, request.headers.get("content-type", ""), world.clock.now())
    inner = f"<Bucket>{escape(bucket)}</Bucket><Key>{escape(name)}</Key><UploadId>{number}</UploadId>"
    return _xml(f"<InitiateMultipartUploadResult {SPACE}>{inner}</InitiateMultipartUploadResult>")


def _upload(world: World, request: Request) -> Multipart:
    found = world.multiparts.get(request.parameters["uploadId"])
    if found is None:
        raise Refused("NoSuchUpload", "The requested upload was not found.", status=404)
    return found


def _uploads(world: World, request: Request) -> Answer:
    """The uploads of a bucket that are not finished, by name."""
    bucket, _ = _place(request)
    world.objects.bucket(bucket)
    said = request.parameters
    after = (said.get("key-marker", ""), said.get("upload-id-marker", "\uffff"))
    there = sorted((one.name, number) for number, one in list(world.multiparts.items()) if one.bucket == bucket)
    rows = [row for row in there if row[0].startswith(said.get("prefix", "")) and row > after]
    page = rows[: int(said.get("max-uploads") or LISTED_AT_MOST)]
    cut = len(page) < len(rows)
    following = (("NextKeyMarker", page[-1][0]), ("NextUploadIdMarker", page[-1][1])) if cut else ()
    facts = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in following)
    listed = "".join(
        f"<Upload><Key>{escape(name)}</Key><UploadId>{number}</UploadId><StorageClass>STANDARD</StorageClass>"
        f"<Initiated>{when(world.multiparts[number].begun)}</Initiated></Upload>"
        for name, number in page
    )
    head = f"<Bucket>{escape(bucket)}</Bucket>{facts}<IsTruncated>{str(cut).lower()}</IsTruncated>"
    return _xml(f"<ListMultipartUploadsResult {SPACE}>{head}{listed}</ListMultipartUploadsResult>")


def _parts(world: World, request: Request) -> Answer:
    """What has come of an upload."""
    upload, said = _upload(world, request), request.parameters
    rows = [row for row in sorted(upload.parts.items()) if row[0] > int(said.get("part-number-marker") or 0)]
    page = rows[: int(said.get("max-parts") or LISTED_AT_MOST)]
    cut = len(page) < len(rows)
    following = f"<NextPartNumberMarker>{page[-1][0]}</NextPartNumberMarker>" if cut else ""
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{part.etag}&quot;</ETag>"
        f"<Size>{len(part.content)}</Size></Part>"
        for number, part in page
    )
    head = f"<Key>{escape(upload.name)}</Key>{following}<IsTruncated>{str(cut).lower()}</IsTruncated>"
    return _xml(f"<ListPartsResult {SPACE}>{head}{listed}</ListPartsResult>")


def _wanted(upload: Multipart, document: bytes) -> list[bytes]:
    """The parts that the end of an upload names.

    Raises:
        Refused: One of them has not come, or is another.
    """
    try:
        named = [
            (int(one.findtext("{*}PartNumber", "0")), one.findtext("{*}ETag", "").strip('"'))
            for one in ET.fromstring(document).iterfind("{*}Part")  # noqa: S314  from the client of a test
        ]
    except ET.ParseError:
        raise Refused("MalformedXML", "The XML you provided was not well-formed.", status=400) from None
    parts = [part for number, etag in named if (part := upload.parts.get(number)) and part.etag == etag]
    if not parts or len(parts) != len(named):
        raise Refused("InvalidPart", "One or more of the specified parts could not be found.", status=400)
    return [part.content for part in parts]


def _part(world: World, request: Request) -> Answer:
    upload, number = _upload(world, request), int(request.parameters["partNumber"])
    found = hashlib.md5(request.body, usedforsecurity=False)
    upload.parts[number] = Part(request.body, found.hexdigest())
    sums = f"crc32c={crc32c(request.body)},md5={base64.b64encode(found.digest()).decode()}"
    return Answer(headers={"ETag": f'"{found.hexdigest()}"', "x-goog-hash": sums})


def _abort(world: World, request: Request) -> Answer:
    _upload(world, request)
    del world.multiparts[request.parameters["uploadId"]]
    return Answer(status=204)


def _complete(world: World, request: Request) -> Answer:
    """The end of an upload in parts, and whatever else makes an object."""
    if request.verb == "PUT":
        return _put(world, request)
    upload = _upload(world, request)
    contents = _wanted(upload, request.body)
    about = {"contentType": upload.kind or None}
    made = world.objects.put_together(upload.bucket, upload.name, contents, about, **_conditions(request))
    del world.multiparts[request.parameters["uploadId"]]
    found = _xml(f"<CompleteMultipartUploadResult><ETag>&quot;{made.etag}&quot;</ETag></CompleteMultipartUploadResult>")
    found.headers["x-goog-generation"] = str(made.generation)
    return found


OPERATIONS: Mapping[str, Callable[[World, Request], Answer]] = {
    "objects.copy": _copy,
    "objects.delete": _delete,
    "objects.get": _get,
    "objects.insert": _complete,
    "objects.list": _list,
    "uploads.delete": _abort,
    "uploads.list": _uploads,
    "uploads.part": _part,
    "uploads.parts": _parts,
    "uploads.start": _start,
}
