"""`up` on SageMaker dies by SIGKILL at a request; the next `up` reaches the same end, nothing done twice, no orphan.

Being killed before a request is being killed after the one before it, since what is only read changes nothing. So of a
chain each `up` dies when another request that changes something was carried out, before the answer came: every such
request of a service, and of every kind of object in the bucket the first, is the last of some `up`. Besides an `up` is
cut at points all over, amid transfers, after each of which the very next `up` is let through.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from killed_project import PREDICT, PREPARE, PROJECT, TRAIN
from sample import SETTINGS

from cloudml_aws.double import Double, double

if TYPE_CHECKING:
    from cloudml_aws.double.front import Seen

HERE = Path(__file__).parent
POINTS = 6
CHANGES = re.compile(r"(?!s3:).*:(Create|Update|Delete|Stop|Add|Register|Deregister|Put)\w+")


class There:
    """A project, a double, and a client that does `up` after `up`."""

    def __init__(self, journal: Path, aws: Double, client: subprocess.Popen[str]) -> None:
        self.journal, self.aws, self.client = journal, aws, client

    def up(self, subject: str = "", about: str = "*", first: int = 1) -> int:
        """One `up`, killed when the first of those requests was carried out, if any are named; how it ended."""
        pids: queue.SimpleQueue[int] = queue.SimpleQueue()

        def kill() -> None:
            pid = pids.get()
            pids.put(pid)
            os.kill(pid, signal.SIGKILL)

        self.aws.faults.clear()
        if subject:
            self.aws.faults.happen("lose", subject, about=about, first=first, then=kill)
        self.client.stdin.write("up\n")
        self.client.stdin.flush()
        pids.put(int(self.client.stdout.readline()))
        ended = int(self.client.stdout.readline())
        self.aws.faults.clear()
        return ended

    def outcome(self) -> dict[str, object]:
        """All that is there, and how often each script ran."""
        return {
            "journal": Counter(self.journal.read_text().split()),
            "objects": sorted(self.objects()),
            "services": {what: sorted(names) for what, names in self.services().items()},
        }

    def differs_from(self, wanted: dict[str, object]) -> dict[str, object]:
        """Where what is there is not what was *wanted*: there and not there, by what it is."""
        found = self.outcome()
        lists = {"objects": found["objects"], **found["services"]}
        others = {"objects": wanted["objects"], **wanted["services"]}
        differing = {
            what: sorted(set(lists[what]) ^ set(others[what])) for what in lists if lists[what] != others[what]
        }
        return differing | ({"journal": found["journal"]} if found["journal"] != wanted["journal"] else {})

    def objects(self) -> set[str]:
        import boto3

        with_keys = boto3.client("s3", endpoint_url=self.aws.url, **self.keys()).get_paginator("list_objects_v2")
        pages = with_keys.paginate(Bucket=SETTINGS["aws"]["bucket"])
        found = (item["Key"] for page in pages for item in page.get("Contents", ()))
        return {re.sub(r"\d{4}/\d\d/\d\d/.*", "captured", key) for key in found}

    def services(self) -> dict[str, list[str]]:
        import boto3

        client = boto3.client("sagemaker", endpoint_url=self.aws.url, **self.keys())
        names = {
            "TrainingJob": "TrainingJobName", "ProcessingJob": "ProcessingJobName", "Endpoint": "EndpointName",
            "EndpointConfig": "EndpointConfigName", "Model": "ModelName", "ModelPackageGroup": "ModelPackageGroupName",
        }  # fmt: skip
        found: dict[str, list[str]] = {}
        for what, name in names.items():
            key = "ModelPackageGroupSummaryList" if what == "ModelPackageGroup" else f"{what}Summaries"
            key = f"{what}s" if what in {"Endpoint", "EndpointConfig", "Model"} else key
            operation = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", f"list{what}s").lower()
            found[what] = [one[name] for page in client.get_paginator(operation).paginate() for one in page[key]]
        versions = client.list_model_packages(ModelPackageType="Versioned")["ModelPackageSummaryList"]
        scheduler = boto3.client("scheduler", endpoint_url=self.aws.url, **self.keys())
        scaling = boto3.client("application-autoscaling", endpoint_url=self.aws.url, **self.keys())
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        return {
            **found,
            "ModelPackage": [one["ModelPackageArn"] for one in versions],
            "Schedule": [one["Name"] for one in scheduler.list_schedules()["Schedules"]],
            "ScalableTarget": [one["ResourceId"] for one in targets],
            "ScalingPolicy": [one["PolicyName"] for one in policies],
        }

    def keys(self) -> dict[str, str]:
        environ = self.aws.environ
        return {
            "aws_access_key_id": environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environ["AWS_SECRET_ACCESS_KEY"],
            "region_name": environ["AWS_REGION"],
        }


@contextmanager
def beginning(folder: Path, journal: Path):
    """A small project with everything in it, and nothing of it at the double yet.

    The scripts write into *journal*, which is the same for all: what is made from the same text has the same hash.
    """
    journal.write_text("")
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("x\n1\n2\n3\n")
    for name, text in {"prepare.py": PREPARE, "train.py": TRAIN, "predict.py": PREDICT}.items():
        (folder / name).write_text(text)
    (folder / "cloudml.yaml").write_text(PROJECT.format(**SETTINGS["aws"], journal=journal))
    settings = SETTINGS["aws"]
    with double(region=settings["region"], bucket=settings["bucket"], role_arn=settings["role_arn"], pace=2000) as aws:
        command = [sys.executable, str(HERE / "client.py"), str(folder), "there"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **aws.environ}, text=True
        ) as client:
            try:
                yield There(journal, aws, client)
            finally:
                client.stdin.close()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.txt"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, journal: Path):
    """What an undisturbed `up` sends, and what there is afterwards."""
    with beginning(tmp_path_factory.mktemp("undisturbed") / "project", journal) as there:
        assert there.up() == 0
        return list(there.aws.requests), there.outcome()


def changes(requests: list[Seen]) -> list[tuple[str, str]]:
    """Each kind of request that changes something, in the order of the first of each: its operation, and its key."""
    found: dict[tuple[str, str], None] = {}
    for one in requests:
        if CHANGES.fullmatch(one.name):
            found[one.name, "*"] = None
        elif re.match(r"s3:(Put|Copy|Delete)", one.name):
            found[one.name, kind(one.parameters.get("Key", "*"))] = None
    return list(found)


def kind(key: str) -> str:
    """A pattern of the keys of such objects: without hashes, and of what is sent as a folder, the folder."""
    return re.sub(r"(/(code|engine|blobs)/).*", r"\1*", re.sub(r"-[0-9a-f]{10}(?=[./])", "-*", key))


def test_an_undisturbed_up_does_each_thing_once(undisturbed) -> None:
    _, outcome = undisturbed
    assert outcome["journal"] == {"prepare": 1, "train": 1}
    assert {what: len(names) for what, names in outcome["services"].items()} == {
        "TrainingJob": 1, "ProcessingJob": 1, "Endpoint": 1, "EndpointConfig": 1, "Model": 1, "ModelPackageGroup": 1,
        "ModelPackage": 1, "Schedule": 1, "ScalableTarget": 1, "ScalingPolicy": 1,
    }  # fmt: skip


def test_a_chain_of_ups_each_killed_at_another_change_reaches_the_same_end(tmp_path, journal, undisturbed) -> None:
    requests, outcome = undisturbed
    chain = changes(requests)
    assert len(chain) >= 25
    with beginning(tmp_path / "project", journal) as there:
        assert {one: there.up(*one) for one in chain} == dict.fromkeys(chain, -signal.SIGKILL)
        assert there.up() == 0
        assert there.differs_from(outcome) == {}


@pytest.mark.parametrize("point", range(POINTS))
def test_the_next_up_finishes_what_a_killed_one_began(tmp_path, journal, undisturbed, point: int) -> None:
    requests, outcome = undisturbed
    with beginning(tmp_path / "project", journal) as there:
        at = 1 + point * len(requests) * 9 // (10 * POINTS)  # the last tenth may be polls, of which there may be fewer
        assert there.up("*", first=at) == -signal.SIGKILL
        assert there.up() == 0
        assert there.differs_from(outcome) == {}
        sent = len(there.aws.requests)
        assert there.up() == 0
        assert changes(there.aws.requests[sent:]) == []
