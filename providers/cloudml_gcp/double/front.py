"""The door: every request is told apart by its path, written down, perhaps made to fail, let in, and answered."""

from __future__ import annotations

import select
import socket
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudml.doubles.faults import Kind
from cloudml.doubles.listening import first_part
from cloudml_gcp.double import accounts, journal, scheduler, storage, vertex, wire, xmlapi
from cloudml_gcp.double.refusals import CODES, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.doubles.faults import Fault
    from cloudml_gcp.double.wire import Answer, Asked, Request, Service
    from cloudml_gcp.double.world import World

HELD_S = 120.0
DENIED = "PERMISSION_DENIED"
SERVICES: tuple[Any, ...] = (storage, accounts, journal, scheduler, vertex, xmlapi)
"""In the order in which they are asked whether a request is theirs; the last takes what is left."""
BATCH = "batch"
OPEN = frozenset({"oauth2", "metadata"})
"""Services that ask for no token: they give them."""


class DroppedError(Exception):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came; what it was about as faults know it.

    Attributes:
        inside: Whether it came with a token that the metadata server gave to a container.
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
    """What answers the requests of one double."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seen: list[Seen] = []
        world.live["send"] = self.answer

    def quick(self, verb: str, target: str) -> bool:
        """Whether a request waits for nothing unless a fault wants it to: one of the XML API, or a batch of the other.

        The XML API's POST puts the parts of large contents together.
        """
        place = first_part(target)
        return self._world.faults.none and (place == BATCH if verb == "POST" else self._world.objects.has(place))

    def answer(self, request: Request, connection: socket.socket | None = None) -> Answer:
        """The answer to a request.

        Raises:
            DroppedError: There is to be none.
        """
        try:
            service, asked = self._told_apart(request)
            if asked is None:
                return wire.NOWHERE
            fault = self.struck(asked, request.headers.get("authorization", ""))
            found = self._answered(service, request, asked, fault)
        except Refused as refusal:
            return wire.error(refusal)
        except DroppedError:
            raise
        except Exception as error:  # noqa: BLE001  the double's own mistake: the client hears of it
            traceback.print_exc()
            return wire.error(Refused("INTERNAL", f"The double has failed: {error!r}"))
        self.lose(fault, connection)
        return found

    def _answered(self, service: Service, request: Request, asked: Asked, fault: Fault | None) -> Answer:
        try:
            self.fail(fault, asked)
            if asked.service not in OPEN:
                self._world.tokens.check(request.headers.get("authorization", ""))
            return service.answer(self._world, request, asked)
        except Refused as refusal:
            return service.refused(request, refusal)

    def struck(self, asked: Asked, token: str = "") -> Fault | None:
        """Write a request down; the fault that strikes it."""
        inside = self._world.tokens.inside(token)
        self.seen.append(Seen(asked.service, asked.operation, asked.parameters, asked.about, inside))
        return self._world.faults.strike(asked.name, asked.about)

    def fail(self, fault: Fault | None, asked: Asked) -> None:
        """What a fault does before the work.

        Raises:
            Refused: It refuses the request.
            DroppedError: It closes the connection.
        """
        if fault is None:
            return
        if fault.kind is Kind.REFUSE:
            message = fault.message
            if (fault.code, message) == (DENIED, DENIED):
                message = accounts.denied(self._world, asked)
            raise Refused(fault.code, message, status=0 if fault.code in CODES else fault.status)
        if fault.kind is Kind.DROP:
            fault.happened()
            raise DroppedError
        if fault.kind is Kind.DELAY:
            self._world.clock.advance(fault.seconds)

    def lose(self, fault: Fault | None, connection: socket.socket | None) -> None:
        """What a fault does after the work.

        Raises:
            DroppedError: The answer is lost.
        """
        if fault is None or fault.kind not in {Kind.LOSE, Kind.HOLD}:
            return
        fault.happened()
        if fault.kind is Kind.HOLD and connection is not None:
            _hold(connection)
        raise DroppedError

    def _told_apart(self, request: Request) -> tuple[Service, Asked | None]:
        for service in SERVICES:
            asked = service.read(self._world, request)
            if asked is not None:
                return service, asked
        return SERVICES[-1], None


def _hold(connection: socket.socket) -> None:
    """Wait until the client has hung up."""
    until = time.monotonic() + HELD_S
    while time.monotonic() < until:
        ready, _, _ = select.select([connection], [], [], 1.0)
        if ready and not connection.recv(1, socket.MSG_PEEK):
            return
