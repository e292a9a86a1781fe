"""SageMaker's words -> ours: the tables are complete, and every combination is lifted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cloudml.runtime.record import Metric, Record
from cloudml.status import JobState
from cloudml_aws.clients import service_model
from cloudml_aws.kinds import PROCESSING, TRAINING, Kind
from cloudml_aws.states import SECONDARY, STATES, Told, lift, native_state

TAGS = {"cloudml-project": "flights", "cloudml-resource": "jobs.train", "cloudml-hash": "3fa9"}
NOON = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))


def enum(shape: str) -> set[str]:
    return set(service_model("sagemaker").shape_for(shape).enum)


def said(kind: Kind, status: str, **more: Any) -> dict[str, Any]:
    return {f"{kind.noun}Name": "flights-train-1", f"{kind.noun}Status": status, "CreationTime": NOON, **more}


def test_the_tables_know_every_word_of_the_service_model_and_no_other() -> None:
    assert set(STATES) == enum("TrainingJobStatus") | enum("ProcessingJobStatus")
    assert set(SECONDARY) == enum("SecondaryStatus")


@pytest.mark.parametrize("status", sorted(STATES))
@pytest.mark.parametrize("second", ["", *sorted(SECONDARY)])
def test_only_sagemaker_s_own_status_ends_a_job(status: str, second: str) -> None:
    found = native_state(TRAINING, said(TRAINING, status, SecondaryStatus=second))
    assert found.over is (status in {"Completed", "Failed", "Stopped"})
    assert found.good is (status == "Completed")


@pytest.mark.parametrize(
    ("status", "second", "state"),
    [
        ("InProgress", "Starting", JobState.QUEUED),
        ("InProgress", "Pending", JobState.QUEUED),
        ("InProgress", "Downloading", JobState.RUNNING),
        ("InProgress", "Training", JobState.RUNNING),
        ("InProgress", "Interrupted", JobState.QUEUED),
        ("InProgress", "Uploading", JobState.RUNNING),
        ("InProgress", "SomethingNew", JobState.RUNNING),
        ("Stopping", "Stopping", JobState.STOPPING),
        ("Stopped", "Stopped", JobState.CANCELLED),
        ("Stopped", "MaxRuntimeExceeded", JobState.TIMED_OUT),
        ("Stopped", "MaxWaitTimeExceeded", JobState.TIMED_OUT),
        ("Failed", "Failed", JobState.FAILED),
        ("SomethingNew", "Training", JobState.UNKNOWN),
    ],
)
def test_training_jobs(status: str, second: str, state: JobState) -> None:
    assert lift(TRAINING, said(TRAINING, status, SecondaryStatus=second), Told()).state is state


@pytest.mark.parametrize("status", [*sorted(STATES), "SomethingNew"])
def test_processing_jobs(status: str) -> None:
    assert lift(PROCESSING, said(PROCESSING, status), Told()).state is STATES.get(status, JobState.UNKNOWN)


def test_a_processing_job_that_sagemaker_stopped_for_its_length_timed_out() -> None:
    late = said(PROCESSING, "Stopped", ExitMessage="Job exceeded the maximum runtime of 60 seconds")
    assert lift(PROCESSING, late, Told()).state is JobState.TIMED_OUT


@pytest.mark.parametrize("kind", [TRAINING, PROCESSING])
def test_what_the_driver_recorded_counts_more_than_what_sagemaker_made_of_it(kind: Kind) -> None:
    reason = "train.py ended with exit code 3: no such column"
    points = (Metric("auc", 0.1), Metric("auc", 0.123456789))
    times = {"started": "2026-07-01T10:00:00+00:00", "ended": "2026-07-01T10:01:00+00:00"}
    record = Record("", state="failed", exit_code=3, reason=reason, tail="a\nb\n", points=points, **times)
    native = said(kind, "Failed", FailureReason="AlgorithmError: train.py ended, exit code: 3",
                  FinalMetricDataList=[{"MetricName": "auc", "Value": 0.12345679}])  # fmt: skip
    found = lift(kind, native, Told(tags=TAGS, record=record, parameters={"n": 1}, outputs={"model": "s3://b/m"}))
    assert (found.state, found.reason, found.exit_code) == (JobState.FAILED, reason, 3)
    assert found.metrics == {"auc": 0.123456789}
    assert found.tail == ("a", "b")
    assert found.ended - found.started == timedelta(minutes=1)
    assert (found.project, found.resource, found.hash) == ("flights", "jobs.train", "3fa9")
    assert found.created == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert found.native == native


def test_the_driver_knows_that_the_time_was_up() -> None:
    record = Record("", state="timed_out", exit_code=124, reason="waits.py had not ended when its time was up")
    for status in ("Failed", "Stopped"):
        found = lift(TRAINING, said(TRAINING, status), Told(record=record))
        assert (found.state, found.reason) == (JobState.TIMED_OUT, record.reason)
    assert lift(TRAINING, said(TRAINING, "Completed"), Told(record=record)).state is JobState.SUCCEEDED


def test_without_a_record_sagemaker_s_words_and_the_log_are_all_there_is() -> None:
    native = said(TRAINING, "Failed", FailureReason="AlgorithmError: , exit code: 137", TrainingStartTime=NOON,
                  TrainingEndTime=NOON + timedelta(minutes=2),
                  FinalMetricDataList=[{"MetricName": "auc", "Value": 0.5}])  # fmt: skip
    found = lift(TRAINING, native, Told(record=Record(""), tail=("last",)))
    assert (found.exit_code, found.metrics, found.tail) == (137, {"auc": 0.5}, ("last",))
    assert found.ended - found.started == timedelta(minutes=2)


def test_a_lack_of_machines_comes_with_advice() -> None:
    words = "CapacityError: Unable to provision requested ML compute capacity."
    found = lift(TRAINING, said(TRAINING, "Failed", FailureReason=words), Told(record=Record("")))
    assert found.reason.startswith(words)
    assert "another machine" in found.reason


def test_a_job_of_somebody_else_is_told_by_what_sagemaker_knows() -> None:
    native = said(TRAINING, "Completed", ModelArtifacts={"S3ModelArtifacts": "s3://b/x/output/model.tar.gz"})
    found = lift(TRAINING, native, Told())
    assert (found.resource, found.project, found.exit_code) == ("jobs.flights-train-1", "", 0)
    assert found.outputs == {"model": "s3://b/x/output/model.tar.gz"}
