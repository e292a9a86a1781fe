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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

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


class double:  # noqa: N801  reads as the function that it is
    """A double for the length of a `with`.

    Args:
        region: The region that it is.
        account: The account's number.
        bucket: A bucket that is there from the start; none when empty.
        role_arn: The execution role; one of the account when left out.
        start: The first moment of its clock; now when left out.
        pace: How many of its seconds pass by themselves in a real one; more than 1 for clients that really sleep.
        port: Where it listens; a free port when 0.
    """

    def __init__(
        self,
        *,
        region: str = REGION,
        account: str = ACCOUNT,
        bucket: str = BUCKET,
        role_arn: str = "",
        start: datetime | None = None,
        **more: Any,
    ) -> None:
        self._said = {
            "region": region,
            "account": account,
            "role_arn": role_arn or f"arn:aws:iam::{account}:role/cloudml",
        }
        self._bucket, self._start = bucket, start
        self._pace, self._port = float(more.pop("pace", 1.0)), int(more.pop("port", 0))
        if more:
            raise TypeError(f"double() knows no {', '.join(more)}")
        self._open: Double | None = None

    def __enter__(self) -> Double:
        self._open = opened(self._said, self._start, self._pace, self._port)
        if self._bucket:
            self._open.provision(self._bucket)
        return self._open

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            self._open.close()


def opened(said: dict[str, str], start: datetime | None, pace: float, port: int) -> Double:
    """Start a double; `close` stops it."""
    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Faults
    from cloudml_aws.double.objects import Objects
    from cloudml_aws.double.server import Server
    from cloudml_aws.double.world import World

    world = World(
        region=said["region"],
        account=said["account"],
        role_arn=said["role_arn"],
        clock=Clock(start, pace=pace),
        faults=Faults(),
        objects=Objects(f"{next(_numbers):012d}", said["region"]),
        folder=Path(tempfile.mkdtemp(prefix="cloudml-double-")),
    )
    server = Server(world, port)
    world.environ.update(
        AWS_ENDPOINT_URL=server.url,
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=SECRET,
        AWS_DEFAULT_REGION=said["region"],
        AWS_REGION=said["region"],
        AWS_EC2_METADATA_DISABLED="true",
    )
    return Double(server.url, world, server)
