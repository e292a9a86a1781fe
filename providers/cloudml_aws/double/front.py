"""The door: every request is read, written down, perhaps made to fail, held against the service model, and answered.

What the double keeps itself is answered here; S3 and whatever else is asked goes on to moto.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudml.doubles.faults import Kind
from cloudml.doubles.listening import first_part
from cloudml_aws import requests
from cloudml_aws.clients import service_model
from cloudml_aws.double import invoking, plain, services, wire, words
from cloudml_aws.double.hosts import INSIDE
from cloudml_aws.double.refusals import Refused
from cloudml_aws.double.wire import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cloudml.doubles.faults import Fault
    from cloudml_aws.double.world import World

    Start = Callable[[str, list[tuple[str, str]]], Any]

REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    424: "Model Error",
}
HELD_S = 120.0
EXPIRED = "ASIAEXPIRED"
"""An access key whose session is over."""
UNKNOWN_KEY = "AKIAUNKNOWN"


class DroppedError(Exception):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came; what it was about as faults know it.

    Attributes:
        inside: Whether a container or a schedule asked.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    about: str = ""
    inside: bool = False

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


class Front:
    """The WSGI application of one double.

    Args:
        moto: The application that answers for S3.
    """

    def __init__(self, world: World, moto: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self._world, self._moto = world, moto
        self.seen: list[Seen] = []
        world.live["send"] = self.send

    def quick(self, target: str, authorization: str) -> bool:
        """Whether a request is one for objects, which waits for nothing unless a fault wants it to."""
        world = self._world
        return (
            world.faults.none and "/s3/aws4_request" in authorization and world.objects.has_bucket(first_part(target))
        )

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = _body(environ)
        asked = wire.read(environ, body)
        about, inside = asked.about, asked.access_key == INSIDE
        self.seen.append(Seen(asked.service, asked.operation, asked.parameters, about, inside))
        fault = self._world.faults.strike(asked.name, about)
        if fault is not None and (early := self._fail(asked, fault)) is not None:
            return _sent(early, start)
        if fault is not None and fault.kind in {Kind.LOSE, Kind.HOLD}:
            self._lose(asked, environ, body, fault)
        if _is_motos(asked):
            return self._to_moto(asked, environ, body, start)
        return _sent(self.answer(asked), start)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request that the double answers itself."""
        try:
            _signed(asked)
            _answered_here(asked)
            if asked.service == "sagemaker-runtime":
                return invoking.invoke(self._world, asked.parameters, asked.payload)
            self._check(asked)
            found = services.operation(asked)(self._world, asked.parameters)
        except Refused as refusal:
            return wire.refused(asked, refusal)
        return found if isinstance(found, Answer) else wire.accepted(asked, found)

    def send(self, service: str, operation: str, parameters: dict[str, Any]) -> str:
        """Send a request from within, as a schedule does; what was answered."""
        asked = Asked(service=service, operation=operation, parameters=parameters)
        self.seen.append(Seen(service, operation, parameters, asked.about, inside=True))
        fault = self._world.faults.strike(asked.name, asked.about)
        early = self._fail(asked, fault) if fault is not None else None
        answer = early or self.answer(asked)
        return f"{answer.status} {answer.body.decode('utf-8', 'replace')}"

    def _check(self, asked: Asked) -> None:
        if asked.service in wire.QUERY:
            return
        found = list(requests.problems(service_model(asked.service), asked.operation, asked.parameters))
        if found:
            raise Refused("ValidationException", words.refusal(found))

    def _fail(self, asked: Asked, fault: Fault) -> Answer | None:
        """What a fault answers before the work; None when the work is to be done."""
        if fault.kind is Kind.REFUSE:
            return wire.refused(asked, Refused(fault.code, fault.message, fault.status))
        if fault.kind is Kind.DROP:
            fault.happened()
            raise DroppedError
        if fault.kind is Kind.DELAY:
            self._world.clock.advance(fault.seconds)
        return None

    def _lose(self, asked: Asked, environ: dict[str, Any], body: bytes, fault: Fault) -> None:
        """Do the work, and give no answer."""
        if _is_motos(asked):
            for _ in self._to_moto(asked, environ, body, lambda *_: None):
                pass
        else:
            self.answer(asked)
        fault.happened()
        if fault.kind is Kind.HOLD:
            _hold(environ)
        raise DroppedError

    def _to_moto(self, asked: Asked, environ: dict[str, Any], body: bytes, start: Start) -> Iterable[bytes]:
        try:
            _signed(asked)
            if asked.service == "sagemaker":
                self._check(asked)
        except Refused as refusal:
            return _sent(wire.refused(asked, refusal), start)
        objects = self._world.objects
        account = objects.account if asked.service == "s3" else self._world.account
        if asked.operation == "CreateBucket":
            objects.forget_elsewhere(asked.parameters["BucketName"])
        if (short := plain.answer(objects.backend, asked, environ, body)) is not None:
            return _sent(short, start, head=asked.operation == "HeadObject")
        environ = {**environ, "wsgi.input": io.BytesIO(body), "HTTP_X_MOTO_ACCOUNT_ID": account}
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
        return self._moto(environ, start)


def _is_motos(asked: Asked) -> bool:
    return not services.known(asked) and not services.refused(asked)


def _body(environ: Mapping[str, Any]) -> bytes:
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    if environ.get("wsgi.input_terminated"):
        return bytes(stream.read())
    return bytes(stream.read(int(length))) if length else b""


def _signed(asked: Asked) -> None:
    """Refuse credentials that AWS would refuse.

    Raises:
        Refused: The session is over, or nobody has that key.
    """
    if asked.access_key.startswith(EXPIRED):
        code = "ExpiredToken" if asked.service in {"s3", "sts", "iam"} else "ExpiredTokenException"
        raise Refused(code, "The security token included in the request is expired", 400)
    if asked.access_key.startswith(UNKNOWN_KEY):
        code = "InvalidClientTokenId" if asked.service in {"sts", "iam"} else "UnrecognizedClientException"
        raise Refused(code, "The security token included in the request is invalid.", 403)


def _answered_here(asked: Asked) -> None:
    """Refuse what nobody answers.

    Raises:
        Refused: Neither the double nor moto does.
    """
    if services.refused(asked):
        text = f"The double does not answer {asked.operation or 'this request'}."
        raise Refused("UnknownOperationException", text, 501)


def _sent(answer: Answer, start: Start, *, head: bool = False) -> list[bytes]:
    """Send an answer; of a request with HEAD it says itself how long the content is."""
    length = {} if head else {"Content-Length": str(len(answer.body))}
    known = {name: value for name, value in answer.headers.items() if head or name.lower() != "content-length"}
    headers = {**known, **length, "x-amzn-RequestId": "double"}
    start(f"{answer.status} {REASONS.get(answer.status, 'Error')}", list(headers.items()))
    return [answer.body]


def _hold(environ: Mapping[str, Any]) -> None:
    """Wait until the client has hung up."""
    import select
    import socket

    connection: socket.socket | None = environ.get("werkzeug.socket")
    until = time.monotonic() + HELD_S
    while connection is not None and time.monotonic() < until:
        ready, _, _ = select.select([connection], [], [], 1.0)
        if ready and not connection.recv(1, socket.MSG_PEEK):
            return
