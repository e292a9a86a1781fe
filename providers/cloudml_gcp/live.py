"""What is known of an endpoint at this moment: itself, its card, its operations, its containers' last words.

An endpoint has no state of its own. A deployment that failed leaves nothing but its operation, whose name the card in
the bucket keeps; while it has none, the endpoint's own list of operations is asked.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from cloudml.clouds import cards
from cloudml.errors import NotFoundError
from cloudml.records import dataclass
from cloudml_gcp import names
from cloudml_gcp.errors import CAPACITY
from cloudml_gcp.states import ADVICE
from cloudml_gcp.wire import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.clouds.cards import Held
    from cloudml.storage import Storage
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.logs import GcpLogs
    from cloudml_gcp.places import Places

SECTION = "endpoints"
GET = "aiplatform:GetEndpoint"
LIST = "aiplatform:ListEndpoints"
DEPLOY = "DeployModel"
OPERATION = "operation"
"""The member of a card that has the name of the last deployment."""
PAGE = 100
TAIL = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An endpoint as Vertex AI describes it, and what goes with it.

    Attributes:
        endpoint: GetEndpoint's answer.
        card: What is kept of it in the bucket, the tags of what is wanted among it.
        pending: The operations that are not over.
        deployment: The last deployment; empty where none is remembered.
        tail: What its containers printed last, where a deployment failed.
    """

    endpoint: Mapping[str, Any]
    card: Mapping[str, Any] = field(default_factory=dict)
    pending: tuple[Mapping[str, Any], ...] = ()
    deployment: Mapping[str, Any] = field(default_factory=dict)
    tail: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """The hash of what was asked for last."""
        return str(self.card.get("tags", {}).get(names.HASH, ""))

    @property
    def failure(self) -> str:
        """Why the last deployment failed, with the last lines of its container; empty when it did not."""
        error = operations.failure(self.deployment, "the deployment")
        if error is None:
            return ""
        advice = f" ({ADVICE})" if CAPACITY.search(error.message) else ""
        tail = f"; the container's last lines: {' | '.join(self.tail)}" if self.tail else ""
        return f"{error.message}{advice}{tail}"


@dataclass(frozen=True, slots=True)
class Looking:
    """Reads all of it."""

    clients: Clients
    places: Places
    logs: GcpLogs

    def resource(self, name: str) -> str:
        """Vertex AI's name of an endpoint."""
        return f"{self.clients.settings.parent}/endpoints/{name}"

    def endpoint(self, name: str) -> dict[str, Any]:
        """GetEndpoint's answer.

        Raises:
            NotFoundError: There is none.
        """
        return self.clients.send(GET, {"name": self.resource(name)})

    def live(self, name: str) -> Live:
        """The endpoint of that name as it is now.

        Its operations are looked at first: what one has done that is over is then seen at the endpoint.

        Raises:
            NotFoundError: There is none.
        """
        card = self.held(name).card
        found = operations.of(self.clients, self.resource(name))
        deployment = self._deployment(card, found)
        endpoint = self.endpoint(name)
        failed = bool(deployment.get("error"))
        return Live(
            endpoint=endpoint,
            card=card,
            pending=tuple(one for one in found if not operations.done(one)),
            deployment=deployment,
            tail=self.logs.tail_of_endpoint(name, TAIL, operations.began(deployment)) if failed else (),
        )

    def _deployment(self, card: Mapping[str, Any], found: list[dict[str, Any]]) -> Mapping[str, Any]:
        """The last deployment: that of the card, else the youngest in the list."""
        kept = str(card.get(OPERATION, ""))
        deployments = [one for one in found if operations.kind(one) == DEPLOY]
        same = [one for one in deployments if one["name"] == kept]
        if same or not kept:
            return (same or deployments or [{}])[-1]
        try:
            return self.clients.send(operations.GET, {"name": kept})
        except NotFoundError:  # it was forgotten
            return (deployments or [{}])[-1]

    def pages(self, project: str) -> Iterator[dict[str, Any]]:
        """Every endpoint of a project."""
        body = {
            "parent": self.clients.settings.parent,
            "filter": f"labels.{names.PROJECT}={project}",
            "pageSize": PAGE,
        }
        return self.clients.pages(LIST, body, "endpoints")

    def held(self, name: str) -> Held:
        """The card of an endpoint, to be changed."""
        return cards.held(self.storage, self.card_path(name))

    def card_path(self, name: str) -> str:
        return self.places.card(SECTION, name)

    @property
    def storage(self) -> Storage:
        return self.clients.storage(self.places.root)
