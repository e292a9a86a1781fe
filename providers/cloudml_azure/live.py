"""What is known of an endpoint at this moment: itself, its deployments, its scaling, its last words."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cloudml.errors import ConflictError, NotFoundError, ProviderError
from cloudml.records import dataclass
from cloudml_azure import names
from cloudml_azure.errors import LASTING, failure
from cloudml_azure.scaling import Scaling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_azure.clients import Clients
    from cloudml_azure.errors import Failure
    from cloudml_azure.logs import AzureLogs

SCALING_TAG = "cloudml-scaling"
OPERATION = "AzureAsyncOperationUri"
"""The property of a resource that names the status address of what was last asked of it."""
FAILED = frozenset({"Failed", "Canceled"})
TAIL = 12


def provisioning(record: Mapping[str, Any]) -> str:
    """Azure's word for where a resource stands."""
    return str(record.get("properties", {}).get("provisioningState", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An endpoint as Azure ML describes it, and what goes with it.

    Attributes:
        endpoint: The endpoint.
        deployments: Its deployments by name.
        scaling: What is still to be sent for the scaling of the wanted one.
        failed: Why what was asked last failed.
        tail: What the container of a deployment that failed printed last.
    """

    endpoint: Mapping[str, Any]
    deployments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scaling: str = ""
    failed: Failure | None = None
    tail: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.endpoint["name"])

    @property
    def hash(self) -> str:
        """The content that it shall be."""
        return names.ours(self.endpoint).get("cloudml-hash", "")

    @property
    def traffic(self) -> dict[str, int]:
        """Deployment to its share in percent, without those that get nothing."""
        said = self.endpoint["properties"].get("traffic") or {}
        return {name: int(share) for name, share in said.items() if share}

    @property
    def wanted(self) -> Mapping[str, Any] | None:
        """The deployment of the content that it shall be; None while there is none."""
        return self.deployments.get(names.deployment(self.hash)) if self.hash else None

    @property
    def answering(self) -> Mapping[str, Any] | None:
        """The deployment that gets the traffic, or most of it."""
        shares = {name: share for name, share in self.traffic.items() if name in self.deployments}
        return self.deployments[max(shares, key=lambda name: shares[name])] if shares else None


@dataclass(frozen=True, slots=True)
class Looking:
    """Reads all of it."""

    clients: Clients
    logs: AzureLogs

    @property
    def scaling(self) -> Scaling:
        return Scaling(self.clients)

    def live(self, name: str) -> Live:
        """The endpoint of that name as it is now.

        Raises:
            NotFoundError: There is none.
        """
        return self.around(self.clients.send("OnlineEndpoints_Get", {"endpoint": name}))

    def around(self, endpoint: Mapping[str, Any]) -> Live:
        """What goes with an endpoint that was described."""
        name = str(endpoint["name"])
        found = Live(endpoint=endpoint, deployments={str(one["name"]): one for one in self.deployments(name)})
        wanted = found.wanted
        if provisioning(endpoint) in FAILED:
            return Live(endpoint=endpoint, deployments=found.deployments, failed=self._failure(endpoint))
        if wanted is None:
            return found
        if provisioning(wanted) in FAILED:
            why = self._failure(wanted)
            lasting = why is not None and why.code in LASTING
            tail = () if lasting else self.logs.last_words(name, str(wanted["name"]), TAIL)
            return Live(endpoint=endpoint, deployments=found.deployments, failed=why, tail=tail)
        asked = names.ours(wanted).get(SCALING_TAG, "")
        missing = self.scaling.missing(name, str(wanted["name"]), asked)
        return Live(endpoint=endpoint, deployments=found.deployments, scaling=missing)

    def deployments(self, name: str) -> Iterator[dict[str, Any]]:
        """Its deployments."""
        with suppress(NotFoundError):
            yield from self.clients.pages("OnlineDeployments_List", {"endpoint": name})

    def remove(self, name: str, deployment: str) -> None:
        """Let a deployment go, after its scaling, which would stay; returns when that was accepted."""
        self.scaling.remove(name, deployment)
        with suppress(NotFoundError):
            self.clients.send("OnlineDeployments_Delete", {"endpoint": name, "deployment": deployment})

    def sweep(self, name: str) -> None:
        """Let those deployments go that neither answer nor are on their way to it.

        Whoever may only ask for predictions removes nothing, and is not told so; what is busy is left for the next.
        """
        with suppress(ProviderError):
            found = self.live(name)
            if found.answering is None:
                return
            kept = {str(found.answering["name"])}
            if found.wanted is not None and provisioning(found.wanted) not in FAILED:
                kept.add(str(found.wanted["name"]))
            for deployment in found.deployments.keys() - kept:
                if provisioning(found.deployments[deployment]) != "Deleting":
                    with suppress(ConflictError):
                        self.remove(name, deployment)

    def _failure(self, record: Mapping[str, Any]) -> Failure | None:
        """Why what was asked of a resource failed, by the status address that it names."""
        url = (record["properties"].get("properties") or {}).get(OPERATION, "")
        with suppress(ProviderError):
            return failure(self.clients.operation(url)) if url else None
        return None
