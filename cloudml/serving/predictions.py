"""Answering requests for predictions: a bare ASGI function, because every request passes here.

Starlette's request, router and layers of middleware take longer than a small model does. So does a timer for each
request: the wait for a body is timed only when the body was not there at once.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import os
import re
import types
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from cloudml.runtime import codec
from cloudml.runtime.answering import Reply, failed
from cloudml.serving import routes
from cloudml.serving.service import Call, Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping

    from cloudml.serving.service import Service

T = TypeVar("T")
REQUEST_ID = "x-request-id"
LEAST_FAILURE, TOO_SLOW, TOO_LARGE, UNAUTHORIZED, UNAVAILABLE = 400, 408, 413, 401, 503
RETRY_SECONDS = "1"
EXTRA_HEADERS = {UNAUTHORIZED: {"www-authenticate": "Bearer"}, UNAVAILABLE: {"retry-after": RETRY_SECONDS}}
WHY_NOT = {
    Phase.LOADING: "the model is loading",
    Phase.FAILED: "the model could not be loaded",
    Phase.DRAINING: "the server is stopping",
}
GONE = Reply(400, b"", codec.JSON)
"""For a caller who went away before the body was read: nobody sees it."""
CLOSE = {"connection": "close"}
_GOOD_ID = re.compile(rb"[\w.-]{1,64}")


class Predictions:
    """The ASGI app of a route of predictions. Called by itself it gives the status of its answer.

    Args:
        tensors: Whether the route is of the Open Inference Protocol, and names the model.
    """

    def __init__(self, service: Service, *, tensors: bool) -> None:
        self._service, self._limits, self._tensors = service, service.config.limits, tensors
        self._secret = f"Bearer {service.config.token}".encode() if service.config.token else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> int:
        if self._tensors and scope.get("path_params"):
            known(scope["path_params"], self._service)
        raw = scope["headers"]
        headers = dict(raw)
        request_id = IDS.of(headers.get(b"x-request-id", b""))
        service, more = self._service, None
        reply = self._refusal(headers, request_id)
        if reply is None:
            body = await self._body(headers, receive, request_id)
            if isinstance(body, bytes):
                call = Call(
                    body, text(headers, b"content-type"), text(headers, b"accept"), request_id, self._tensors,
                    Headers(raw=raw),
                )  # fmt: skip
                reply = await service.answer(call)
            else:
                reply, more = body, CLOSE
        if self._tensors and reply.status >= LEAST_FAILURE:
            reply = reply._replace(body=flat(reply.body))
        if service.phase is Phase.DRAINING:
            more = CLOSE
        await send({"type": "http.response.start", "status": reply.status, "headers": head(reply, request_id, more)})
        await send({"type": "http.response.body", "body": reply.body})
        return reply.status

    def _refusal(self, headers: Mapping[bytes, bytes], request_id: str) -> Reply | None:
        """Why the request is not even read."""
        if self._secret is not None and not hmac.compare_digest(headers.get(b"authorization", b""), self._secret):
            return failed(UNAUTHORIZED, "the token is missing or wrong", request_id)
        if self._service.model is None:
            return failed(UNAVAILABLE, WHY_NOT[self._service.phase], request_id)
        return None

    async def _body(self, headers: Mapping[bytes, bytes], receive: Any, request_id: str) -> bytes | Reply:
        """The body, or the answer to one that is too large or too slow; its rest is not read."""
        limit = self._limits.body_bytes
        reading = read(headers, receive, limit)
        try:
            body = await within(self._limits.time.total_seconds(), reading, reading.send(None))
        except StopIteration as done:  # it was there
            body = done.value
        except TimeoutError:
            return failed(TOO_SLOW, "the body did not come in time", request_id)
        return failed(TOO_LARGE, f"the body has more than {limit} bytes", request_id) if body is None else body


class RequestIds:
    """Ids that no other process gives: 32 hexadecimal digits, of which the last ones count."""

    def __init__(self) -> None:
        self._of: int | None = None
        self._start, self._numbers = "", itertools.count()

    def of(self, said: bytes) -> str:
        """The caller's own id, where it has said a good one; else a new one."""
        if said and _GOOD_ID.fullmatch(said):
            return said.decode("ascii")
        if self._of != os.getpid():  # forked
            self._of, self._start, self._numbers = os.getpid(), os.urandom(10).hex(), itertools.count()
        return f"{self._start}{next(self._numbers):012x}"


IDS = RequestIds()


async def within(seconds: float, begun: Coroutine[Any, Any, T], waits_for: Any) -> T:
    """What a coroutine gives that has begun, and waits. Raises TimeoutError when it takes too long."""
    async with asyncio.timeout(seconds):
        return await resumed(begun, waits_for)


@types.coroutine
def resumed(begun: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine, as `yield from` does from its start."""
    try:
        while True:
            try:
                found = yield waits_for
            except BaseException as error:  # noqa: BLE001  the coroutine handles it, or does not
                waits_for = begun.throw(error)
            else:
                waits_for = begun.send(found)
    except StopIteration as done:
        value: T = done.value
        return value


async def read(headers: Mapping[bytes, bytes], receive: Any, limit: int) -> bytes | Reply | None:
    """The body; None when it is larger than allowed, of which no more is read than needed to know it."""
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        return None
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return GONE
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def known(named: Mapping[str, str], service: Service) -> None:
    """Refuse another model's name or version.

    Raises:
        HTTPException: 404.
    """
    name, version = service.config.name, service.config.version
    if named["name"] != name or named.get("version", version) != version:
        raise HTTPException(404, f"there is no such model; there is: {name} {version}")


def text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    found = headers.get(name)
    return None if found is None else found.decode("latin-1")


def head(reply: Reply, request_id: str, more: Mapping[str, str] | None) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, as ASGI has them."""
    found = [
        (b"content-length", b"%d" % len(reply.body)),
        (b"content-type", reply.content_type.encode("latin-1")),
        (b"x-request-id", request_id.encode("ascii")),
    ]
    extra = EXTRA_HEADERS.get(reply.status)
    if extra or more:
        found += encoded({**(extra or {}), **(more or {})}.items())
    return found


def encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def flat(body: bytes) -> bytes:
    """An error as the Open Inference Protocol has it: its message as a text, the facts beside it."""
    facts = json.loads(body)["error"]
    return codec.dumps({"error": facts.pop("message"), **facts})


def shortcuts(service: Service) -> dict[str, tuple[str, Callable[..., Awaitable[int]]]]:
    """By path, the routes of predictions of the model that there is: the name that is counted, and the app."""
    plain, tensors = Predictions(service, tensors=False), Predictions(service, tensors=True)
    found: dict[str, tuple[str, Callable[..., Awaitable[int]]]] = {
        path: (path, plain) for path in routes.posts(service.config)
    }
    for model in routes.MODELS:
        route = f"{model}/infer"
        found[route.format(name=service.config.name, version=service.config.version)] = (route, tensors)
    return found
