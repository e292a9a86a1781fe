"""One workspace in one region: everything that a double knows, and nothing that another one knows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml_azure.double.identity import CLIENT, OBJECT, Identity
from cloudml_azure.double.operations import Operations
from cloudml_azure.double.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Fault, Faults
    from cloudml_azure.double.blobs import Blobs
    from cloudml_azure.double.resources import Record

API_VERSION = "2025-12-01"
"""Bodies of this version are held against the contract."""
ARM = "management.azure.com"
AUTHORITY = "login.microsoftonline.com"
INFERENCE = "inference.ml.azure.com"
API = "api.azureml.ms"
ARTIFACTS = "azureml"
"""The container of workspaceartifactstore: logs and the files of runs."""

LATENCIES: Mapping[str, float] = {
    "accepting": 2.0,
    "starting": 20.0,
    "preparing": 15.0,
    "building": 600.0,
    "queued": 30.0,
    "finalizing": 10.0,
    "canceling": 5.0,
    "reclaiming": 120.0,
    "endpoint": 60.0,
    "updating": 20.0,
    "deployment": 420.0,
    "scaling": 120.0,
    "deleting": 30.0,
    "keys": 5.0,
    "schedule": 5.0,
    "sweep": 5.0,
}
"""How long the steps of the cloud take, in seconds of the double's clock."""
RETRY_AFTER_S = 10.0


@dataclass(slots=True, kw_only=True)
class World:
    """The state of one double.

    Attributes:
        accounts: Storage accounts by name.
        account: The workspace's own.
        url: Where the double listens; without TLS, with a port.
        environ: What a client needs to reach this double; containers get most of it as well.
        lock: Held while an operation works on the records.
        folder: Where containers have their files.
        images: Environments whose image is built.
        live: Containers that run, by a name that nobody else has.
    """

    subscription: str
    group: str
    workspace: str
    region: str
    account: str
    container: str
    clock: Clock
    faults: Faults
    folder: Path
    accounts: dict[str, Blobs]
    pace: float = 1.0
    url: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    identity: Identity = field(default_factory=Identity)
    lock: threading.RLock = field(default_factory=threading.RLock)
    resources: Resources = field(default_factory=Resources)
    operations: Operations = field(default_factory=Operations)
    images: set[str] = field(default_factory=set)
    settings: dict[str, Record] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    latencies: dict[str, float] = field(default_factory=lambda: dict(LATENCIES))

    @property
    def storage(self) -> Blobs:
        return self.accounts[self.account]

    @property
    def root(self) -> str:
        """The workspace's ARM id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/"
            f"Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )

    def id(self, path: str) -> str:
        """The ARM id of what is at a path below the workspace."""
        return f"{self.root}/{path}"

    def domain(self, name: str, about: str) -> Fault | None:
        """The domain fault of that name that strikes now."""
        return self.faults.look_up(name, about)

    def hidden(self, about: str, record: Record, fault: str) -> bool:
        """Whether a record is too new to be seen: the domain faults `stale` (one) and `lag` (lists)."""
        found = self.faults.look_up(fault, about)
        if found is None:
            return False
        age = self.clock.seconds() - record["_born"]
        return not found.seconds or age < found.seconds

    def pass_time(self, step: str, **said: Any) -> bool:
        """For a worker: let a step take its time; whether it was not interrupted."""
        return self.clock.wait(self.latencies[step], **said)

    def now(self) -> str:
        """The moment, as Azure writes it."""
        return stamp(self.clock.now())

    def retry_after(self, seconds: float = RETRY_AFTER_S) -> str:
        """So many seconds of the double's clock, for a client that waits in real ones; whole, and never 0."""
        return str(max(round(seconds / max(self.pace, 1.0)), 1))

    def system_data(self, old: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Who made a resource, and when."""
        by = {"createdBy": OBJECT, "createdByType": "Application", "createdAt": self.now()}
        first = {key: old[key] for key in by} if old else by
        return {**first, "lastModifiedBy": CLIENT, "lastModifiedByType": "Application", "lastModifiedAt": self.now()}

    def is_real(self, host: str) -> bool:
        """Whether a host is one of Azure's own that the double stands for."""
        name = host.partition(":")[0]
        ours = (f".{INFERENCE}", f".{API}", ".blob.core.windows.net")
        return name in {ARM, AUTHORITY} or name.endswith(ours)

    def api(self, origin: str) -> str:
        """Where the workspace's data planes are, for who came by *origin*."""
        host = origin.partition("://")[2]
        return f"https://{self.region}.{API}" if self.is_real(host) else origin

    def scoring(self, origin: str, endpoint: str) -> str:
        """Where an endpoint answers, for who came by *origin*."""
        host = origin.partition("://")[2]
        return f"https://{endpoint}.{self.region}.{INFERENCE}" if self.is_real(host) else f"{origin}/scoring/{endpoint}"


def stamp(moment: Any) -> str:
    """A moment as Azure writes it."""
    return str(moment.isoformat(timespec="microseconds")).replace("+00:00", "Z")
