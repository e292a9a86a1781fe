"""The door: every request is read, written down, perhaps made to fail, held against the contract, and answered."""

from __future__ import annotations

import sys
import traceback
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudml.doubles.faults import Kind
from cloudml.doubles.listening import first_part
from cloudml_azure.double import blobs, contracts, storage, wire
from cloudml_azure.double.identity import CLIENT, OBJECT, of_run
from cloudml_azure.double.refusals import Refused, not_found
from cloudml_azure.double.routes import OPEN
from cloudml_azure.double.services import TABLE
from cloudml_azure.double.world import API_VERSION, INFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.doubles.faults import Fault
    from cloudml_azure.double.routes import Route
    from cloudml_azure.double.wire import Answer, Asked
    from cloudml_azure.double.world import World

MANAGED = frozenset({"ml", "insights", "authorization"})
"""Services of resource management: an api-version has to be said."""
THROTTLED, FORBIDDEN = 429, 403


class DroppedError(Exception):
    """The connection is to be closed without an answer."""


class HeldError(Exception):
    """No answer is to come before the client gives up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came.

    Attributes:
        service: ``ml``, ``blob``, ``history``, ``mlflow``, ``scoring`` and so on.
        operation: As in Azure's own description of the service, such as ``Jobs_CreateOrUpdate``.
        body: Of JSON, the document; else None.
        inside: Whether a job's container asked, with the token of its run.
    """

    service: str
    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    about: str = ""
    inside: bool = False

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")


class Front:
    """What answers for one double."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seen: list[Seen] = []
        world.live["send"] = self.send

    def quick(self, target: str) -> bool:
        """Whether a request is one for storage, which waits for nothing unless a fault wants it to."""
        return self._world.faults.none and first_part(target) in self._world.accounts

    def dispatch(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a request.

        Raises:
            DroppedError: A fault wants the connection to end without one.
            HeldError: A fault wants the client to wait in vain.
        """
        asked = wire.read(method, url, headers, body)
        if (name := asked.host.partition(f".{self._world.region}.{INFERENCE}")[0]) != asked.host:
            asked.path = f"/scoring/{name}{asked.path}"
        found = None if storage.claims(self._world, asked) else TABLE.find(asked)
        if not asked.service:
            asked.service, asked.operation = "arm", "Unknown"
        self._note(asked)
        fault = self._world.faults.strike(asked.name, asked.about)
        if fault is not None and (early := self._fail(asked, fault)) is not None:
            return early
        answer = self._answer(asked, found)
        if fault is not None and fault.kind in {Kind.LOSE, Kind.HOLD}:
            fault.happened()
            raise HeldError if fault.kind is Kind.HOLD else DroppedError
        return answer

    def send(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        """Send a request from within, as a schedule does."""
        from json import dumps

        from cloudml_azure.double.identity import token

        url = f"https://management.azure.com{path}?api-version={API_VERSION}"
        headers = {"Authorization": f"Bearer {token('https://management.azure.com/.default').token}"}
        return self.dispatch(method, url, headers, dumps(body).encode())

    def _note(self, asked: Asked) -> None:
        document = None
        if asked.service != "blob" and asked.body[:1] in {b"{", b"["}:
            try:
                document = asked.json()
            except Refused:
                document = None
        what = (asked.service, asked.operation, asked.method, asked.path, asked.query, document, asked.about)
        self.seen.append(Seen(*what, inside=of_run(asked.headers.get("authorization", ""))))

    def _answer(self, asked: Asked, found: Route | None) -> Answer:
        try:
            if asked.service == "blob":
                return storage.answer(self._world, asked)
            answer = self._handled(asked, found)
        except Refused as refusal:
            answer = wire.refused(asked, refusal)
        except Exception as error:  # noqa: BLE001  the double's own mistake is told to whoever asked
            sys.stderr.write(traceback.format_exc())
            answer = wire.refused(asked, Refused("InternalServerError", f"The double failed: {error!r}", 500))
        return self._signed(asked, answer)

    def _handled(self, asked: Asked, found: Route | None) -> Answer:
        if found is None:
            raise Refused(
                "InvalidResourceType", f"The double knows no {asked.method} {asked.path} ({asked.host}).", 404
            )
        if found.service not in OPEN:
            self._authenticate(asked)
        if found.service in MANAGED and not asked.api_version:
            raise Refused("MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.")
        self._placed(asked)
        if found.root:
            strict = asked.api_version == API_VERSION or found.service == "insights"
            if asked.method == "PUT":
                contracts.check_name(found.root, next(reversed(_own(asked).values()), ""))
            asked.document = contracts.checked(found.root, asked.json(), strict=strict)
        with self._world.lock if found.service not in OPEN else _NO_LOCK:
            return found.handler(self._world, asked)

    def _authenticate(self, asked: Asked) -> None:
        text = asked.headers.get("authorization", "")
        if not text.startswith("Bearer "):
            raise Refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", 401)
        self._world.identity.check(text.removeprefix("Bearer "))

    def _placed(self, asked: Asked) -> None:
        """Refuse what is asked of a subscription, resource group or workspace that is not there."""
        world, names = self._world, asked.names
        subscription, group = names.get("subscription", ""), names.get("group", "")
        if subscription and subscription.lower() != world.subscription.lower():
            raise Refused("SubscriptionNotFound", f"The subscription '{subscription}' could not be found.", 404)
        if group and group.lower() != world.group.lower():
            raise Refused("ResourceGroupNotFound", f"Resource group '{group}' could not be found.", 404)
        workspace = names.get("workspace", "")
        if workspace and workspace.lower() != world.workspace.lower():
            raise not_found("Microsoft.MachineLearningServices/workspaces", workspace, group)

    def _fail(self, asked: Asked, fault: Fault) -> Answer | None:
        """What a fault answers before the work; None when the work is to be done."""
        if fault.kind is Kind.REFUSE:
            return self._signed(asked, wire.refused(asked, self._refusal(asked, fault)))
        if fault.kind is Kind.DROP:
            fault.happened()
            raise DroppedError
        if fault.kind is Kind.DELAY:
            self._world.clock.advance(fault.seconds)
        return None

    def _refusal(self, asked: Asked, fault: Fault) -> Refused:
        status, message, headers = fault.status, fault.message, {}
        if fault.code == "AuthorizationFailed":
            status = FORBIDDEN
            if message == fault.code:
                message = denied(self._world, asked)
        if status == THROTTLED:
            headers["Retry-After"] = str(int(fault.seconds)) if fault.seconds else self._world.retry_after()
        return Refused(fault.code, message, status, headers)

    def _signed(self, asked: Asked, answer: Answer) -> Answer:
        """What stands on every answer."""
        side = "reads" if asked.method == "GET" else "writes"
        answer.headers = {
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": str(uuid.uuid4()),
            f"x-ms-ratelimit-remaining-subscription-{side}": "11999",
            "Date": blobs.stamp(self._world.clock.now()),
            **answer.headers,
        }
        return answer


class _Nothing:
    """A lock that holds nobody up: answers of containers are waited for without the world's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


_NO_LOCK = _Nothing()


def _own(asked: Asked) -> dict[str, str]:
    """The names in a path that say what it is about; of a version, that of its asset."""
    places = {"subscription", "group", "workspace", "version"}
    return {name: value for name, value in asked.names.items() if name not in places}


def denied(world: World, asked: Asked) -> str:
    """Azure's words for a missing permission."""
    return (
        f"The client '{CLIENT}' with object id '{OBJECT}' does not have authorization to perform action "
        f"'{asked.action}' over scope '{world.root}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials."
    )
