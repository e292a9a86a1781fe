"""Jobs through boto3, on the double: what a user sees when things go wrong, and that the next call sets it right."""

from __future__ import annotations

import json
import threading
from contextlib import suppress

import pytest
from deploying import HASH, PLACES
from working import NAME, connected, job

from cloudml.clouds.jobs import NOT_STARTED
from cloudml.errors import (
    AlreadyExistsError,
    AuthenticationError,
    CloudMLError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    UnavailableError,
)
from cloudml.progress import SILENT
from cloudml.status import JobState
from cloudml_aws.kinds import PROCESSING, TRAINING

MODEL = {"outputs": ("model",)}
TRAINS = """
from cloudml import runtime

job = runtime.job()
(job.outputs["model"] / "model.txt").write_text("a model")
(job.checkpoints / "seen").write_text("1")
job.log_metric("auc", 0.123456789012)
"""
FAILS = """
import sys
from cloudml import runtime

(runtime.job().checkpoints / "seen").write_text("1")
print("before")
sys.exit(4)
"""
STEPS = """
from cloudml import runtime

job = runtime.job()
done = len(list(job.checkpoints.iterdir()))
print("begins with", done, flush=True)
for step in range(done, 3):
    (job.checkpoints / str(step)).write_text("x")
    print("step", step, flush=True)
    if not done:
        import signal, threading
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        stop.wait(60)
        raise SystemExit(9)
(job.outputs["model"] / "model.txt").write_text("a model")
job.log_metric("resumed", done)
"""


@pytest.fixture
def there(tmp_path):
    with connected(tmp_path) as there:
        yield there


@pytest.mark.parametrize(("kind", "changes"), [(TRAINING, MODEL), (PROCESSING, {"outputs": ("clean",)})])
def test_what_the_plan_shows_is_what_is_sent(there, kind, changes) -> None:
    resource = job(there.root, parameters={"n": 1}, **changes)
    upload, request = there.jobs.plan(resource).calls
    there.jobs.create(resource, SILENT)
    assert there.sent(request.operation) == [request.body]
    storage = there.clients.storage(PLACES.root)
    assert json.loads(storage.read(f"jobs/{NAME}/code/request.json")) == upload.body["request"]
    card = json.loads(storage.read(f"cards/jobs/{NAME}.json"))
    assert {**card, "created": None} == {**upload.body["card"], "created": None}
    assert len([one for one in there.aws.requests if one.operation.startswith("Create")]) == 1


def test_a_status_tells_all_and_the_numbers_to_their_last_digit(there) -> None:
    asked = there.start(TRAINS, **MODEL, metrics=("auc",), parameters={"n": 1, "on": True})
    assert (asked.state, asked.resource, asked.hash) == (JobState.QUEUED, "jobs.train", HASH)
    done = there.over()
    assert done.state is JobState.SUCCEEDED
    assert done.metrics == {"auc": 0.123456789012}
    assert done.parameters == {"n": 1, "on": True}
    assert (done.resource, done.project, done.hash, done.exit_code) == ("jobs.train", "flights", HASH, 0)
    assert done.outputs == {"model": PLACES.uri(f"jobs/{NAME}/output/model")}
    assert f"jobs/{NAME}/output/model/model.txt" in there.objects("jobs")
    (listed,) = there.jobs.list("flights")
    assert (listed.name, listed.resource, listed.hash, listed.state) == (NAME, "jobs.train", HASH, done.state)
    assert tuple(there.jobs.list("flight")) == ()


def test_a_job_that_is_there_is_not_made_twice_and_one_that_failed_is_made_anew(there) -> None:
    there.start(FAILS, **MODEL)
    with pytest.raises(AlreadyExistsError):
        there.start(FAILS, **MODEL)
    failed = there.over()
    assert (failed.state, failed.exit_code) == (JobState.FAILED, 4)
    assert "before" in failed.tail
    there.start(TRAINS, **MODEL)
    assert f"jobs/{NAME}/output/data/_cloudml/status.json" not in there.objects("jobs")
    assert f"checkpoints/{NAME}/seen" in there.objects("checkpoints")
    assert there.over().state is JobState.SUCCEEDED
    assert "before" not in there.logs.read("jobs", NAME, "").lines
    with pytest.raises(AlreadyExistsError):
        there.start(TRAINS, **MODEL)


def test_of_many_who_start_a_failed_job_anew_one_does(there) -> None:
    there.start(FAILS, **MODEL)
    there.over()
    made, refused = [], []
    resource = job(there.root, text=TRAINS, **MODEL)

    def again() -> None:
        try:
            made.append(there.jobs.create(resource, SILENT))
        except AlreadyExistsError as error:
            refused.append(error)

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    assert there.over().state is JobState.SUCCEEDED


def test_a_run_as_the_other_kind_has_the_same_name(there) -> None:
    there.start(outputs=("clean",))
    with pytest.raises(AlreadyExistsError):
        there.start(outputs=("clean",), spot=True)
    assert there.sent("sagemaker:CreateTrainingJob") == []


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure"])
def test_what_passes_is_asked_again(there, code: str) -> None:
    status = 500 if code == "InternalFailure" else 400
    fault = there.aws.faults.refuse("sagemaker:CreateTrainingJob", code, "wait", status=status)
    there.start(TRAINS, **MODEL)
    assert fault.struck == 1
    assert there.over().state is JobState.SUCCEEDED


