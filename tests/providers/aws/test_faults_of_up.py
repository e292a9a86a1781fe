"""What a user sees of each fault of AWS, and that the next `up` reaches what was asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from faulty import Told, answer, are_not_seen, are_told, change, converges, lay_out, resumes
from sample import SETTINGS

from cloudml.clouds.patience import Patience
from cloudml.errors import (
    AuthenticationError,
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

    from cloudml.doubles.faults import Faults

PROJECT: dict[str, Any] = {
    "project": "faulty",
    "targets": {"there": {"provider": "aws", **SETTINGS["aws"]}},
    "datasets": {"table": {"name": "table", "path": "a.csv"}},
    "jobs": {"train": {"name": "train", "script": "train.py", "inputs": {"table": "datasets.table"},
                       "outputs": ["model"], "metrics": ["number"], "spot": True}},
    "models": {"two": {"name": "two", "source": "jobs.train.model", "predictor": "predict.py:Predictor"}},
    "endpoints": {"two": {"name": "two", "model": "models.two"}},
}  # fmt: skip


SHORT = Patience(attempts=3)
"""With a service that is throttled or down; the client waits longer before each further request."""


@dataclass
class There:
    """A project and the double that it meets."""

    aws: Double
    session: Session

    def with_client(self, **said: Any) -> There:
        """The same, met by a client of another kind."""
        context, target = Context(root=self.session.root, project=self.session.spec.project), self.session.target
        said = {"sleep": self.aws.clock.sleep, "patience": SHORT, **said}
        clients = Clients(target.settings, endpoint=self.aws.url, credentials=(KEY, SECRET), **said)
        return There(self.aws, replace(self.session, provider=plugin.provider(clients, context)))


@pytest.fixture
def there(tmp_path):
    lay_out(tmp_path)
    spec = ProjectSpec.model_validate(PROJECT)
    target = resolve(spec, "there", environ={})
    target = replace(target, plugin=replace(target.plugin, poll_s=(60.0, 3600.0)))  # a day is soon over
    with double(**SETTINGS["aws"]) as aws:
        yield There(aws, Session(spec, tmp_path, target, provider=None)).with_client()


def refused(operation: str, code: str, **said: Any) -> Callable[[Faults], Any]:
    return lambda faults: faults.refuse(operation, code, **{"times": None, **said})


def domain(name: str, **said: Any) -> Callable[[Faults], Any]:
    return lambda faults: faults.domain(name, **{"times": None, **said})


SEEN: dict[str, tuple[Callable[[Faults], Any], Told]] = {
    "no right to write into the bucket": (
        refused("s3:PutObject", "AccessDenied", message="not authorized to perform: s3:PutObject", status=403),
        Told(PermissionDeniedError, 4, "not authorized to perform: s3:PutObject", "grant this identity reading and"),
    ),
    "an expired session at the bucket": (
        refused("s3:*", "ExpiredToken", message="The provided token has expired."),
        Told(AuthenticationError, 4, "The provided token has expired.", "sign in"),
    ),
    "throttled for long": (
        refused("sagemaker:CreateTrainingJob", "ThrottlingException", message="Rate exceeded"),
        Told(ThrottledError, 1, "Rate exceeded", "try again"),
    ),
    "quota": (
        refused("sagemaker:CreateTrainingJob", "ResourceLimitExceeded", message="service limit 'ml.m5.large' is 0"),
        Told(QuotaExceededError, 1, "service limit 'ml.m5.large' is 0", "Service Quotas"),
    ),
    "an expired session": (
        refused("sagemaker:*", "ExpiredTokenException", message="The security token is expired"),
        Told(AuthenticationError, 4, "The security token is expired", "sign in"),
    ),
    "no capacity": (
        domain("capacity", about="faulty-train-*"),
        Told(RunFailedError, 1, "CapacityError", "`cloudml job logs train` shows all it printed"),
    ),
    "down for long": (
        refused("sagemaker:CreateModelPackage", "InternalFailure", status=500),
        Told(UnavailableError, 1, "CreateModelPackage", "try again"),
    ),
    "no capacity for an endpoint": (
        domain("capacity", about="faulty-two"),
        Told(RunFailedError, 1, "InsufficientInstanceCapacity", "run `cloudml up` again"),
    ),
}  # fmt: skip


def test_each_fault_is_told_with_what_to_do_and_the_next_up_goes_on(there) -> None:
    session = replace(there.session, spec=steady(there.session.spec))  # a spot job waits for capacity
    are_told(session, there.aws.faults, SEEN)


def each(kind: str, *operations: str) -> Callable[[Faults], list[Any]]:
    return lambda faults: [faults.happen(kind, f"sagemaker:{operation}") for operation in operations]


MAKING = ("CreateTrainingJob", "CreateModelPackage", "CreateEndpoint")
PASSING: dict[str, tuple[Callable[[Faults], Any], ...]] = {
    "throttled, and the bucket is slow": (
        refused("sagemaker:*", "ThrottlingException", times=2),
        refused("s3:PutObject", "SlowDown", status=503, times=2),
    ),
    "down, and nothing is seen at once": (
        refused("sagemaker:Describe*", "ServiceUnavailable", status=503, times=2),
        domain("lag", seconds=60),
        domain("stale", about="endpoint/*", times=1),
    ),
    "dropped before the work": (each("drop", *MAKING),),
    "done, and the answers were lost": (each("lose", *MAKING),),
}


@pytest.mark.parametrize("name", PASSING)
def test_faults_that_pass_are_not_seen(there, name: str) -> None:
    are_not_seen(there.session, there.aws.faults, PASSING[name])


def test_what_was_done_without_an_answer_in_time_is_not_done_twice(there) -> None:
    faults = each("hold", *MAKING)(there.aws.faults)
    there.with_client(patience=Patience(answer_s=1.0)).session.up()
    assert all(fault.struck for fault in faults)
    converges(there.session)


def test_each_action_that_is_denied_is_named_and_the_next_up_comes_as_far_as_the_next_one(there) -> None:
    actions = (
        "sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:CreateModelPackageGroup",
        "sagemaker:CreateModelPackage", "sagemaker:CreateModel",
        "sagemaker:CreateEndpointConfig", "sagemaker:CreateEndpoint", "sagemaker-runtime:InvokeEndpoint",
    )  # fmt: skip
    for action in actions:
        there.aws.faults.refuse(action, "AccessDeniedException", "not authorized", status=403, times=None)
        with pytest.raises(PermissionDeniedError) as caught:
            there.session.up()
        assert caught.value.exit_code == 4
        assert caught.value.operation == action
        assert "grant" in caught.value.hint
        there.aws.faults.clear()
    converges(there.session)


def test_a_reclaimed_spot_job_goes_on_from_its_checkpoints(there) -> None:
    there.aws.faults.domain("spot", line="working on 0")
    resumes(there.session)
    converges(there.session)


def test_an_update_that_is_rolled_back_leaves_the_old_version_and_the_next_up_converges(there) -> None:
    there.session.up()
    change(there.session)
    there.aws.faults.domain("rollback", "faulty-two")
    with pytest.raises(RunFailedError, match=r"endpoints\.two") as caught:
        there.session.up()
    assert caught.value.hint
    assert answer(there.session) == b'{"predictions":[2.0]}'
    there.aws.faults.clear()
    converges(there.session)
    assert answer(there.session) == b'{"predictions":[3.0]}'


def test_a_spot_job_that_no_machine_was_free_for_is_told_and_runs_when_there_is_one(there) -> None:
    there.aws.faults.domain("capacity", times=None)
    looking_seldom = there.with_client(sleep=lambda seconds: there.aws.clock.sleep(1000 * seconds))
    with pytest.raises(RunFailedError, match="no spot machine was free"):
        looking_seldom.session.up()
    there.aws.faults.clear()
    converges(there.session)


def steady(spec: ProjectSpec) -> ProjectSpec:
    """The project with a job that no machine is taken away from."""
    return spec.model_copy(update={"jobs": {"train": spec.jobs["train"].model_copy(update={"spot": False})}})
