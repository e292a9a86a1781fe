"""Uploads of the JSON API: media, multipart, and resumable ones, whose parts come one after the other."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double.objects import crc32c, md5
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked, as_json

if TYPE_CHECKING:
    from cloudml_gcp.double.objects import Stored
    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

INCOMPLETE = 308
CANCELLED = 499
GONE = 410


@dataclass(slots=True)
class Session:
    """A resumable upload on its way.

    Attributes:
        made: The object, once the last part has come.
    """

    bucket: str
    name: str
    meta: dict[str, Any]
    conditions: dict[str, str]
    content: bytearray = field(default_factory=bytearray)
    made: Stored | None = None


def _conditions(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query if name.startswith("if")}


def read(request: Request) -> Asked:
    """What a request to ``/upload/storage/v1/b/BUCKET/o`` asks."""
    bucket = request.segments[4]
    said = request.parameters
    name = said.get("name") or str(_described(request).get("name", ""))
    later = "upload_id" in said
    return Asked(
        service="storage",
        operation="uploads.part" if later else "objects.insert",
        about=f"{bucket}/{name}" if name else bucket,
        parameters={"bucket": bucket, "object": name, **said},
    )


def _described(request: Request) -> dict[str, Any]:
    """What a request says of the object besides its content."""
    kind = request.parameters.get("uploadType")
    if kind == "multipart":
        return _parts(request)[0]
    if kind == "resumable" and "upload_id" not in request.parameters:
        return request.json()
    return {}


def answer(world: World, request: Request) -> Answer:
    """Take an upload, or a part of one.

    Raises:
        Refused: Cloud Storage says no.
    """
    said = request.parameters
    if "upload_id" in said:
        return _part(world, request, said["upload_id"])
    if said.get("uploadType") == "resumable":
        return _start(world, request)
    about, content = (
        _parts(request)
        if said.get("uploadType") == "multipart"
        else ({"contentType": request.headers.get("content-type")}, request.body)
    )
    name = str(about.get("name") or said.get("name", ""))
    stored = world.objects.put(request.segments[4], name, content, about, **_conditions(request))
    return as_json(stored.resource())


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """Description and content of a multipart upload.

    Raises:
        Refused: It has no two parts.
    """
    mark = re.search(r'boundary="?([^";]+)"?', request.headers.get("content-type", ""))
    pieces = request.body.split(b"--" + mark[1].encode()) if mark else []
    if len(pieces) < 4:  # noqa: PLR2004  before, description, content, after
        raise Refused("badContent", "Multipart body must contain two parts.", status=400)
    (_, first), (head, second) = _part_of(pieces[1]), _part_of(b"--".join(pieces[2:-1]))
    try:
        about: dict[str, Any] = json.loads(first)
    except ValueError:
        raise Refused("parseError", "Parse Error", status=400) from None
    about.setdefault("contentType", BytesHeaderParser().parsebytes(head).get("content-type"))
    return about, second


def _part_of(piece: bytes) -> tuple[bytes, bytes]:
    """Headers and content of one part."""
    end = b"\r\n" if piece.startswith(b"\r\n") else b"\n"
    head, _, content = piece.removeprefix(end).partition(end * 2)
    return head, content.removesuffix(end)


def _start(world: World, request: Request) -> Answer:
    about, bucket = request.json(), request.segments[4]
    about.setdefault("contentType", request.headers.get("x-upload-content-type"))
    name = str(about.get("name") or request.parameters.get("name", ""))
    world.objects.hold(world.objects.live(bucket, name), _conditions(request))
    number = uuid.uuid4().hex
    world.uploads[number] = Session(bucket, name, about, _conditions(request))
    place = f"{world.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={number}"
    return Answer(headers={"Location": place, "X-GUploader-UploadID": number})


def _part(world: World, request: Request, number: str) -> Answer:
    session = world.uploads.get(number)
    if session is None:
        raise Refused("notFound", "Upload session not found.", status=GONE)
    if request.verb == "DELETE":
        del world.uploads[number]
        return Answer(status=CANCELLED)
    if session.made is not None:
        return as_json(session.made.resource())
    placed = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", request.headers.get("content-range", ""))
    total = placed[3] if placed else str(len(session.content) + len(request.body))
    if placed is None or placed[1] is not None:
        start = int(placed[1]) if placed else len(session.content)
        if start > len(session.content):
            raise Refused("invalid", "The part begins after the end of what has come.", status=503)
        session.content[start:] = request.body
    if total != "*" and len(session.content) >= int(total):
        return _finished(world, session)
    return _so_far(session)


def _finished(world: World, session: Session) -> Answer:
    session.made = world.objects.put(
        session.bucket, session.name, bytes(session.content), session.meta, **session.conditions
    )
    session.content.clear()
    return as_json(session.made.resource())


def _so_far(session: Session) -> Answer:
    size = len(session.content)
    sums = f"crc32c={crc32c(bytes(session.content))},md5={md5(bytes(session.content))}"
    held = {"Range": f"bytes=0-{size - 1}"} if size else {}
    return Answer(status=INCOMPLETE, headers={**held, "x-range-md5": sums})
