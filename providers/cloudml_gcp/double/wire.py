"""Requests as they come, what they ask, and answers as they go; known by every service of the double."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_gcp.double.world import World

decoded = lru_cache(maxsize=1024)(unquote)
"""A part of a path, or a name, as it was before it was encoded; the same is asked for several times a request."""
INDENT = 2
JSON = "application/json; charset=UTF-8"


@dataclass(slots=True, kw_only=True)
class Request:
    """A request of HTTP.

    Attributes:
        path: As it came, still encoded.
        segments: The parts of the path, decoded.
        parameters: The query; of a name that is there twice, the last.
        headers: By their names in small letters.
    """

    verb: str
    path: str
    segments: list[str]
    query: tuple[tuple[str, str], ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def host(self) -> str:
        return self.headers.get("host", "")

    def json(self) -> dict[str, Any]:
        """The body.

        Raises:
            Refused: It is no object of JSON.
        """
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            text = f"Invalid JSON payload received. {str(error).partition(':')[0]}."
            raise Refused("INVALID_ARGUMENT", text) from error
        if not isinstance(found, dict):
            text = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
            raise Refused("INVALID_ARGUMENT", text)
        return found


def request(verb: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """A request from what stands in its first line.

    Args:
        headers: By their names in small letters.
    """
    if not target.startswith("/"):
        place = urlsplit(target)
        target = f"{place.path}?{place.query}"
    path, _, said = target.partition("?")
    query = _query(said) if said else ()
    segments = [decoded(part) for part in path.strip("/").split("/")]
    return Request(
        verb=verb, path=path, segments=segments, query=query, parameters=dict(query), headers=headers, body=body
    )


@lru_cache(maxsize=64)
def _query(said: str) -> tuple[tuple[str, str], ...]:
    """The names and values of a query; many requests have the same."""
    return tuple(parse_qsl(said, keep_blank_values=True))


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer of HTTP."""

    status: int = 200
    body: bytes = b""
    kind: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: Any, status: int = 200, indent: int | None = INDENT) -> Answer:
    return Answer(status=status, body=json.dumps(value, indent=indent, ensure_ascii=False).encode())


def error(refusal: Refused) -> Answer:
    """A refusal as most of Google's services put it."""
    said: dict[str, Any] = {"code": refusal.status, "message": refusal.message, "status": refusal.code}
    if refusal.violations:
        listed = [{"field": name, "description": text} for name, text in refusal.violations]
        said["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": listed}]
    return as_json({"error": said}, refusal.status)


NOWHERE = Answer(
    status=404,
    body=b"<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n",
    kind="text/html; charset=UTF-8",
)
"""What Google's front answers where it knows no service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request asks of a service.

    Attributes:
        operation: The RPC, or the method as the service's discovery document has it, such as ``objects.insert``.
        about: The name of what it is about.
        parameters: What was said, for those who look at requests later.
        facts: What the service has read and needs again.
    """

    service: str
    operation: str
    about: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    facts: Any = None

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


class Service(Protocol):
    """One of Google's services: a module."""

    def read(self, world: World, request: Request) -> Asked | None:
        """What a request asks; None when it asks something else."""
        ...

    def answer(self, world: World, request: Request, asked: Asked) -> Answer:
        """The answer.

        Raises:
            Refused: The service says no.
        """
        ...

    def refused(self, request: Request, refusal: Refused) -> Answer:
        """How this service puts a refusal."""
        ...
