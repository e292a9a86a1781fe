"""Batches of the JSON API: several requests in one body, each answered in its part of the answer."""

from __future__ import annotations

import http
import re
from typing import TYPE_CHECKING

from cloudml_gcp.double import wire
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

MARK = "batch_double"


def answer(
    world: World,
    request: Request,
    one: Callable[[World, Request, Asked], Answer],
    refused: Callable[[Request, Refused], Answer],
) -> Answer:
    """Answer every request of a batch with *one*; a refusal is the answer of its part alone."""
    from cloudml_gcp.double.storage import read

    mark = re.search(r'boundary="?([^";]+)"?', request.headers.get("content-type", ""))
    pieces = request.body.decode().replace("\r\n", "\n").split(f"--{mark[1]}")[1:-1] if mark else []
    shown = []
    for piece in pieces:
        number, inner = _inner(piece)
        asked = read(world, inner) or Asked(service="storage", operation="nothing")
        try:
            found = one(world, inner, asked)
        except Refused as refusal:
            found = refused(inner, refusal)
        shown.append(_outer(number, found))
    return Answer(body=b"".join(shown) + f"--{MARK}--\r\n".encode(), kind=f"multipart/mixed; boundary={MARK}")


def _inner(piece: str) -> tuple[str, Request]:
    """The number of a part, and the request within."""
    head, _, text = piece.lstrip("\n").partition("\n\n")
    number = re.search(r"content-id:\s*<?([^>\n]+)>?", head, re.IGNORECASE)
    first, _, rest = text.lstrip("\n").partition("\n")
    verb, target, *_ = first.split()
    lines, _, body = rest.partition("\n\n")
    said = [line.partition(": ") for line in lines.splitlines()]
    headers = {name.lower(): value for name, mark, value in said if mark}
    return (number[1] if number else ""), wire.request(verb, target, headers, body.strip().encode())


def _outer(number: str, found: Answer) -> bytes:
    reason = http.HTTPStatus(found.status).phrase
    named = f"Content-ID: <response-{number}>\r\n" if number else ""
    length = f"Content-Length: {len(found.body)}"
    head = f"--{MARK}\r\nContent-Type: application/http\r\n{named}\r\nHTTP/1.1 {found.status} {reason}\r\n"
    return f"{head}Content-Type: {found.kind}\r\n{length}\r\n\r\n".encode() + found.body + b"\r\n"
