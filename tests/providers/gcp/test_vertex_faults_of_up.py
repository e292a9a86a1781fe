"""What a user sees of each fault of Google Cloud, and that the next `up` reaches what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from faulty import TRAIN, answer, converges, lay_out, project
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
from cloudml_gcp import plugin
from cloudml_gcp.clients import Clients
from cloudml_gcp.double import Double, double
from cloudml_gcp.double.rehearsal import signed_in

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class There:
    """A project and the double that it meets."""

    gcp: Double
    session: Session


@pytest.fixture
def there(tmp_path):
    lay_out(tmp_path)
    spec = ProjectSpec.model_validate(project("gcp"))
    target = resolve(spec, "there", environ={})
    said = SETTINGS["gcp"]
    with double(
        region=said["region"], project=said["project_id"], bucket=said["bucket"],
        service_account=said["service_account"],
    ) as gcp:  # fmt: skip
        clients = Clients(target.settings, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
        provider = plugin.provider(clients, Context(root=tmp_path, project=spec.project))
        yield There(gcp, Session(spec, tmp_path, target, provider))


def refused(operation: str, code: str, message: str = "", times: int | None = None) -> Callable[[Double], Any]:
    return lambda gcp: gcp.faults.refuse(operation, code, message, times=times)


def happens(what: str, operation: str, times: int = 1) -> Callable[[Double], Any]:
    return lambda gcp: gcp.faults.happen(what, operation, times=times)


def domain(name: str, *about: str, **said: Any) -> Callable[[Double], Any]:
    return lambda gcp: gcp.faults.domain(name, *about, **said)


SEEN: dict[str, tuple[Callable[[Double], Any], type[CloudMLError], int, str, str]] = {
    "throttled for long": (
        refused("aiplatform:CreateCustomJob", "RESOURCE_EXHAUSTED", "Rate exceeded"),
        ThrottledError, 1, "Rate exceeded", "again",
    ),
    "down for long": (
        refused("aiplatform:UploadModel", "INTERNAL"), UnavailableError, 1, "UploadModel", "again",
    ),
    "an action is denied": (
        refused("aiplatform:CreateEndpoint", "PERMISSION_DENIED"), PermissionDeniedError, 4, "CreateEndpoint", "grant",
    ),
    "the bucket is denied": (
        refused("storage:objects.insert", "PERMISSION_DENIED"), PermissionDeniedError, 4, "may not be reached", "",
    ),
    "an expired sign-in": (
        refused("aiplatform:*", "UNAUTHENTICATED"), AuthenticationError, 4, "aiplatform:", "sign in",
    ),
    "a quota that refuses": (
        domain("allocation", "faulty-train-*", times=None), QuotaExceededError, 1, "quota", "",
    ),
    "a quota that fails the job": (
        domain("job-quota", "faulty-train-*", times=None), RunFailedError, 1, "quota", "",
    ),
    "no capacity": (
        domain("capacity", "faulty-train-*", times=None), RunFailedError, 1, "insufficient", "",
    ),
    "no machine for ever": (
        domain("stockout", "faulty-train-*", times=None), RunFailedError, 1, "jobs.train", "",
    ),
    "a deployment that fails": (
        domain("deploy", "faulty-two", message="Model server never became ready.", times=None),
        RunFailedError, 1, "never became ready", "",
    ),
    "an operation that fails late": (
        domain("operation", "UploadModel", code="INTERNAL", message="it broke", times=None),
        CloudMLError, 1, "it broke", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_a_fault_is_told_with_what_to_do_and_the_next_up_converges(there, name: str) -> None:
    fault, kind, exit_code, said, hint = SEEN[name]
    fault(there.gcp)
    with pytest.raises(kind) as caught:
        there.session.up()
    assert caught.value.exit_code == exit_code
    assert said in caught.value.message
    assert caught.value.hint
    assert hint in caught.value.hint
    there.gcp.faults.clear()
    converges(there.session)


PASSING: dict[str, Callable[[Double], Any]] = {
    "throttled twice": refused("aiplatform:*", "RESOURCE_EXHAUSTED", "Rate exceeded", times=2),
    "down twice": refused("aiplatform:GetEndpoint", "UNAVAILABLE", times=2),
    "the bucket is slow": refused("storage:objects.insert", "UNAVAILABLE", times=2),
    "a job whose answer was lost": happens("lose", "aiplatform:CreateCustomJob"),
    "a model whose answer was lost": happens("lose", "aiplatform:UploadModel"),
    "an endpoint whose answer was lost": happens("lose", "aiplatform:CreateEndpoint"),
    "a deployment whose answer was lost": happens("lose", "aiplatform:DeployModel"),
    "a reclaimed spot machine": domain("spot", line="epoch 1"),
    "a machine that is restarted": domain("restart", line="epoch 1"),
    "an endpoint that is not seen yet": domain("stale", "faulty-two"),
    "an empty page": domain("empty-page", "custom_jobs"),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_not_seen(there, name: str) -> None:
    fault = PASSING[name](there.gcp)
    up = there.session.up()
    list(there.session.provider.jobs.list("faulty"))
    assert fault.struck
    assert up.metrics["jobs.train.number"] == 2
    there.gcp.faults.clear()
    converges(there.session)


def test_a_job_whose_answer_was_lost_is_found_though_labels_lag(there) -> None:
    there.gcp.faults.happen("lose", "aiplatform:CreateCustomJob")
    there.gcp.faults.domain("lag", times=None, seconds=45)
    there.session.up()
    there.gcp.faults.clear()
    converges(there.session)
    trained = [one for one in there.gcp.requests if one.name == "aiplatform:CreateCustomJob"]
    assert len(trained) == 1


def test_a_deployment_that_fails_leaves_the_old_version_and_the_next_up_converges(there) -> None:
    there.session.up()
    (there.session.root / "train.py").write_text(TRAIN.replace('"2"', '"3"'))
    there.gcp.faults.domain("deploy", "faulty-two", message="Model server exited unexpectedly.", times=None)
    with pytest.raises(RunFailedError, match=r"endpoints\.two.*exited unexpectedly"):
        there.session.up()
    assert answer(there.session) == b'{"predictions":[2.0]}'
    there.gcp.faults.clear()
    converges(there.session)
    assert answer(there.session) == b'{"predictions":[3.0]}'
