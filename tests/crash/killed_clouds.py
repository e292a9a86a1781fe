"""The clouds at which an `up` is killed: how each is opened, what changes something there, and what is there."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import pytest
from sample import SETTINGS

from cloudml_aws.double import double as aws_double
from cloudml_azure.double import double as azure_double
from cloudml_azure.double.rehearsal import NAMED
from cloudml_gcp.double import double as gcp_double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    Contents = dict[str, list[Any]]

PACE = 2000
"""So many seconds pass at a double in a real one: the client of it really sleeps."""
CAPTURED = re.compile(r"\d{4}/\d\d/\d\d/.*")


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """What differs from cloud to cloud.

    Attributes:
        provider: Its name.
        changes: The requests that change something, but for objects.
        writes: The requests that change an object.
        kinds: So many kinds of both an `up` sends at least.
        opened: Opens its double.
        contents: All that is there, by what it is; the names of objects are one of them.
        whole: How many of each there are after one undisturbed `up`, but for objects.
        schedule: When the monitor shall run, where the project's own cannot be said: as seldom as can be.
    """

    provider: str
    changes: re.Pattern[str]
    writes: re.Pattern[str]
    kinds: int
    opened: Callable[[], AbstractContextManager[Any]]
    contents: Callable[[Any], Contents]
    whole: Mapping[str, int]
    schedule: str = "0 0 29 2 *"


def objects(names: Iterable[str]) -> list[str]:
    """The names of objects, those of captured requests without their times."""
    return sorted({CAPTURED.sub("captured", name) for name in names})


def aws_opened() -> AbstractContextManager[Any]:
    return aws_double(**SETTINGS["aws"], pace=PACE)


def aws_contents(aws: Any) -> Contents:
    import boto3

    environ = aws.environ
    session = boto3.Session(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], None, environ["AWS_REGION"])
    client = session.client("sagemaker", endpoint_url=aws.url)
    scaling = session.client("application-autoscaling", endpoint_url=aws.url)
    bucket = session.client("s3", endpoint_url=aws.url).get_paginator("list_objects_v2")
    pages = bucket.paginate(Bucket=SETTINGS["aws"]["bucket"])
    found = {
        what: [one[f"{what}Name"] for page in client.get_paginator(operation).paginate() for one in page[key]]
        for what, (operation, key) in AWS_LISTS.items()
    }
    versions = client.list_model_packages(ModelPackageType="Versioned")["ModelPackageSummaryList"]
    schedules = session.client("scheduler", endpoint_url=aws.url).list_schedules()["Schedules"]
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    return {
        **found,
        "objects": objects(item["Key"] for page in pages for item in page.get("Contents", ())),
        "ModelPackage": [one["ModelPackageArn"] for one in versions],
        "Schedule": [one["Name"] for one in schedules],
        "ScalableTarget": [one["ResourceId"] for one in targets],
        "ScalingPolicy": [one["PolicyName"] for one in policies],
    }


AWS_LISTS = {
    "TrainingJob": ("list_training_jobs", "TrainingJobSummaries"),
    "ProcessingJob": ("list_processing_jobs", "ProcessingJobSummaries"),
    "Endpoint": ("list_endpoints", "Endpoints"),
    "EndpointConfig": ("list_endpoint_configs", "EndpointConfigs"),
    "Model": ("list_models", "Models"),
    "ModelPackageGroup": ("list_model_package_groups", "ModelPackageGroupSummaryList"),
}
AWS = Cloud(
    provider="aws",
    changes=re.compile(r"(?!s3:).*:(Create|Update|Delete|Stop|Add|Register|Deregister|Put)\w+"),
    writes=re.compile(r"s3:(Put|Copy|Delete)\w+"),
    kinds=25,
    opened=aws_opened,
    contents=aws_contents,
    whole={**dict.fromkeys(AWS_LISTS, 1), "ModelPackage": 1, "Schedule": 1, "ScalableTarget": 1, "ScalingPolicy": 1},
)


@contextmanager
def azure_opened() -> Iterator[Any]:
    """The double, whose clients trust no other: to read what a machine trusts takes each of them 60 ms."""
    with NamedTemporaryFile() as nobody, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", nobody.name)
        with azure_double(**{name: SETTINGS["azure"][name] for name in NAMED}, pace=PACE) as azure:
            yield azure


def azure_contents(azure: Any) -> Contents:
    world = azure.world
    return {
        **{kind: sorted(path for path, _ in world.resources.all(kind)) for kind in AZURE_KINDS},
        "objects": objects(world.storage.names("cloudml")),
        "settings": sorted(world.settings),
    }


AZURE_KINDS = ("data", "codes", "environments", "models", "jobs", "onlineEndpoints", "schedules", "datastores")
AZURE = Cloud(
    provider="azure",
    changes=re.compile(r"(ml|insights):\w+_(CreateOrUpdate|Delete|Cancel)"),
    writes=re.compile(r"blob:(Put|Copy|Delete|Append|Set)\w+"),
    kinds=25,
    opened=azure_opened,
    contents=azure_contents,
    # Of endpoints the endpoint, and its one deployment.
    whole={"jobs": 2, "models": 1, "schedules": 1, "settings": 1, "onlineEndpoints": 2},
    schedule="0 0 28 * *",
)


def gcp_opened() -> AbstractContextManager[Any]:
    said = SETTINGS["gcp"]
    return gcp_double(
        region=said["region"], project=said["project_id"], bucket=said["bucket"],
        service_account=said["service_account"], pace=PACE,
    )  # fmt: skip


def gcp_contents(gcp: Any) -> Contents:
    world = gcp.world
    kinds: dict[str, list[Any]] = {}
    for name, message in world.records.items():
        kinds.setdefault(name.split("/")[-2], []).append(message.display_name)
    endpoints = (one for one in world.records.values() if hasattr(one, "traffic_split"))
    return {
        **{kind: sorted(names) for kind, names in kinds.items()},
        "objects": objects(world.objects.names(SETTINGS["gcp"]["bucket"])),
        "deployed": sorted(deployed.display_name for one in endpoints for deployed in one.deployed_models),
        "schedules": sorted(world.schedules),
    }


GCP = Cloud(
    provider="gcp",
    changes=re.compile(
        r"aiplatform:(Create|Upload|Deploy|Undeploy|Update|Merge|Delete|Cancel)\w+"
        r"|cloudscheduler:jobs.(create|patch|delete)"
    ),
    writes=re.compile(r"storage:(objects\.(insert|copy|delete|compose|rewrite)|uploads\.\w+)"),
    kinds=23,
    opened=gcp_opened,
    contents=gcp_contents,
    whole={"customJobs": 2, "models": 1, "endpoints": 1, "deployed": 1, "schedules": 1},
)


def changes(cloud: Cloud, requests: Iterable[Any]) -> list[tuple[str, str]]:
    """Each kind of request that changes something, in the order of the first of each: its name, and what it is about.

    What containers send, which is what they record, comes when it comes, and is left out.
    """
    found: dict[tuple[str, str], None] = {}
    for one in requests:
        if cloud.changes.fullmatch(one.name):
            found[one.name, "*"] = None
        elif cloud.writes.fullmatch(one.name) and "/capture/" not in one.about:
            found[one.name, kind(one.about)] = None
    return list(found)


def kind(key: str) -> str:
    """A pattern of the keys of such objects: without hashes, and of what is sent as a folder, the folder."""
    return re.sub(r"(/(code|engine|blobs)/).*", r"\1*", re.sub(r"-[0-9a-f]{10}(?=[./])", "-*", key))


def differing(found: Contents, wanted: Contents) -> dict[str, list[Any]]:
    """Where two clouds are not the same: what is in one of them alone, by what it is."""
    kinds = {what: (Counter(found.get(what, ())), Counter(wanted.get(what, ()))) for what in {*found, *wanted}}
    return {
        what: sorted(((ours - theirs) + (theirs - ours)).elements())
        for what, (ours, theirs) in kinds.items()
        if ours != theirs
    }
