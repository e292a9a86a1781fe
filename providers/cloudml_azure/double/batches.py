"""Several requests for blobs in one, as azure-storage-blob and obstore delete many at once."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from cloudml_azure.double.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml_azure.double.wire import Asked

    Send = Callable[[str, str, dict[str, str]], Answer]

SUCCESS = range(200, 300)
NUMBER = re.compile(rb"content-id:\s*(\d+)", re.IGNORECASE)


def answer(asked: Asked, send: Send) -> Answer:
    """The answers to all requests in one; *send* is given verb, path and headers of each."""
    boundary = asked.headers.get("content-type", "").partition("boundary=")[2].strip('"')
    back, pieces = f"batchresponse_{uuid.uuid4()}", []
    for index, part in enumerate(asked.body.split(f"--{boundary}".encode())[1:-1]):
        head, _, inner = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
        found = NUMBER.search(head)
        pieces.append(_written(back, int(found[1]) if found else index, _sent(inner.decode(), send)))
    body = "".join([*pieces, f"--{back}--\r\n"]).encode()
    return Answer(status=202, headers={"Content-Type": f"multipart/mixed; boundary={back}"}, body=body)


def _sent(text: str, send: Send) -> Answer:
    first, *lines = text.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = dict(line.split(":", 1) for line in lines if ":" in line)
    return send(method, path, {name: value.strip() for name, value in headers.items()})


def _written(boundary: str, number: int, found: Answer) -> str:
    lines = [f"{name}: {value}" for name, value in found.headers.items()]
    status = f"HTTP/1.1 {found.status} {'Accepted' if found.status in SUCCESS else 'Error'}"
    head = f"--{boundary}\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
    return head + "\r\n".join([status, *lines, "", found.content().decode(), ""])
