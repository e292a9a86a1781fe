"""Every request of a whole project is one of Google's own messages, and our check says of it what they say.

The messages are those of the official SDK (google-cloud-aiplatform); `ParseDict` reads JSON into them as the service
does, and refuses what has an unknown member or a value of another kind.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from vertex_working import SETTINGS

from cloudml.graph import Builder, needed, steps
from cloudml.identity import Contents
from cloudml.seam import Context
from cloudml.specs import ProjectSpec
from cloudml_gcp import analysing, models, plugin, requests, rollout
from cloudml_gcp.clients import Clients
from cloudml_gcp.double.contract import methods

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TARGET = SETTINGS.model_copy(
    update={
        "network": "projects/123/global/networks/ml",
        "persistent_resource": "kept",
        "kms_key": "projects/acme/locations/europe-west4/keyRings/ml/cryptoKeys/ml",
        "max_wait": "600s",
        "requests_per_instance": 120,
        "labels": {"team": "ml"},
    }
)
PROJECT = {
    "project": "flights",
    "datasets": {"flights": {"path": "data/*.csv", "label": "late"}},
    "jobs": {
        "prepare": {"script": "train.py", "inputs": {"flights": "datasets.flights"}, "outputs": ["train", "test"]},
        "train": {
            "script": "train.py",
            "inputs": {"train": "jobs.prepare.train"},
            "outputs": ["model"],
            "parameters": {"max_iter": 200, "learning_rate": 0.1, "name": "$(HOME)"},
            "metrics": ["auc"],
            "framework": {"name": "pytorch", "version": "2.4"},
            "requirements": "requirements.txt",
            "machine": {"cpus": 4, "memory": "15GiB", "gpus": 1, "gpu": "T4", "disk": "200GiB"},
            "nodes": 3,
            "spot": True,
            "timeout": "2h",
            "environment": {"OMP_NUM_THREADS": "4"},
            "gcp": {"jobSpec": {"enableWebAccess": True, "scheduling": {"disableRetries": True}}},
        },
        "evaluate": {
            "script": "train.py",
            "inputs": {"model": "jobs.train.model", "test": "jobs.prepare.test"},
            "metrics": ["auc"],
            "image": "europe-docker.pkg.dev/acme/ml/evaluate:1",
        },
    },
    "models": {
        "delay": {
            "source": "jobs.train.model",
            "predictor": "predict.py:Predictor",
            "require": {"jobs.evaluate.auc": ">= 0.7"},
        }
    },
    "endpoints": {
        "delay": {
            "model": "models.delay",
            "machine": {"cpus": 4, "gpus": 1, "gpu": "L4"},
            "instances": {"min": 1, "max": 4},
            "capture": 0.5,
            "gcp": {"description": "delays", "clientConnectionConfig": {"inferenceTimeout": "600s"}},
        }
    },
    "monitors": {
        "drift": {
            "endpoint": "endpoints.delay",
            "baseline": "jobs.prepare.train",
            "schedule": "0 * * * *",
            "checks": [{"metric": "psi", "max": 0.2}],
        }
    },
}
"""Each section, and whatever a target, a job and an endpoint can say."""
WITHOUT_TRAFFIC = {
    "name": "projects/1/locations/l/endpoints/delay",
    "displayName": "delay",
    "etag": "AMEw9y",
    "trafficSplit": {"1": 100},
}


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> dict[str, Mapping[str, Any]]:
    """The bodies of all requests of Vertex AI for that project, by resource and RPC; nothing is sent."""
    root = tmp_path_factory.mktemp("project")
    (root / "data").mkdir()
    files = {"data/flights.csv": "late\n1\n", "train.py": "", "predict.py": "", "requirements.txt": "pandas\n"}
    for name, text in files.items():
        (root / name).write_text(text)
    spec = ProjectSpec.model_validate(PROJECT)
    provider = plugin.provider(Clients(TARGET), Context(root=root, project=spec.project))
    builder = Builder(Contents(spec, root, "gcp", {}, None), provider)
    found = {
        f"{step.reference} {call.operation.partition(':')[2]}": call.body
        for step in steps(builder, plugin.PLUGIN, needed(spec, ()), look=False)
        for call in step.plan.calls
        if call.operation.startswith(("aiplatform:", "cloudscheduler:"))
    }
    schedule = found.pop("monitors.drift CreateJob")["job"]
    posted = json.loads(base64.b64decode(schedule["httpTarget"]["body"]))
    for name, job in {"scheduled": posted, "once": analysing.once(posted, "RUN1")}.items():
        found[f"monitors.drift.{name} CreateCustomJob"] = {"parent": TARGET.parent, "customJob": job}
    found["models.delay.further UploadModel"] = models.further(found["models.delay UploadModel"])
    found["endpoints.delay.moved UpdateEndpoint"] = rollout.move(WITHOUT_TRAFFIC, "7")
    return found


NAMES = [
    "jobs.prepare CreateCustomJob", "jobs.train CreateCustomJob", "jobs.evaluate CreateCustomJob",
    "models.delay UploadModel", "models.delay.further UploadModel", "endpoints.delay CreateEndpoint",
    "endpoints.delay DeployModel", "endpoints.delay.moved UpdateEndpoint",
    "monitors.drift.scheduled CreateCustomJob", "monitors.drift.once CreateCustomJob",
]  # fmt: skip


def read(rpc: str, body: Mapping[str, Any]) -> Any:
    """The message that the service would read."""
    return ParseDict(body, methods()[rpc].request())


def said(value: Any) -> Any:
    """A request without what is false, which messages do not say."""
    if isinstance(value, dict):
        return {key: said(inner) for key, inner in value.items() if inner is not False}
    return [said(inner) for inner in value] if isinstance(value, list | tuple) else value


def test_the_project_has_every_request_of_a_plan(planned) -> None:
    assert sorted(planned) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_is_read_whole_and_told_again_as_it_was_sent(planned, name: str) -> None:
    body, rpc = planned[name], name.partition(" ")[2]
    assert list(requests.problems(rpc, body)) == []
    assert MessageToDict(read(rpc, body)) == said(body)


def test_the_requests_say_what_the_project_and_the_target_say(planned) -> None:
    job = read("CreateCustomJob", planned["jobs.train CreateCustomJob"]).custom_job
    first, others = job.job_spec.worker_pool_specs
    assert (first.replica_count, others.replica_count) == (1, 2)
    assert (first.machine_spec.accelerator_count, first.disk_spec.boot_disk_size_gb) == (1, 200)
    assert job.job_spec.scheduling.timeout.ToSeconds() > 2 * 60 * 60
    assert job.job_spec.scheduling.max_wait_duration.ToSeconds() == 600
    assert job.job_spec.enable_web_access
    assert job.job_spec.scheduling.disable_retries
    assert job.encryption_spec.kms_key_name == TARGET.kms_key
    assert {one.name: one.value for one in first.container_spec.env}["OMP_NUM_THREADS"] == "4"
    resources = read("DeployModel", planned["endpoints.delay DeployModel"]).deployed_model.dedicated_resources
    assert (resources.min_replica_count, resources.max_replica_count) == (1, 4)
    assert [one.target for one in resources.autoscaling_metric_specs] == [120]
    endpoint = read("CreateEndpoint", planned["endpoints.delay CreateEndpoint"]).endpoint
    assert endpoint.client_connection_config.inference_timeout.ToSeconds() == 600
    assert endpoint.description == "delays"


WRONG = (
    "text", "3600s", 7, 1.5, -1, 2**31, 2**63, True, ["text"], [{}], {"unknown": 1}, {"unknown": "text"},
)  # fmt: skip
"""What is put in the place of every value; most of it is of another kind than what was there."""
MUTATED = [
    "jobs.train CreateCustomJob", "models.delay UploadModel", "endpoints.delay CreateEndpoint",
    "endpoints.delay DeployModel", "endpoints.delay.moved UpdateEndpoint",
]  # fmt: skip
OF_THE_SERVICE = (
    "is missing", "labels are small letters", "must match the pattern", "must be 1", "or neither", "is no name for one",
    "must be at least 1", "is less than", "must add up to", "cannot be changed", "needs one of", "more than 128",
)  # fmt: skip
"""What the service refuses although it can read it: rules that no message has."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a request with each of its keys; of a list the last member."""
    keys = list(value) if isinstance(value, dict) else [len(value) - 1] if isinstance(value, list) and value else []
    for key in keys:
        yield value, key
        yield from places(value[key])


def mutations(body: Mapping[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """What was put in, and the request with it, which is the same object each time."""
    changed = json.loads(json.dumps(body))
    for holder, key in list(places(changed)):
        before = holder[key]
        for value in WRONG:
            holder[key] = copy.deepcopy(value)
            yield value, changed
        holder[key] = before
        if isinstance(before, dict):
            before["notThere"] = "text"
            yield before, changed
            del before["notThere"]


def readable(rpc: str, body: Mapping[str, Any]) -> bool:
    try:
        read(rpc, body)
    except ParseError:
        return False
    return True


@pytest.mark.parametrize("name", MUTATED)
def test_a_changed_request_is_refused_here_where_the_messages_cannot_read_it(planned, name: str) -> None:
    rpc, verdicts = name.partition(" ")[2], {True: 0, False: 0}
    for value, body in mutations(planned[name]):
        found = list(requests.problems(rpc, body))
        theirs = readable(rpc, body)
        verdicts[theirs] += 1
        if not theirs:
            assert found, json.dumps(body)
        elif not (isinstance(value, int | float) and "must be one of" in "".join(found)):  # an enum by its number
            assert all(any(words in one for words in OF_THE_SERVICE) for one in found), (value, found)
    assert min(verdicts.values()) > 10
