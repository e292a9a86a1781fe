"""The executing double of GCP: the wire of Vertex AI and what belongs to it, in front of code that really runs.

    with double(bucket="acme-ml") as gcp:
        client = JobServiceClient(transport="rest", client_options={"api_endpoint": gcp.url}, …)

Custom jobs run the user's code with the buckets at /gcs as Vertex AI lays them out; endpoints start the model's own
container command and answer; schedules fire. Time is the double's own: `gcp.clock.advance(60)`, and `gcp.clock.sleep`
for clients that wait. `gcp.faults` makes things fail. All services are at one address, told apart by their paths; a
dedicated endpoint is asked there too, with its own name in the header Host. gRPC is there once `grpc_url` is asked for.
"""

from __future__ import annotations

import json
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
    from cloudml_gcp.double.front import Seen
    from cloudml_gcp.double.server import Server
    from cloudml_gcp.double.world import World

REGION, PROJECT, NUMBER, BUCKET = "europe-west4", "cloudml-double", "123456789012", "cloudml-double"
OVERRIDDEN = (
    "AIPLATFORM", "CLOUDQUOTAS", "CLOUDRESOURCEMANAGER", "CLOUDSCHEDULER", "IAM", "LOGGING", "SERVICEUSAGE", "STORAGE",
)  # fmt: skip
"""The services whose address gcloud takes from CLOUDSDK_API_ENDPOINT_OVERRIDES_…."""


@dataclass(slots=True)
class Double:
    """A running double.

    Attributes:
        url: Where it listens.
        world: Its whole state, for tests that look inside.
    """

    url: str
    world: World
    server: Server
    _grpc: Any = None

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which google-auth, google-cloud-storage, obstore and cloudml reach it."""
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

    @property
    def grpc_url(self) -> str:
        """Where Vertex AI listens for gRPC; it does from the first time that this is asked."""
        if self._grpc is None:
            from cloudml_gcp.double.grpc_server import GrpcServer

            self._grpc = GrpcServer(self.world, self.server.front)
        return str(self._grpc.url)

    def provision(self, bucket: str) -> None:
        """Make a bucket."""
        self.world.objects.make(bucket)

    def close(self) -> None:
        """Stop everything that runs, and remove everything that was kept."""
        if self._grpc is not None:
            self._grpc.close()
        self.server.close()
        for container in self._containers():
            container.kill()
        self.world.clock.close()
        for container in self._containers():
            container.close()
        self.world.mount.close()
        shutil.rmtree(self.world.folder, ignore_errors=True)

    def _containers(self) -> list[Any]:
        return [value for key, value in list(self.world.live.items()) if key.startswith("container/")]


class Wanted(TypedDict, total=False):
    """What a double shall be.

    Attributes:
        region: The location that it is.
        project: The project's id.
        project_number: The project's number, with which names come back.
        bucket: A bucket that is there from the start; none when empty.
        service_account: The address of the account that is there; one of the project when left out.
        start: The first moment of its clock; now when left out.
        pace: How many of its seconds pass by themselves in a real one; more than 1 for clients that really sleep.
        port: Where it listens; a free port when 0.
    """

    region: str
    project: str
    project_number: str
    bucket: str
    service_account: str
    start: datetime | None
    pace: float
    port: int


@contextmanager
def double(**wanted: Unpack[Wanted]) -> Iterator[Double]:
    """A double for the length of a `with`; see `Wanted` for what may be said."""
    unknown = set(wanted) - set(Wanted.__annotations__)
    if unknown:
        raise TypeError(f"double() knows no {', '.join(sorted(unknown))}; it knows {', '.join(Wanted.__annotations__)}")
    gcp = opened(wanted)
    try:
        if bucket := wanted.get("bucket", BUCKET):
            gcp.provision(bucket)
        yield gcp
    finally:
        gcp.close()


def opened(wanted: Wanted) -> Double:
    """Start a double; `close` stops it."""
    from cloudml_gcp.double.server import Server

    world = _world(wanted)
    server = Server(world, wanted.get("port", 0))
    world.url = server.url
    file = world.folder / "service-account.json"
    file.write_text(json.dumps(world.tokens.file(server.url), indent=2), "utf-8")
    around = {
        "GOOGLE_CLOUD_PROJECT": world.project,
        "STORAGE_EMULATOR_HOST": server.url,
        **{f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}": f"{server.url}/" for service in OVERRIDDEN},
    }
    host = server.url.removeprefix("http://")
    world.environ.update(around, GOOGLE_APPLICATION_CREDENTIALS=str(file))
    world.inside.update(around, GCE_METADATA_HOST=host, GCE_METADATA_ROOT=host, GCE_METADATA_IP=host)
    return Double(server.url, world, server)


def _world(wanted: Wanted) -> World:
    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Faults
    from cloudml_gcp.double.journal import Journal
    from cloudml_gcp.double.mounts import Mount
    from cloudml_gcp.double.objects import Objects
    from cloudml_gcp.double.tokens import Tokens
    from cloudml_gcp.double.world import World

    region, project = wanted.get("region", REGION), wanted.get("project", PROJECT)
    number = wanted.get("project_number", NUMBER)
    account = wanted.get("service_account") or f"cloudml@{project}.iam.gserviceaccount.com"
    clock = Clock(wanted.get("start"), pace=wanted.get("pace", 1.0))
    folder = Path(tempfile.mkdtemp(prefix="cloudml-double-"))
    about = {"location": region.upper(), "locationType": "region", "storageClass": "STANDARD", "projectNumber": number}
    objects = Objects(clock, about)
    return World(
        region=region,
        project=project,
        number=number,
        clock=clock,
        faults=Faults(),
        objects=objects,
        mount=Mount(objects, folder / "gcs"),
        tokens=Tokens(clock, project, account),
        journal=Journal(project),
        folder=folder,
    )
