"""Every state of the contract has one of ours, and none is over that is not."""

from __future__ import annotations

import pytest

from cloudml.runtime.record import Record
from cloudml.status import JobState
from cloudml_gcp.states import STATES, Told, lift
from cloudml_gcp.wire.routes import contract


def test_the_table_has_every_state_of_the_contract() -> None:
    assert set(STATES) == set(contract()["enums"]["JobState"])


def job(state: str, **more):
    labels = {"cloudml-id": "f-train-1", "cloudml-project": "f", "cloudml-resource": "jobs_train"}
    return {"name": "projects/1/locations/l/customJobs/7", "state": state, "labels": labels, **more}


def test_a_state_that_nobody_knows_is_not_over() -> None:
    assert lift(job("JOB_STATE_DREAMING"), Told()).state is JobState.UNKNOWN


def test_labels_tell_whose_a_job_is() -> None:
    status = lift(job("JOB_STATE_RUNNING"), Told())
    assert (status.name, status.project, status.resource) == ("f-train-1", "f", "jobs.train")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": 8, "message": "quota metrics exceed quota limits"}, "ask for more"),
        ({"code": 9, "message": "Resources are insufficient in region: europe-west4."}, "choose another machine"),
        ({"code": 3, "message": "workerpool0-0 exited with a non-zero status of 3."}, "status of 3"),
    ],
)
def test_a_failure_says_why_and_what_to_do(error: dict, said: str) -> None:
    assert said in lift(job("JOB_STATE_FAILED", error=error), Told()).reason


def test_the_exit_code_is_read_from_the_reason() -> None:
    error = {"code": 3, "message": "The replica workerpool0-0 exited with a non-zero status of 3."}
    assert lift(job("JOB_STATE_FAILED", error=error), Told()).exit_code == 3


def test_the_driver_knows_that_the_time_was_up() -> None:
    record = Record("", state="timed_out", reason="stopped after 5 s")
    assert lift(job("JOB_STATE_FAILED"), Told(record=record)).state is JobState.TIMED_OUT


def test_a_job_that_waits_says_since_when() -> None:
    assert "2026-11-25T10:00:00Z" in lift(job("JOB_STATE_QUEUED", createTime="2026-11-25T10:00:00Z"), Told()).reason
