"""Requests as they come, and answers as they go, whatever carries them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

from cloudml_azure.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file, as the body of an answer."""

    path: Path
    start: int
    length: int

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.length)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What goes back."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Part = b""

    @property
    def length(self) -> int:
        return self.body.length if isinstance(self.body, Part) else len(self.body)

    def content(self) -> bytes:
        return self.body.read() if isinstance(self.body, Part) else self.body


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request.

    Attributes:
        host: As the client wrote it, with a port perhaps.
        path: Decoded.
        raw_path: As it came.
        query: Names as they came; of one that comes twice, the last.
        headers: Names are small.
        names: What the route's pattern found in the path.
        document: The body, in the contract's words, where the route has one.
    """

    method: str
    scheme: str
    host: str
    path: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    service: str = ""
    operation: str = ""
    about: str = ""
    action: str = ""
    names: dict[str, str] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"

    def json(self) -> Any:
        """The body.

        Raises:
            Refused: It is no JSON object.
        """
        if not self.body:
            return {}
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise Refused("InvalidRequestContent", f"The request content was invalid: {error}") from error
        return found

    def link(self, path: str, **query: str) -> str:
        """A URL of the same server."""
        words = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query.items())
        return f"{self.origin}{quote(path, safe='/:()')}" + (f"?{words}" if words else "")


def read(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """The request in its parts."""
    scheme, _, rest = url.partition("://")
    place, _, said = rest.partition("?")
    host, _, path = place.partition("/")
    return Asked(
        method=method,
        scheme=scheme,
        host=host,
        path=f"/{unquote(path)}",
        raw_path=f"/{path}",
        query=dict(parse_qsl(said, keep_blank_values=True)) if said else {},
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
    )


def answered(document: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON document."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status=status, headers={**kind, **named}, body=json.dumps(document).encode())


def refused(asked: Asked, refusal: Refused) -> Answer:
    """An error in the protocol of the request's service."""
    if asked.service == "blob":
        return _storage_error(asked, refusal)
    document = {
        "code": refusal.code,
        "message": refusal.message,
        "target": None,
        "details": [],
        **refusal.facts,
        "additionalInfo": [
            {"type": "ComponentName", "info": {"value": "managementfrontend"}},
            {
                "type": "Correlation",
                "info": {"value": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]}},
            },
        ],
    }
    body: dict[str, Any] = {"error": document}
    if asked.service == "mlflow":
        body = {"error_code": refusal.code, "message": refusal.message}
    found = answered(body, refusal.status)
    found.headers |= {"x-ms-failure-cause": "gateway", **refusal.headers}
    return found


def _storage_error(asked: Asked, refusal: Refused) -> Answer:
    message = f"{escape(refusal.message)}\nRequestId:{uuid.uuid4()}"
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{refusal.code}</Code><Message>{message}</Message></Error>'
    )
    headers = {"Content-Type": "application/xml", "x-ms-error-code": refusal.code, **refusal.headers}
    body = b"" if asked.method == "HEAD" or refusal.status == 304 else text.encode()  # noqa: PLR2004  HTTP: Not Modified
    return Answer(status=refusal.status, headers=headers, body=body)
