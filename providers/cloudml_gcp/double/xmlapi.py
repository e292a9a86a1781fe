"""The part of Cloud Storage's XML API that obstore speaks: objects, lists, copies and multipart uploads."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.sax.saxutils import escape

from cloudml_gcp.double import listing, reading
from cloudml_gcp.double.objects import crc32c, when
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


@dataclass(slots=True)
class Multipart:
    """An upload in parts on its way."""

    bucket: str
    name: str
    kind: str
    parts: dict[int, bytes] = field(default_factory=dict)


def _place(request: Request) -> tuple[str, str]:
    bucket, _, name = request.path.lstrip("/").partition("/")
    return unquote(bucket), unquote(name)


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
        return "objects.list" if request.verb in {"GET", "HEAD"} else "nothing"
    if "uploads" in said:
        return "uploads.start"
    if "uploadId" in said:
        return {"PUT": "uploads.part", "DELETE": "uploads.delete"}.get(request.verb, "objects.insert")
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
    from_bucket, _, from_name = unquote(request.headers["x-goog-copy-source"]).lstrip("/").partition("/")
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
    world.multiparts[number] = Multipart(bucket, name, request.headers.get("content-type", ""))
    inner = f"<Bucket>{escape(bucket)}</Bucket><Key>{escape(name)}</Key><UploadId>{number}</UploadId>"
    return _xml(f"<InitiateMultipartUploadResult {SPACE}>{inner}</InitiateMultipartUploadResult>")


def _upload(world: World, request: Request) -> Multipart:
    found = world.multiparts.get(request.parameters["uploadId"])
    if found is None:
        raise Refused("NoSuchUpload", "The requested upload was not found.", status=404)
    return found


def _part(world: World, request: Request) -> Answer:
    _upload(world, request).parts[int(request.parameters["partNumber"])] = request.body
    etag = hashlib.md5(request.body, usedforsecurity=False)
    sums = f"crc32c={crc32c(request.body)},md5={base64.b64encode(etag.digest()).decode()}"
    return Answer(headers={"ETag": f'"{etag.hexdigest()}"', "x-goog-hash": sums})


def _abort(world: World, request: Request) -> Answer:
    _upload(world, request)
    del world.multiparts[request.parameters["uploadId"]]
    return Answer(status=204)


def _complete(world: World, request: Request) -> Answer:
    """The end of an upload in parts, and whatever else makes an object."""
    if request.verb == "PUT":
        return _put(world, request)
    upload = _upload(world, request)
    whole = b"".join(part for _, part in sorted(upload.parts.items()))
    about = {"contentType": upload.kind or None}
    made = world.objects.put(upload.bucket, upload.name, whole, about, **_conditions(request))
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
    "uploads.part": _part,
    "uploads.start": _start,
}
