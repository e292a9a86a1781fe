"""Batches of the JSON API: several requests in one body, each answered in its part of the answer.

Each is a request like any other: it is written down, faults strike it, its caller is asked for a token. What ends the
connection of one ends that of the batch.
"""

from __future__ import annotations

import http
import re
from typing import TYPE_CHECKING

from cloudml_gcp.double import wire
from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_gcp.double.wire import Answer, Request
    from cloudml_gcp.double.world import World

MARK = "batch_double"
BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
NUMBER = re.compile(r"content-id:\s*<?([^>\n]+)>?", re.IGNORECASE)
JSON_API = "/storage/v1/"


def answer(world: World, request: Request) -> Answer:
    """Answer every request of a batch; a refusal is the answer of its part alone.

    Raises:
        Refused: This is no batch.
    """
    shown = [_outer(number, _answer(world, inner)) for number, inner in _requests(request)]
    if not shown:
        raise Refused("badRequest", "Failed to parse batch request, error: 0 items.", status=400)
    return wire.Answer(body=b"".join(shown) + f"--{MARK}--\r\n".encode(), kind=f"multipart/mixed; boundary={MARK}")


def _answer(world: World, inner: Request) -> Answer:
    """The answer to one; nothing but requests of the JSON API can be in a batch, and of these none with contents."""
    if not inner.path.startswith(JSON_API) or inner.parameters.get("alt") == "media":
        return wire.NOWHERE
    found: Answer = world.live["send"](inner)
    return found


def _requests(request: Request) -> Iterator[tuple[str, Request]]:
    """The requests within, and how they are called."""
    mark = BOUNDARY.search(request.headers.get("content-type", ""))
    pieces = request.body.decode().replace("\r\n", "\n").split(f"--{mark[1]}")[1:-1] if mark else []
    around = {name: value for name, value in request.headers.items() if not name.startswith("content-")}
    return (_inner(piece, around) for piece in pieces)


def _inner(piece: str, around: Mapping[str, str]) -> tuple[str, Request]:
    """The number of a part, and the request within; it has the headers of the batch, but for those of its body."""
    head, _, text = piece.lstrip("\n").partition("\n\n")
    number = NUMBER.search(head)
    first, _, rest = text.lstrip("\n").partition("\n")
    verb, target, *_ = first.split()
    lines, _, body = rest.partition("\n\n")
    said = [line.partition(":") for line in lines.splitlines()]
    headers = {**around, **{name.lower(): value.strip() for name, mark, value in said if mark}}
    return (number[1] if number else ""), wire.request(verb, target, headers, body.strip().encode())


def _outer(number: str, found: Answer) -> bytes:
    reason = http.HTTPStatus(found.status).phrase
    named = f"Content-ID: <response-{number}>\r\n" if number else ""
    length = f"Content-Length: {len(found.body)}"
    head = f"--{MARK}\r\nContent-Type: application/http\r\n{named}\r\nHTTP/1.1 {found.status} {reason}\r\n"
    return f"{head}Content-Type: {found.kind}\r\n{length}\r\n\r\n".encode() + found.body + b"\r\n"