def test_an_answer_that_was_lost_is_a_job_that_was_made(there) -> None:
    there.aws.faults.happen("lose", "sagemaker:CreateTrainingJob")
    with pytest.raises(AlreadyExistsError):
        there.start(TRAINS, **MODEL)
    assert there.over().state is JobState.SUCCEEDED
    assert len(tuple(there.jobs.list("flights"))) == 1


def test_a_quota_is_not_asked_twice_and_nothing_is_left(there) -> None:
    words = "The account-level service limit 'ml.m5.large for training job usage' is 0 Instances"
    fault = there.aws.faults.refuse("sagemaker:CreateTrainingJob", "ResourceLimitExceeded", words, times=None)
    with pytest.raises(QuotaExceededError, match=r"ml\.m5\.large") as caught:
        there.start(TRAINS, **MODEL)
    assert fault.struck == 1
    assert "Service Quotas" in caught.value.hint
    assert there.objects() == set()
    there.aws.faults.clear()
    there.start(TRAINS, **MODEL)
    assert there.over().state is JobState.SUCCEEDED


def test_a_refusal_does_not_take_away_what_somebody_else_has_started(there) -> None:
    there.start(TRAINS, **MODEL)
    there.aws.faults.refuse("sagemaker:DescribeTrainingJob", "ValidationException", "Requested resource not found.")
    there.aws.faults.refuse("sagemaker:CreateTrainingJob", "ResourceLimitExceeded", "service limit is 1 Instances")
    with pytest.raises(QuotaExceededError):
        there.start(TRAINS, **MODEL)
    assert there.over().state is JobState.SUCCEEDED


def test_a_lack_of_machines_is_told_with_what_to_do(there) -> None:
    there.aws.faults.domain("capacity")
    there.start(TRAINS, **MODEL)
    failed = there.over()
    assert failed.state is JobState.FAILED
    assert "capacity" in failed.reason
    assert "another machine" in failed.reason
    there.start(TRAINS, **MODEL)
    assert there.over().state is JobState.SUCCEEDED


def test_a_spot_job_that_was_reclaimed_goes_on_from_its_checkpoints(there) -> None:
    there.aws.faults.domain("spot", line="step 0")
    there.start(STEPS, **MODEL, spot=True, metrics=("resumed",))
    done = there.over()
    assert done.state is JobState.SUCCEEDED
    assert done.metrics == {"resumed": 1}
    assert "begins with 1" in there.logs.read("jobs", NAME, "").lines


def test_a_run_that_failed_leaves_its_checkpoints_to_the_next(there) -> None:
    there.start("from cloudml import runtime\n(runtime.job().checkpoints / '0').write_text('x')\n1 / 0\n", **MODEL)
    assert there.over().state is JobState.FAILED
    there.start(STEPS, **MODEL)
    assert there.over().metrics == {"resumed": 1}


def test_a_missing_permission_names_the_action(there) -> None:
    words = "User: x is not authorized to perform: sagemaker:CreateTrainingJob on resource: y"
    there.aws.faults.refuse("sagemaker:CreateTrainingJob", "AccessDeniedException", words, status=400)
    with pytest.raises(PermissionDeniedError, match="sagemaker:CreateTrainingJob") as caught:
        there.start(TRAINS, **MODEL)
    assert caught.value.hint
    assert there.objects() == set()


def test_a_session_that_is_over_asks_to_sign_in(there) -> None:
    there.aws.faults.refuse("sagemaker:*", "ExpiredTokenException", "The security token is expired", times=None)
    with pytest.raises(AuthenticationError) as caught:
        there.start(TRAINS, **MODEL)
    assert "sign in" in caught.value.hint


def test_a_job_that_no_index_shows_yet_is_listed(there) -> None:
    there.aws.faults.domain("lag", times=None)
    there.start(TRAINS, **MODEL)
    (listed,) = there.jobs.list("flights")
    assert (listed.name, listed.resource) == (NAME, "jobs.train")
    there.over()
    (listed,) = there.jobs.list("flights")
    assert listed.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("fault", "first"),
    [("s3:PutObject", 1), ("s3:PutObject", 3), ("s3:CopyObject", 1), ("s3:CopyObject", 3),
     ("sagemaker:CreateTrainingJob", 1)],
)  # fmt: skip
def test_what_was_interrupted_is_found_finished_and_removed(there, fault: str, first: int) -> None:
    there.aws.faults.refuse(fault, "AccessDenied", status=403, first=first, times=None)
    with suppress(CloudMLError):
        there.start(TRAINS, **MODEL)
    there.aws.faults.clear()
    for status in there.jobs.list("flights"):
        assert (status.state, status.reason) == (JobState.UNKNOWN, NOT_STARTED)
    with pytest.raises(NotFoundError):
        there.jobs.get(NAME)
    there.start(TRAINS, **MODEL)
    assert there.over().state is JobState.SUCCEEDED
    there.jobs.delete(NAME)
    assert there.objects() == set()


