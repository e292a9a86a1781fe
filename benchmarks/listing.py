"""Doubles with many jobs in them, each listed by cloudml and by the vendor's own client.

One job is started through cloudml; the others are the same requests and cards under other names. Hardly any time passes
at the double meanwhile, so none of them runs.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import cloudml
from cloudml.clouds import cards
from cloudml.testing import double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from cloudml.client import Client
    from cloudml.project import Project

PROJECT, PAGE = "bench", 100
PACE = 1e-6
"""How many seconds pass at the double in a real one."""
SETTINGS: dict[str, dict[str, str]] = {
    "aws": {"region": "eu-west-1", "bucket": "cloudml-double", "role_arn": "arn:aws:iam::111122223333:role/cloudml"},
    "azure": {
        "subscription_id": "00000000-0000-0000-0000-000000000000",
        "resource_group": "ml",
        "workspace": "acme",
        "region": "westeurope",
        "storage_account": "acmeml",
        "container": "cloudml",
    },
    "gcp": {
        "project_id": "cloudml-double",
        "region": "europe-west4",
        "bucket": "cloudml-double",
        "service_account": "cloudml@cloudml-double.iam.gserviceaccount.com",
    },
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The same jobs, listed twice.

    Attributes:
        project: Theirs, at the target `there`; its file is found by the environment that is set meanwhile.
        ours: Lists them with cloudml; gives how many.
        raw: Lists them with the vendor's client.
        requests: How many requests reached the double so far.
    """

    project: Project
    ours: Callable[[], int]
    raw: Callable[[], int]
    requests: Callable[[], int]


@contextmanager
def listing(provider: str, count: int) -> Iterator[Listing]:
    """A double of that provider with *count* jobs of one project."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=_serve, args=(provider, there))
    process.start()
    there.close()  # so that the end of the double's process ends the waiting for what it says
    try:
        with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, here.recv()):
            project = _project(provider, Path(folder))
            client = project.client("there")
            _seed(provider, client, count)
            raw = RAW[provider]()
            yield Listing(
                project=project,
                ours=lambda: len(client.jobs.list()),
                raw=lambda: sum(1 for _ in raw()),
                requests=lambda: _asked(here),
            )
    finally:
        with suppress(OSError):
            here.send(False)
        process.join()


def _serve(provider: str, pipe: Connection) -> None:
    """A double in a process of its own, as a cloud is: gives its environment, and its count of requests when asked."""
    with double(provider)(pace=PACE) as cloud:
        pipe.send(cloud.environ)
        while pipe.recv():
            pipe.send(len(cloud.requests))


def _asked(pipe: Connection) -> int:
    pipe.send(True)
    found: int = pipe.recv()
    return found


def _project(provider: str, root: Path) -> Project:
    (root / "script.py").write_text("print('done')\n", "utf-8")
    written = {
        "project": PROJECT,
        "targets": {"there": {"provider": provider, **SETTINGS[provider]}},
        "jobs": {"one": {"script": "script.py", "parameters": {"seed": 1}}},
    }
    (root / "cloudml.yaml").write_text(json.dumps(written), "utf-8")  # JSON is YAML
    return cloudml.load(root)


def _seed(provider: str, client: Client, count: int) -> None:
    first = client.jobs.submit("one").name
    jobs: Any = client.provider.jobs
    (step,) = client.session.plan(("jobs.one",), look=False).steps
    request = step.plan.calls[-1]
    storage = jobs.clients.storage(jobs.places.uri(""))
    card = cards.read(storage, jobs.places.card("jobs", first))
    for number in range(count - 1):
        name = f"{first[:-8]}{number:08x}"
        body = json.loads(json.dumps(deepcopy(dict(request.body))).replace(first, name))
        answer = jobs.clients.send(request.operation, body)
        theirs = {"job": answer["name"]} if provider == "gcp" else {}
        cards.write(storage, jobs.places.card("jobs", name), {**card, **theirs})


def _boto3() -> Callable[[], Iterator[Any]]:
    import boto3

    client, tags = boto3.client("sagemaker"), boto3.client("resourcegroupstaggingapi")

    def pages() -> Iterator[Any]:
        """The jobs; whose they are, SageMaker's lists do not tell: the index of tags does."""
        wanted = [{"Key": "cloudml-project", "Values": [PROJECT]}]
        for page in tags.get_paginator("get_resources").paginate(TagFilters=wanted):
            assert page["ResourceTagMappingList"]
        for operation, key in (
            ("list_training_jobs", "TrainingJobSummaries"),
            ("list_processing_jobs", "ProcessingJobSummaries"),
        ):
            for page in client.get_paginator(operation).paginate(NameContains=f"{PROJECT}-", MaxResults=PAGE):
                yield from page[key]

    return pages


def _ml_client() -> Callable[[], Iterator[Any]]:
    from azure.ai.ml import MLClient
    from azure.identity import EnvironmentCredential

    where = (SETTINGS["azure"][name] for name in ("subscription_id", "resource_group", "workspace"))
    client = MLClient(EnvironmentCredential(), *where, enable_telemetry=False)
    return lambda: iter(client.jobs.list())


def _gapic() -> Callable[[], Iterator[Any]]:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform_v1 import JobServiceClient

    options = {"api_endpoint": os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"].rstrip("/")}
    client = JobServiceClient(credentials=AnonymousCredentials(), transport="rest", client_options=options)
    parent = f"projects/{SETTINGS['gcp']['project_id']}/locations/{SETTINGS['gcp']['region']}"
    request = {"parent": parent, "filter": f"labels.cloudml-project={PROJECT}", "page_size": PAGE}
    return lambda: iter(client.list_custom_jobs(request=request))


RAW: dict[str, Callable[[], Callable[[], Iterator[Any]]]] = {"aws": _boto3, "azure": _ml_client, "gcp": _gapic}
