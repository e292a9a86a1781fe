"""What a user sees of each fault of AWS, and that the next `up` reaches what was asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sample import SETTINGS

from cloudml.errors import (
    AuthenticationError,
    CloudMLError,
    PermissionDeniedError,
    QuotaExceededError,
    RunFailedError,
    ThrottledError,
    UnavailableError,
)
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import ProjectSpec
from cloudml.targets import resolve
from cloudml_aws import plugin
from cloudml_aws.clients import Clients
from cloudml_aws.double import KEY, SECRET, Double, double

if TYPE_CHECKING:
    from collections.abc import Callable

TRAIN = """
from cloudml import runtime
job = runtime.job()
seen = job.checkpoints / "seen"
print("resumed" if seen.exists() else "began", flush=True)
seen.write_text("yes")
print("epoch 1", flush=True)
(job.outputs["model"] / "number.txt").write_text("2")
"""
PREDICT = """
class Predictor:
    def __init__(self, model):
        self.number = float((model / "number.txt").read_text())
    def predict(self, instances):
        return [self.number * row["x"] for row in instances]
"""
PROJECT: dict[str, Any] = {
    "project": "faulty",
    "targets": {"there": {"provider": "aws", **SETTINGS["aws"]}},
    "datasets": {"table": {"name": "table", "path": "a.csv"}},
    "jobs": {"train": {"name": "train", "script": "train.py", "inputs": {"table": "datasets.table"},
                       "outputs": ["model"], "spot": True}},
    "models": {"two": {"name": "two", "source": "jobs.train.model", "predictor": "predict.py:Predictor"}},
    "endpoints": {"two": {"name": "two", "model": "models.two"}},
}  # fmt: skip


@dataclass
class There:
    """A project and the double that it meets."""

    aws: Double
    session: Session


@pytest.fixture
def there(tmp_path, monkeypatch):
    for name, text in {"a.csv": "x\n1\n", "train.py": TRAIN, "predict.py": PREDICT}.items():
        (tmp_path / name).write_text(text)
    spec = ProjectSpec.model_validate(PROJECT)
    target = resolve(spec, "there", environ={})
    target = replace(target, plugin=replace(target.plugin, poll_s=(60.0, 3600.0)))  # a day is soon over
    with double(**SETTINGS["aws"]) as aws:
        monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=aws.clock.sleep))  # between two attempts
        clients = Clients(target.settings, endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
        provider = plugin.provider(clients, Context(root=tmp_path, project=spec.project))
        yield There(aws, Session(spec, tmp_path, target, provider))


def refused(operation: str, code: str, **said: Any) -> Callable[[Double], Any]:
    return lambda aws: aws.faults.refuse(operation, code, **{"times": None, **said})


def domain(name: str, **said: Any) -> Callable[[Double], Any]:
    return lambda aws: aws.faults.domain(name, **said)


SEEN: dict[str, tuple[Callable[[Double], Any], type[CloudMLError], int, str, str]] = {
    "throttled for long": (
        refused("sagemaker:CreateTrainingJob", "ThrottlingException", message="Rate exceeded"),
        ThrottledError, 1, "Rate exceeded", "try again",
    ),
    "down for long": (
        refused("sagemaker:CreateModelPackage", "InternalFailure", status=500),
        UnavailableError, 1, "CreateModelPackage", "try again",
    ),
    "quota": (
        refused("sagemaker:CreateTrainingJob", "ResourceLimitExceeded", message="service limit 'ml.m5.large' is 0"),
        QuotaExceededError, 1, "ml.m5.large", "Service Quotas",
    ),
    "no capacity": (domain("capacity", times=None), RunFailedError, 1, "CapacityError", ""),
    "an action is denied": (
        refused("sagemaker:CreateEndpointConfig", "AccessDeniedException", message="not authorized to perform: x"),
        PermissionDeniedError, 4, "sagemaker:CreateEndpointConfig", "grant",
    ),
    "an expired session": (
        refused("sagemaker:*", "ExpiredTokenException", message="The security token is expired"),
        AuthenticationError, 4, "expired", "sign in",
    ),
    "an expired session at the bucket": (
        refused("s3:*", "ExpiredToken", message="The provided token has expired."),
        AuthenticationError, 4, "expired", "sign in",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_a_fault_is_told_with_what_to_do_and_the_next_up_converges(there, name: str) -> None:
    fault, kind, exit_code, said, hint = SEEN[name]
    if name == "no capacity":  # a spot job waits for it
        there.session = replace(there.session, spec=steady(there.session.spec))
    fault(there.aws)
    with pytest.raises(kind) as caught:
        there.session.up()
    assert caught.value.exit_code == exit_code
    assert said in caught.value.message
    assert caught.value.hint
    assert hint in caught.value.hint
    there.aws.faults.clear()
    converges(there)


PASSING: dict[str, Callable[[Double], Any]] = {
    "throttled twice": refused("sagemaker:*", "ThrottlingException", times=2),
    "down twice": refused("sagemaker:Describe*", "ServiceUnavailable", status=503, times=2),
    "the bucket is slow": refused("s3:PutObject", "SlowDown", status=503, times=2),
    "dropped before the work": lambda aws: aws.faults.happen("drop", "sagemaker:Create*", times=2),
    "a training job whose answer was lost": lambda aws: aws.faults.happen("lose", "sagemaker:CreateTrainingJob"),
    "a version whose answer was lost": lambda aws: aws.faults.happen("lose", "sagemaker:CreateModelPackage"),
    "an endpoint whose answer was lost": lambda aws: aws.faults.happen("lose", "sagemaker:CreateEndpoint"),
    "a reclaimed spot machine": domain("spot", line="epoch 1"),
    "lagging lists and tags": domain("lag", times=None, seconds=60),
    "an endpoint that is not seen yet": domain("stale", about="endpoint/*"),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_not_seen(there, name: str) -> None:
    fault = PASSING[name](there.aws)
    there.session.up()
    assert fault.struck
    there.aws.faults.clear()
    converges(there)


def test_a_reclaimed_spot_job_goes_on_from_its_checkpoints(there) -> None:
    there.aws.faults.domain("spot", line="epoch 1")
    there.session.up()
    (name,) = (one.name for one in there.session.status() if one.resource == "jobs.train")
    assert {"began", "resumed"} <= set(there.session.provider.logs.read("jobs", name, "").lines)


def test_an_update_that_is_rolled_back_leaves_the_old_version_and_the_next_up_converges(there) -> None:
    there.session.up()
    (there.session.root / "train.py").write_text(TRAIN.replace('"2"', '"3"'))
    there.aws.faults.domain("rollback", "faulty-two")
    with pytest.raises(RunFailedError, match=r"endpoints\.two") as caught:
        there.session.up()
    assert caught.value.hint
    assert answer(there) == b'{"predictions":[2.0]}'
    there.aws.faults.clear()
    converges(there)
    assert answer(there) == b'{"predictions":[3.0]}'


def test_a_spot_job_that_no_machine_was_free_for_is_told_and_runs_when_there_is_one(there) -> None:
    there.aws.faults.domain("capacity", times=None)
    with pytest.raises(RunFailedError, match="no spot machine was free"):
        there.session.up()
    there.aws.faults.clear()
    converges(there)


def steady(spec: ProjectSpec) -> ProjectSpec:
    """The project with a job that no machine is taken away from."""
    return spec.model_copy(update={"jobs": {"train": spec.jobs["train"].model_copy(update={"spot": False})}})


def answer(there: There) -> bytes:
    asked = {"content_type": "application/json", "accept": "application/json"}
    return there.session.provider.endpoints.invoke("faulty-two", b'{"instances":[{"x":1}]}', **asked).body


def converges(there: There) -> None:
    """One `up` finishes it, another finds nothing to do, and there is one of each thing."""
    there.session.up()
    again = there.session.up()
    assert again.reused == set(again.statuses)
    found = [one.resource for one in there.session.status() if one.resource in again.statuses and one.state.good]
    assert sorted(set(found)) == sorted(again.statuses)
