"""The executing double of AWS: the wire of SageMaker and what belongs to it, in front of code that really runs.

    with double(bucket="acme-ml") as aws:
        client = boto3.client("sagemaker", endpoint_url=aws.url, …)   # or with os.environ |= aws.environ

Training and processing jobs run the user's code under /opt/ml as SageMaker lays it out; endpoints load the model and
answer; schedules fire. S3 is moto's. Time is the double's own: `aws.clock.advance(60)`, and `aws.clock.sleep` for
clients that wait. `aws.faults` makes things fail. Nothing of moto is known outside this package.
"""

from __future__ import annotations

import itertools
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
    from cloudml_aws.double.front import Seen
    from cloudml_aws.double.server import Server
    from cloudml_aws.double.world import World

REGION, ACCOUNT, BUCKET = "eu-west-1", "111122223333", "cloudml-double"
KEY, SECRET = "AKIACLOUDMLDOUBLE", "not-a-secret"
_numbers = itertools.count(1)


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

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which boto3, obstore and cloudml reach it."""
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

    def provision(self, bucket: str) -> None:
        """Make a bucket."""
        self.world.objects.make_bucket(bucket)

    def attach(self, session: Any) -> None:
        """Let the clients that a session of boto3 makes from now on talk to this double without a socket.

        Their requests do not leave the process, whatever the environment says.
        """
        from cloudml_aws.double.inside import Inside

        Inside(self.server.front).attach(session)

    def close(self) -> None:
        """Stop everything that runs, and remove everything that was kept."""
        self.server.close()
        for container in [value for key, value in self.world.live.items() if key.startswith("container/")]:
            container.kill()
        self.world.clock.close()
        for container in [value for key, value in self.world.live.items() if key.startswith("container/")]:
            container.close()
        self.world.objects.clear()
        shutil.rmtree(self.world.folder, ignore_errors=True)


class Wanted(TypedDict, total=False):
    """What a double shall be.

    Attributes:
        region: The region that it is.
        account: The account's number.
        bucket: A bucket that is there from the start; none when empty.
        role_arn: The execution role; one of the account when left out.
        start: The first moment of its clock; now when left out.
        pace: How many of its seconds pass by themselves in a real one; more than 1 for clients that really sleep.
        port: Where it listens; a free port when 0.
    """

    region: str
    account: str
    bucket: str
    role_arn: str
    start: datetime | None
    pace: float
    port: int


@contextmanager
def double(**wanted: Unpack[Wanted]) -> Iterator[Double]:
    """A double for the length of a `with`; see `Wanted` for what may be said."""
    unknown = set(wanted) - set(Wanted.__annotations__)
    if unknown:
        raise TypeError(f"double() knows no {', '.join(sorted(unknown))}; it knows {', '.join(Wanted.__annotations__)}")
    aws = opened(wanted)
    try:
        if bucket := wanted.get("bucket", BUCKET):
            aws.provision(bucket)
        yield aws
    finally:
        aws.close()


def opened(wanted: Wanted) -> Double:
    """Start a double; `close` stops it."""
    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Faults
    from cloudml_aws.double.objects import Objects
    from cloudml_aws.double.server import Server
    from cloudml_aws.double.world import World

    region, account = wanted.get("region", REGION), wanted.get("account", ACCOUNT)
    world = World(
        region=region,
        account=account,
        role_arn=wanted.get("role_arn") or f"arn:aws:iam::{account}:role/cloudml",
        clock=Clock(wanted.get("start"), pace=wanted.get("pace", 1.0)),
        faults=Faults(),
        objects=Objects(f"{next(_numbers):012d}", region),
        folder=Path(tempfile.mkdtemp(prefix="cloudml-double-")),
    )
    server = Server(world, wanted.get("port", 0))
    world.environ.update(
        AWS_ENDPOINT_URL=server.url,
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=SECRET,
        AWS_DEFAULT_REGION=region,
        AWS_REGION=region,
        AWS_EC2_METADATA_DISABLED="true",
    )
    return Double(server.url, world, server)
