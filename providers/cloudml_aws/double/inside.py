"""The double without a socket: clients of this process hand their requests over, and get the answers back."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudml_aws.double.front import DroppedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.front import Front

S3_HOST = ".s3."
OF_THE_WAY = frozenset({"expect", "transfer-encoding"})
"""Headers about how a body is sent, which is whole here."""


class Raw:
    """A body as botocore reads it: whole, or in pieces."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Any:
        yield self._content
        self._content = b""

    def read(self, size: int | None = None, **_: Any) -> bytes:
        size = len(self._content) if size is None else size
        part, self._content = self._content[:size], self._content[size:]
        return part

    def close(self) -> None:
        self._content = b""


class Inside:
    """What a session calls in the place of sending.

    Args:
        front: Answers.
    """

    def __init__(self, front: Front) -> None:
        self._front = front

    def attach(self, session: Any) -> None:
        """Let every client that *session* makes from now on talk to this double: a session of boto3 or botocore."""
        events = getattr(session, "events", None) or session.get_component("event_emitter")
        events.register("before-send", self)

    def __call__(self, request: Any, **_: Any) -> Any:
        """The answer to a request that is about to be sent."""
        from botocore.awsrequest import AWSResponse
        from botocore.exceptions import ConnectionClosedError

        answered: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]]) -> None:
            answered.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))

        try:
            body = b"".join(self._front(environ(request), start))
        except DroppedError as error:
            raise ConnectionClosedError(endpoint_url=request.url) from error
        return AWSResponse(request.url, answered["status"], answered["headers"], Raw(body))


def environ(request: Any) -> dict[str, Any]:
    """The WSGI environment of a request of botocore."""
    from werkzeug.test import EnvironBuilder

    url = urlsplit(request.url)
    path = url.path or "/"
    if S3_HOST in url.netloc and not url.netloc.startswith("s3."):
        path = f"/{url.netloc.partition(S3_HOST)[0]}{path}"
    content = _content(request.body)
    builder = EnvironBuilder(
        path=path,
        query_string=url.query,
        base_url="http://127.0.0.1/",
        method=request.method,
        headers=_headers(request.headers).items(),
        input_stream=io.BytesIO(content),
    )
    found = builder.get_environ()
    found["RAW_URI"] = path
    found["CONTENT_LENGTH"] = str(len(content))
    return found


def _content(body: Any) -> bytes:
    if body is None or isinstance(body, str):
        return (body or "").encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    body.seek(0)  # it was read for its checksum
    return bytes(body.read())


def _headers(headers: Mapping[str, Any]) -> dict[str, str]:
    named = {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in headers.items()}
    return {name: value for name, value in named.items() if name.lower() not in OF_THE_WAY}
