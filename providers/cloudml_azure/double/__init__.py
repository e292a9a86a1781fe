"""The executing double of Azure Machine Learning: its wire, in front of code that really runs.

    with double() as azure:
        client = MLClient(azure.credential, …, transport=azure.transport())  # or with os.environ |= azure.environ

Command jobs run the user's code as Azure ML lays it out; deployments load the model and answer; schedules fire. Storage
is the double's own. Time is the double's own as well: `azure.clock.advance(60)`, and `azure.clock.sleep` for clients
that wait. `azure.faults` makes things fail.

Three ways in:

* in this process: `azure.transport()` behind any client on azure-core, with `azure.credential`. Host names are Azure's;
  storage, which has a client of its own, is reached at `azure.blob_url`.
* the address itself: `azure.url` (https; trust the file in `azure.environ["REQUESTS_CA_BUNDLE"]`) in the place of
  https://management.azure.com, as azure-ai-ml takes it from AZUREML_DEV_URL_MFE.
* `azure.environ`, for this and other processes. HTTPS_PROXY leads Azure's own host names to the double, and all others
  to where they were led before; REQUESTS_CA_BUNDLE and SSL_CERT_FILE trust it, beside what was trusted. azure-identity
  signs in with AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; obstore finds storage by
  AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ENDPOINT, AZURE_ALLOW_HTTP and a key; cloudml by CLOUDML_AZURE_ARM_ENDPOINT
  and CLOUDML_AZURE_BLOB_ENDPOINT. MLClient, azure-storage-blob and MLflow work unmodified.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Faults
    from cloudml_azure.double.front import Seen
    from cloudml_azure.double.identity import Credential
    from cloudml_azure.double.server import Server
    from cloudml_azure.double.world import World

SUBSCRIPTION, GROUP, WORKSPACE = "00000000-0000-0000-0000-000000000000", "ml", "acme"
REGION, ACCOUNT, CONTAINER = "westeurope", "acmeml", "cloudml"
HERE = "127.0.0.1,localhost"
"""Hosts to which no proxy leads."""


@dataclass(slots=True)
class Double:
    """A running double.

    Attributes:
        url: Where it listens, with TLS.
        world: Its whole state, for tests that look inside.
    """

    url: str
    world: World
    server: Server
    credential: Credential

    @property
    def blob_url(self) -> str:
        """The storage account, without TLS: the endpoint of obstore and of azure-storage-blob."""
        return f"{self.world.url}/{self.world.account}"

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which Azure's SDKs, obstore and cloudml reach it; see the module."""
        return dict(self.world.environ)

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def faults(self) -> Faults:
        return self.world.faults

    @property
    def requests(self) -> list[Seen]:
        """What was asked so far, in order."""
        return list(self.server.front.seen)

    def provision(self, container: str) -> None:
        """Make a storage container."""
        self.world.storage.make(container)

    def transport(self) -> Any:
        """A transport of azure-core whose requests do not leave the process, and whose waits pass on the clock."""
        from cloudml_azure.double import inside

        return inside.transport(self.server.front, self.world.clock)

    def close(self) -> None:
        """Stop everything that runs, and remove everything that was kept."""
        self.server.close()
        for container in _running(self.world):
            container.kill()
        self.world.clock.close()
        for container in _running(self.world):
            container.close()
        shutil.rmtree(self.world.folder, ignore_errors=True)


def _running(world: World) -> list[Any]:
    return [value for key, value in list(world.live.items()) if key.startswith("container/")]


class Wanted(TypedDict, total=False):
    """What a double shall be.

    Attributes:
        subscription_id: The subscription.
        resource_group: The group of the workspace.
        workspace: Its name.
        region: Where it is.
        storage_account: The workspace's account.
        container: A storage container that is there from the start; none when empty.
        start: The first moment of its clock; now when left out.
        pace: How many of its seconds pass by themselves in a real one; more than 1 for clients that really sleep.
        port: Where it listens; a free port when 0.
    """

    subscription_id: str
    resource_group: str
    workspace: str
    region: str
    storage_account: str
    container: str
    start: datetime | None
    pace: float
    port: int


@contextmanager
def double(**wanted: Unpack[Wanted]) -> Iterator[Double]:
    """A double for the length of a `with`; see `Wanted` for what may be said."""
    unknown = set(wanted) - set(Wanted.__annotations__)
    if unknown:
        raise TypeError(f"double() knows no {', '.join(sorted(unknown))}; it knows {', '.join(Wanted.__annotations__)}")
    azure = opened(wanted)
    try:
        if container := wanted.get("container", CONTAINER):
            azure.provision(container)
        yield azure
    finally:
        azure.close()


def opened(wanted: Wanted) -> Double:
    """Start a double; `close` stops it."""
    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Faults
    from cloudml_azure.double import certificate, workspace
    from cloudml_azure.double.blobs import Blobs
    from cloudml_azure.double.identity import Credential
    from cloudml_azure.double.server import HOST, Server
    from cloudml_azure.double.world import API, ARM, AUTHORITY, INFERENCE, World

    region, account = wanted.get("region", REGION), wanted.get("storage_account", ACCOUNT)
    folder, pace = Path(tempfile.mkdtemp(prefix="cloudml-double-")), wanted.get("pace", 1.0)
    clock = Clock(wanted.get("start"), pace=pace)
    world = World(
        subscription=wanted.get("subscription_id", SUBSCRIPTION),
        group=wanted.get("resource_group", GROUP),
        workspace=wanted.get("workspace", WORKSPACE),
        region=region,
        account=account,
        container=wanted.get("container", CONTAINER),
        clock=clock,
        faults=Faults(),
        folder=folder,
        accounts={account: Blobs(folder / "blobs", clock.now)},
        pace=pace,
    )
    hosts = (HOST, "localhost", ARM, AUTHORITY, f"*.{API}", f"*.{region}.{INFERENCE}", "*.blob.core.windows.net")
    chain, trusted = certificate.issue(folder, hosts)
    server = Server(world, chain, wanted.get("port", 0))
    world.url = f"http://{server.address}"
    workspace.lay_out(world)
    world.environ.update(_environ(world, server.address, trusted))
    return Double(f"https://{server.address}", world, server, Credential())


def _environ(world: World, address: str, trusted: Path) -> dict[str, str]:
    from cloudml_azure.double.identity import CLIENT, SECRET, TENANT
    from cloudml_azure.double.workspace import KEY

    direct = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    return {
        "HTTPS_PROXY": f"http://{address}",
        "NO_PROXY": f"{HERE},{direct}" if direct else HERE,
        "REQUESTS_CA_BUNDLE": str(trusted),
        "SSL_CERT_FILE": str(trusted),
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_CLIENT_SECRET": SECRET,
        "AZURE_STORAGE_ACCOUNT_NAME": world.account,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": f"http://{address}/{world.account}",
        "AZURE_ALLOW_HTTP": "true",
        "CLOUDML_AZURE_ARM_ENDPOINT": f"https://{address}",
        "CLOUDML_AZURE_BLOB_ENDPOINT": f"http://{address}/{world.account}",
    }
