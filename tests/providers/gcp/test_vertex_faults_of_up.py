"""What a user sees of each fault of Google Cloud, and that the next `up` reaches what was asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from faulty import (
    Told,
    answer,
    are_not_seen,
    are_told,
    change,
    converges,
    denied,
    lay_out,
    leaves_nothing,
    project,
    resumes,
)
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
from cloudml_gcp import plugin
from cloudml_gcp.clients import Clients
from cloudml_gcp.double import Double, double
from cloudml_gcp.double.rehearsal import signed_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudml.doubles.faults import Faults
    from cloudml.events import Event

BUCKET = SETTINGS["gcp"]["bucket"]
PLACE = f"projects/{SETTINGS['gcp']['project_id']}/locations/{SETTINGS['gcp']['region']}"
VERTEX = f"aiplatform.googleapis.com/{PLACE}"


@dataclass
class There:
    """A project and the double that it meets."""

    gcp: Double
    session: Session

    def with_client(self, **said: Any) -> There:
        """The same, met by a client of another kind."""
        context, target = Context(root=self.session.root, project=self.session.spec.project), self.session.target
        said = {"credentials": signed_in(self.gcp), "sleep": self.gcp.clock.sleep, **said}
        provider = plugin.provider(Clients(target.settings, endpoint=self.gcp.url, **said), context)
        return There(self.gcp, replace(self.session, provider=provider))

    def made(self) -> dict[str, int]:
        """How many there are of each kind at Vertex AI and at Cloud Scheduler."""
        kinds = Counter(name.split("/")[-2] for name in self.gcp.world.records)
        endpoints = [one for one in self.gcp.world.records.values() if hasattr(one, "traffic_split")]
        deployed = sum(len(one.deployed_models) for one in endpoints)
        return {**kinds, "deployed": deployed, "schedules": len(self.gcp.world.schedules)}

    def sent(self, operation: str) -> int:
        """How often that was asked."""
        return sum(one.name == operation for one in self.gcp.requests)


ONE_OF_EACH = {"customJobs": 1, "models": 1, "endpoints": 1, "deployed": 1, "schedules": 1}


@pytest.fixture
def there(tmp_path):
    lay_out(tmp_path)
    spec = ProjectSpec.model_validate(project("gcp"))
    target = resolve(spec, "there", environ={})
    target = replace(target, plugin=replace(target.plugin, poll_s=(60.0, 3600.0)))  # a day is soon over
    said = SETTINGS["gcp"]
    with double(
        region=said["region"], project=said["project_id"], bucket=BUCKET, service_account=said["service_account"]
    ) as gcp:
        yield There(gcp, Session(spec, tmp_path, target, provider=None)).with_client()


def refused(operation: str, code: str, message: str = "", times: int | None = None) -> Callable[[Faults], Any]:
    return lambda faults: faults.refuse(operation, code, message, times=times)


def domain(name: str, *about: str, **said: Any) -> Callable[[Faults], Any]:
    return lambda faults: faults.domain(name, *about, **{"times": None, **said})


QUOTA, MACHINE = "the console's page of quotas", "the region has no such machine free now"
LOGS = "`cloudml job logs train` shows all it printed"
OF_JOBS: dict[str, tuple[Callable[[Faults], Any], Told]] = {
    "the bucket is throttled for long": (
        refused("storage:objects.insert", "RESOURCE_EXHAUSTED", "slow down"),
        Told(ThrottledError, 1, f"`gs://{BUCKET}/cloudml/faulty/cards", "what arrived is not sent again"),
    ),
    "throttled for long": (
        refused("aiplatform:CreateCustomJob", "RESOURCE_EXHAUSTED", "Rate exceeded"),
        Told(ThrottledError, 1, "aiplatform:CreateCustomJob: Rate exceeded", "try again"),
    ),
    "a quota that refuses": (
        domain("allocation", "faulty-train-*"),
        Told(QuotaExceededError, 1, "aiplatform.googleapis.com/custom_model_training_cpus", QUOTA),
    ),
    "an expired sign-in": (
        refused("aiplatform:*", "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        Told(AuthenticationError, 4, "invalid authentication credentials", "`gcloud auth application-default login`"),
    ),
    "a service that is switched off": (
        refused("aiplatform:*", "PERMISSION_DENIED", "Vertex AI API has not been used in project 1 before"),
        Told(PermissionDeniedError, 4, "has not been used in project", "gcloud services enable aiplatform"),
    ),
    "a quota that fails the job": (
        domain("job-quota", "faulty-train-*"),
        Told(RunFailedError, 1, f"custom_model_training_cpus (ask for more on {QUOTA}", LOGS),
    ),
    "no capacity": (
        domain("capacity", "faulty-train-*"),
        Told(RunFailedError, 1, f"Machine type: e2-standard-4. ({MACHINE}", LOGS),
    ),
    "no machine as long as it may wait": (
        domain("stockout", "faulty-train-*"),
        Told(RunFailedError, 1, f"no machine came for as long as `max_wait` of the target says: {MACHINE}", LOGS),
    ),
}  # fmt: skip
OF_MODELS_AND_ENDPOINTS: dict[str, tuple[Callable[[Faults], Any], Told]] = {
    "down for long": (
        refused("aiplatform:UploadModel", "INTERNAL", "Internal error encountered."),
        Told(UnavailableError, 1, "aiplatform:UploadModel: Internal error encountered.", "try again"),
    ),
    "an operation that fails late, by a number": (
        domain("operation", "UploadModel", code="INTERNAL", message="it broke"),
        Told(UnavailableError, 1, "aiplatform:UploadModel: it broke", "try again"),
    ),
    "an operation that is denied late, by a number": (
        domain("operation", "UploadModel", code="PERMISSION_DENIED", message="the image may not be read"),
        Told(PermissionDeniedError, 4, "the image may not be read", "grant `aiplatform.models.upload` on the project"),
    ),
    "a quota of endpoints, by a number": (
        domain("operation", "CreateEndpoint", code="RESOURCE_EXHAUSTED", message="Allocation quota exceeded"),
        Told(QuotaExceededError, 1, "aiplatform:CreateEndpoint: Allocation quota exceeded", QUOTA),
    ),
    "no capacity for an endpoint": (
        domain("capacity", "faulty-two"),
        Told(RunFailedError, 1, f"({MACHINE}", "run `cloudml up` again"),
    ),
    "a deployment that fails": (
        domain("deploy", "faulty-two", message="Model server never became ready."),
        Told(RunFailedError, 1, "`endpoints.two` ended as failed: the deployment: Model server never became ready.",
             "run `cloudml up` again"),
    ),
    "an endpoint that does not answer": (
        refused("aiplatform:RawPredict", "UNAVAILABLE", "The service is currently unavailable."),
        Told(RunFailedError, 1, "did not answer a first request", "`cloudml endpoint logs two`"),
    ),
    "a scheduler that is down": (
        refused("cloudscheduler:jobs.create", "UNAVAILABLE", "The service is currently unavailable."),
        Told(UnavailableError, 1, "cloudscheduler:CreateJob: The service is currently unavailable.", "try again"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("seen", [OF_JOBS, OF_MODELS_AND_ENDPOINTS], ids=["jobs", "the rest"])
def test_each_fault_is_told_with_what_to_do_and_the_next_up_goes_on(there, seen) -> None:
    are_told(there.session, there.gcp.faults, seen)
    assert there.made() == ONE_OF_EACH


DENIED = {
    "storage:objects.get": "does not have storage.objects.get access to the Google Cloud Storage object",
    "storage:objects.insert": "does not have storage.objects.create access to the Google Cloud Storage object",
    "storage:objects.copy": f"`gs://{BUCKET}/cloudml/faulty/",
    "storage:objects.list": "does not have storage.objects.list access to the Google Cloud Storage bucket",
    "aiplatform:CreateCustomJob": f"'aiplatform.customJobs.create' denied on resource '//{VERTEX}'",
    "iam:serviceAccounts.actAs": f"to act as service_account: {SETTINGS['gcp']['service_account']}",
    "aiplatform:GetCustomJob": "'aiplatform.customJobs.get' denied on resource",
    "aiplatform:ListModelVersions": "'aiplatform.models.list' denied on resource",
    "aiplatform:UploadModel": "'aiplatform.models.upload' denied on resource",
    "aiplatform:CreateEndpoint": "'aiplatform.endpoints.create' denied on resource",
    "aiplatform:ListOperations": f"'aiplatform.operations.list' denied on resource '//{VERTEX}/endpoints/faulty-two'",
    "aiplatform:GetEndpoint": "'aiplatform.endpoints.get' denied on resource",
    "aiplatform:DeployModel": "'aiplatform.endpoints.deploy' denied on resource",
    "aiplatform:RawPredict": "'aiplatform.endpoints.predict' denied on resource",
    "cloudscheduler:jobs.get": f'"cloudscheduler.jobs.get" for the resource "{PLACE}/jobs/faulty-drift"',
    "cloudscheduler:jobs.create": '"cloudscheduler.jobs.create" for the resource',
}
"""What an `up` needs, in the order in which it needs it."""


def test_each_permission_that_is_missing_is_named_and_nothing_half_made_is_forgotten(there) -> None:
    def deny(operation: str) -> None:
        there.gcp.faults.refuse(operation, "PERMISSION_DENIED", times=None)

    denied(there.session, deny, there.gcp.faults, DENIED)
    assert there.made() == ONE_OF_EACH
    leaves_nothing(there.session, lambda: [*there.gcp.world.records, *there.gcp.world.objects.names(BUCKET)])


def test_a_permission_that_google_does_not_name_is_named_in_what_to_do(there) -> None:
    there.gcp.faults.refuse("aiplatform:CreateCustomJob", "PERMISSION_DENIED", "The caller does not have permission")
    Told(PermissionDeniedError, 4, "The caller does not", "grant `aiplatform.customJobs.create` on the project").by(
        there.session, "a denial without a name"
    )


def each(kind: str, *operations: str) -> Callable[[Faults], list[Any]]:
    return lambda faults: [faults.happen(kind, operation) for operation in operations]


MAKING = (
    "aiplatform:CreateCustomJob", "aiplatform:UploadModel", "aiplatform:CreateEndpoint", "aiplatform:DeployModel",
)  # fmt: skip
PASSING: dict[str, tuple[Callable[[Faults], Any], ...]] = {
    "throttled, and the bucket is slow": (
        refused("aiplatform:*", "RESOURCE_EXHAUSTED", "Rate exceeded", times=2),
        refused("storage:objects.insert", "UNAVAILABLE", times=2),
    ),
    "down, and nothing is seen at once": (
        refused("aiplatform:GetEndpoint", "UNAVAILABLE", times=2),
        domain("stale", "faulty-two", times=1),
        domain("empty-page", "models", times=1),
    ),
    "dropped before the work": (each("drop", *MAKING, "cloudscheduler:jobs.create"),),
    "done, the answers were lost, and labels lag": (
        each("lose", "storage:objects.insert", *MAKING, "cloudscheduler:jobs.create"),
        domain("lag", seconds=45),
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_faults_that_pass_are_not_seen_and_nothing_is_made_twice(there, name: str) -> None:
    are_not_seen(there.session, there.gcp.faults, PASSING[name])
    assert there.made() == ONE_OF_EACH


def test_what_was_done_without_an_answer_in_time_is_not_done_twice(there) -> None:
    held = each("hold", *MAKING)(there.gcp.faults)
    there.with_client(patience=Patience(answer_s=1.0)).session.up()
    assert all(fault.struck for fault in held)
    assert there.made() == ONE_OF_EACH
    assert [there.sent(one) for one in MAKING if not one.endswith("Endpoint")] == [1, 1, 1]
    converges(there.session)


def test_tokens_that_end_in_the_middle_are_made_anew_also_for_the_bucket(there) -> None:
    ended = [
        there.gcp.faults.happen("lose", operation, then=there.gcp.world.tokens.expire)
        for operation in ("aiplatform:CreateCustomJob", "aiplatform:CreateEndpoint")
    ]
    there.session.up()
    assert all(fault.struck for fault in ended)
    converges(there.session)


def test_a_bucket_that_asks_for_another_sign_in_is_told_and_whoever_has_signed_in_goes_on(there) -> None:
    there.session.up()
    there.gcp.world.tokens.expire()
    Told(AuthenticationError, 4, f"`gs://{BUCKET}/cloudml/faulty/", "sign in").by(there.session, "an ended token")
    converges(there.with_client().session)


def test_a_job_whose_machine_is_taken_away_or_restarted_goes_on_from_its_checkpoints(there) -> None:
    there.gcp.faults.domain("spot", line="working on 0")
    there.gcp.faults.domain("restart", "faulty-train-*", line="working on 1", first=2)
    resumes(there.session, times=2)
    assert there.made() == ONE_OF_EACH
    converges(there.session)


def test_a_job_that_waits_for_ever_says_since_when_and_can_be_given_up(there) -> None:
    there.gcp.faults.domain("stockout", endless=True, times=None)
    waits: list[str] = []

    def give_up(event: Event) -> None:
        if event.state == "queued":
            waits.append(event.message)
            there.session.provider.jobs.cancel(event.name)

    with pytest.raises(RunFailedError, match=r"`jobs\.train` ended as cancelled"):
        there.session.up(listener=give_up)
    assert all("its machines are being prepared, since 20" in wait for wait in waits)
    assert waits
    there.gcp.faults.clear()
    converges(there.session)


def test_a_deployment_that_fails_leaves_nothing_but_the_old_version_and_the_next_up_converges(there) -> None:
    there.session.up()
    change(there.session)
    there.gcp.faults.domain("deploy", "faulty-two", message="Model server exited unexpectedly.", times=None)
    with pytest.raises(RunFailedError, match=r"endpoints\.two.*exited unexpectedly"):
        there.session.up()
    assert there.made()["deployed"] == ONE_OF_EACH["deployed"]
    assert answer(there.session) == b'{"predictions":[2.0]}'
    there.gcp.faults.clear()
    converges(there.session)
    assert answer(there.session) == b'{"predictions":[3.0]}'