def test_code_that_was_sent_and_never_started_goes_when_the_project_does(there) -> None:
    there.aws.faults.happen("drop", "sagemaker:CreateTrainingJob", times=None)
    with pytest.raises(UnavailableError):
        there.start(TRAINS, **MODEL)
    there.aws.faults.clear()
    (left,) = there.jobs.list("flights")
    there.jobs.delete(left.name)
    assert there.objects() == set()
    assert tuple(there.jobs.list("flights")) == ()


def test_deleting_goes_on_where_it_was_interrupted_and_leaves_nothing(there) -> None:
    there.start(TRAINS, **MODEL)
    there.over()
    there.start("print('another')\n", name="another", digest="1" * 64)
    there.over("flights-another-1111111111")
    there.aws.faults.happen("drop", "sagemaker:DeleteTrainingJob", times=None)
    with pytest.raises(UnavailableError):
        there.jobs.delete(NAME)
    there.aws.faults.clear()
    assert {one.name for one in there.jobs.list("flights")} == {NAME, "flights-another-1111111111"}
    there.jobs.delete(NAME)
    assert {path.partition("/")[0] for path in there.objects()} >= {"blobs", "jobs"}
    there.jobs.delete("flights-another-1111111111")
    assert there.objects() == set()
    assert there.logs.read("jobs", NAME, "").lines == ()


def test_cancelling_what_has_ended_is_no_error_and_what_never_was_is(there) -> None:
    there.start(TRAINS, **MODEL)
    there.over()
    there.jobs.cancel(NAME)
    with pytest.raises(NotFoundError):
        there.jobs.cancel("nobody")
    there.jobs.delete("nobody")


def test_a_job_made_with_boto3_is_listed_by_its_tags_and_described(there) -> None:
    resource = job(there.root, **MODEL)
    there.jobs.create(resource, SILENT)
    (body,) = there.sent("sagemaker:CreateTrainingJob")
    foreign = {**body, "TrainingJobName": "by-hand", "Tags": [{"Key": "cloudml-project", "Value": "flights"}]}
    there.clients.send("sagemaker:CreateTrainingJob", foreign)
    assert {one.name for one in there.jobs.list("flights")} == {NAME, "by-hand"}
    found = there.over("by-hand")
    assert (found.resource, found.project) == ("jobs.by-hand", "flights")


def test_listing_asks_for_no_job_by_itself(there) -> None:
    for number in range(3):
        there.start(name=f"job{number}", digest=str(number) * 64, outputs=("model",) if number else ())
    before = len(there.aws.requests)
    assert len(tuple(there.jobs.list("flights"))) == 3
    asked = [one.operation for one in there.aws.requests[before:]]
    assert "DescribeTrainingJob" not in asked
    assert "ListTags" not in asked
    assert len(asked) <= 5


def test_the_runs_of_a_monitor_are_no_jobs_of_the_project(there) -> None:
    there.start(outputs=("clean",))
    (body,) = there.sent("sagemaker:CreateProcessingJob")
    tags = [
        {"Key": "cloudml-project", "Value": "flights"},
        {"Key": "cloudml-resource", "Value": "monitors.drift"},
    ]
    there.clients.send("sagemaker:CreateProcessingJob", {**body, "ProcessingJobName": "flights-run-1", "Tags": tags})
    assert [one.name for one in there.jobs.list("flights")] == [NAME]


def test_a_list_of_many_pages_is_whole(there, monkeypatch) -> None:
    monkeypatch.setattr("cloudml_aws.finding.PAGE", 2)
    for number in range(5):
        there.start(name=f"job{number}", digest=str(number) * 64)
    assert len({one.name for one in there.jobs.list("flights")}) == 5


def test_a_refusal_is_told_also_where_what_was_sent_cannot_be_taken_back(there) -> None:
    there.aws.faults.refuse("sagemaker:CreateTrainingJob", "ResourceLimitExceeded", "service limit is 0 Instances")
    there.aws.faults.refuse("s3:Delete*", "AccessDenied", status=403, times=None)
    with pytest.raises(QuotaExceededError):
        there.start(TRAINS, **MODEL)
    (left,) = there.jobs.list("flights")
    assert left.reason == NOT_STARTED


@pytest.mark.parametrize("outputs", [("model",), ("clean",)])
def test_every_machine_knows_the_others_and_keeps_its_own_record(there, outputs: tuple) -> None:
    text = "from cloudml import runtime\njob = runtime.job()\nprint(job.current_host, 'of', *job.hosts)\n"
    there.start(text, outputs=outputs, nodes=2)
    assert there.over().state is JobState.SUCCEEDED
    assert set(there.logs.read("jobs", NAME, "").lines) == {
        "algo-1 of algo-1 algo-2",
        "[algo-2] algo-2 of algo-1 algo-2",
    }
    record = f"jobs/{NAME}/output/data/_cloudml"
    assert {f"{record}/status.json", f"{record}/hosts/algo-2/status.json"} <= there.objects("jobs")
