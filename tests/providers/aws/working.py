"""Jobs and datasets as the core hands them over, and our services over a double, for the tests of this folder."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploying import HASH, PLACES, identity, settings

from cloudml.progress import SILENT
from cloudml.resources import DatasetResource, JobResource
from cloudml.source import collect
from cloudml.specs import DatasetSpec, JobSpec
from cloudml.storage import scan
from cloudml.waiting import Waiter
from cloudml_aws.clients import Clients
from cloudml_aws.datasets import AwsDatasets
from cloudml_aws.double import KEY, SECRET, double
from cloudml_aws.jobs import AwsJobs
from cloudml_aws.logs import AwsLogs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cloudml.status import JobStatus
    from cloudml_aws.double import Double
    from cloudml_aws.settings import AwsSettings

TABLE = "s3://acme-ml/cloudml/flights/datasets/flights-table-0123456789"
NAME = "flights-train-3fa9c1d2e4"


def job(root: Path, *, digest: str = HASH, **changes: Any) -> JobResource:
    """The job `train` with *changes*; `inputs` are names to addresses, `text` is the script."""
    inputs = changes.pop("inputs", {})
    said: dict[str, Any] = {"name": "train", "script": "train.py", "timeout": "1h", **changes}
    text, requirements = said.pop("text", "print('hello')\n"), said.pop("packages", "")
    (root / said["script"]).write_text(text)
    spec = JobSpec.model_validate({**said, "inputs": dict.fromkeys(inputs, "datasets.table")})
    return JobResource(
        spec=spec,
        identity=identity(f"jobs.{spec.name}", digest),
        source=collect(root, spec.script),
        requirements=requirements,
        inputs=inputs,
    )


def table(root: Path, rows: str = "1,2\n", *, digest: str = HASH, **changes: Any) -> DatasetResource:
    """A dataset of one file."""
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "table.csv").write_text(f"a,b\n{rows}")
    spec = DatasetSpec.model_validate({"name": "table", "path": "data/*.csv", **changes})
    return DatasetResource(spec=spec, identity=identity("datasets.table", digest), manifest=scan(spec.path, root))


@dataclass
class There:
    """An account with a bucket, and our services over it."""

    aws: Double
    root: Path
    clients: Clients
    jobs: AwsJobs
    datasets: AwsDatasets
    logs: AwsLogs

    def start(self, text: str = "print('hello')\n", **changes: Any) -> JobStatus:
        """Start a job that runs *text*."""
        return self.jobs.create(job(self.root, text=text, **changes), SILENT)

    def over(self, name: str = NAME) -> JobStatus:
        """The job once it is over, in the double's time."""
        return self.waiter.until_over(self.jobs.get, name)

    @property
    def waiter(self) -> Waiter:
        return Waiter(5.0, 30.0, self.clients.sleep)

    def sent(self, operation: str) -> list[Any]:
        """The bodies of the requests of that operation, in their order."""
        return [one.parameters for one in self.aws.requests if one.name == operation]

    def objects(self, prefix: str = "") -> set[str]:
        """What lies in the project's folder of the bucket."""
        return {one.path for one in self.clients.storage(PLACES.root).list(prefix)}


@contextmanager
def connected(root: Path, **said: Any) -> Iterator[There]:
    """Our services over a double of their own."""
    target: AwsSettings = settings(**said)
    with double(bucket=target.bucket) as aws:
        clients = Clients(target, endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
        logs = AwsLogs(clients)
        yield There(aws, root, clients, AwsJobs(clients, PLACES, logs), AwsDatasets(clients, PLACES), logs)
