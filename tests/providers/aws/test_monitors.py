from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from watching import PLACES, SETTINGS, resource

from cloudml.clouds.monitors import failed, lift
from cloudml.errors import SpecError, UnsupportedError
from cloudml.plan import Call
from cloudml.status import JobState, State, Verdict
from cloudml_aws import analysing, monitors, requests, schedules
from cloudml_aws.clients import Clients, service_model
from cloudml_aws.names import native

RUN = "d32c5kddcf5bb8c3"
LONGEST_RUN = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"


def card(settings=SETTINGS, **changes) -> dict:
    return monitors.lower(resource(**changes), PLACES, settings)


def problems(body: dict) -> list[str]:
    return list(requests.problems(service_model("sagemaker"), "CreateProcessingJob", body))


def test_the_request_of_a_run_is_one_that_the_service_takes() -> None:
    everything = SETTINGS.model_copy(
        update={"subnets": ("subnet-0a",), "security_groups": ("sg-0a",), "kms_key": "alias/x", "tags": {"team": "ml"}}
    )
    for settings in (SETTINGS, everything):
        body = analysing.once(card(settings)["job"], RUN)
        assert problems(body) == []
    assert body["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == "alias/x"
    assert body["NetworkConfig"]["VpcConfig"] == {"SecurityGroupIds": ["sg-0a"], "Subnets": ["subnet-0a"]}


def test_names_stay_good_with_the_longest_of_everything() -> None:
    long = card(label="a" * 31, project="p" * 31)
    for run in (RUN, LONGEST_RUN):
        assert problems(analysing.once(long["job"], run)) == []
    assert analysing.stem(native(resource("a" * 31, "p" * 31).identity)).startswith("p" * 17)


def test_the_runs_of_one_monitor_are_not_taken_for_those_of_another() -> None:
    assert not f"{analysing.stem('flights-drift-2')}-{RUN}".startswith(f"{analysing.stem('flights-drift')}-")


def test_the_schedule_is_one_that_the_scheduler_takes_and_sends_the_same_request() -> None:
    found = card(schedule="0 * * * *")
    call = Call("scheduler:CreateSchedule", found["schedule"])
    assert list(requests.problems(service_model("scheduler"), "CreateSchedule", call.body)) == []
    assert json.loads(found["schedule"]["Target"]["Input"]) == found["job"]
    assert found["schedule"]["ScheduleExpression"] == "cron(0 * * * ? *)"
    sent = found["schedule"]["Target"]["Input"].replace(schedules.EXECUTION, RUN)
    assert problems(json.loads(sent.replace(schedules.SCHEDULED, "2026-03-01T10:00:00Z"))) == []
    assert not re.search(r"<(?!aws\.scheduler\.(execution-id|scheduled-time)>)", found["schedule"]["Target"]["Input"])


def test_the_scheduler_takes_on_the_role_that_is_meant_for_it() -> None:
    own = SETTINGS.model_copy(update={"scheduler_role_arn": "arn:aws:iam::111122223333:role/clock"})
    assert card(own, schedule="0 * * * *")["schedule"]["Target"]["RoleArn"].endswith("/clock")
    assert card(schedule="0 * * * *")["schedule"]["Target"]["RoleArn"] == SETTINGS.role_arn


def test_a_run_that_was_asked_for_carries_its_times_and_no_word_of_the_scheduler() -> None:
    since, until = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    body = analysing.once(card()["job"], RUN, since, until)
    assert body["Environment"] == {
        "CLOUDML_RUN": RUN, "CLOUDML_SINCE": "2026-03-01T00:00:00+00:00", "CLOUDML_UNTIL": "2026-03-02T00:00:00+00:00",
    }  # fmt: skip
    assert "aws.scheduler" not in json.dumps(body)


def test_the_job_reads_this_endpoint_only_and_its_report_lies_with_the_monitor() -> None:
    job = card()["job"]
    places = {one["InputName"]: one["S3Input"]["S3Uri"] for one in job["ProcessingInputs"]}
    assert places["capture"] == "s3://acme-ml/cloudml/flights/capture/flights-delay/"
    assert places["baseline"] == "s3://acme-ml/cloudml/flights/jobs/flights-prepare-1/output/data/train/"
    assert all(uri.endswith("/") for uri in places.values())
    outputs = [one["S3Output"]["S3Uri"] for one in job["ProcessingOutputConfig"]["Outputs"]]
    assert all(uri.startswith("s3://acme-ml/cloudml/flights/monitors/flights-drift/") for uri in outputs)


def test_other_checks_are_another_folder_and_the_same_ones_the_same() -> None:
    assert card()["engine"] == card()["engine"]
    assert card()["engine"] != card(checks=[{"metric": "ks", "max": 0.2}])["engine"]


def test_the_description_is_one_that_the_engine_takes() -> None:
    from cloudml.profile.analysis import _checked
    from cloudml.profile.checks import parse

    told = card(window="6h", checks=[{"metric": "psi", "max": 0.2, "columns": ["carrier"]}])["description"]
    assert parse(_checked(told["analysis"])["checks"])
    assert (told["window_s"], told["analysis"]["format"], told["analysis"]["label"]) == (21600, "sagemaker", "late")


def test_a_schedule_that_aws_cannot_say_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(UnsupportedError):
        card(schedule="0 0 13 * 5")


def test_the_plan_says_what_runs_where_and_what_became_of_the_schedule() -> None:
    told = {note.path: note.text for note in monitors.notes(resource(schedule="30 4 * * 1"))}
    assert "as a processing job on ml." in told["monitors.drift.checks"]
    assert told["monitors.drift.schedule"] == "EventBridge Scheduler: cron(30 4 ? * 2 *), in UTC"


LATEST = {"state": "violated", "ran": "2026-03-01T10:00:00+00:00"}


@pytest.mark.parametrize(
    ("lacking", "latest", "state", "verdict"),
    [
        ("", None, State.READY, None),
        ("", LATEST, State.READY, Verdict.VIOLATED),
        ("its schedule is not set", LATEST, State.UNFINISHED, Verdict.VIOLATED),
    ],
)
def test_a_card_says_how_the_monitor_stands(lacking, latest, state, verdict) -> None:
    status = lift("flights-drift", card(schedule="0 * * * *"), lacking, latest)
    assert (status.state, status.reason, status.verdict) == (state, lacking, verdict)
    assert (status.resource, status.project, status.endpoint) == ("monitors.drift", "flights", "flights-delay")
    assert status.schedule == "0 * * * *"
    assert (status.ran is None) is (latest is None)


def test_every_state_of_a_processing_job_is_known() -> None:
    assert set(service_model("sagemaker").shape_for("ProcessingJobStatus").enum) <= set(monitors.STATES)
    said = {"ProcessingJobName": "x", "ProcessingJobStatus": "SomethingNew"}
    assert monitors.lift_job(said).state is JobState.UNKNOWN


def test_a_failed_run_tells_the_container_s_last_words() -> None:
    said = {
        "ProcessingJobName": "x", "ProcessingJobStatus": "Failed", "FailureReason": "AlgorithmError: exit code: 2",
        "ExitMessage": "error: no column `nothing`\nhint: one of: height",
    }  # fmt: skip
    error = failed("flights-drift", monitors.lift_job(said), monitors.AwsMonitors(Clients(SETTINGS), PLACES).where("x"))
    assert "no column `nothing`" in error.message
    assert "exit code: 2" in error.message
    assert "/aws/sagemaker/ProcessingJobs" in error.hint


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"State": "DISABLED"}, False),
        ({"ScheduleExpression": "cron(1 * * * ? *)"}, False),
        ({"Target": {}}, False),
        ({"Arn": "arn:aws:scheduler:eu-west-1:1:schedule/default/x", "CreationDate": "now"}, True),
    ],
)
def test_a_schedule_is_as_wanted_when_it_does_the_same(change: dict, same: bool) -> None:
    wanted = card(schedule="0 * * * *")["schedule"]
    assert schedules.same(wanted, {**wanted, **change}) is same


def test_the_identity_stands_in_the_tags_of_every_run() -> None:
    tags = {one["Key"]: one["Value"] for one in card()["job"]["Tags"]}
    assert tags["cloudml-project"] == "flights"
    assert tags["cloudml-resource"] == "monitors.drift"


def test_a_request_that_the_service_would_refuse_is_found_before_the_card_is_written() -> None:
    wrong = SETTINGS.model_copy(update={"subnets": ("not a subnet!",), "security_groups": ("sg-0a",)})
    with pytest.raises(SpecError, match="Subnets"):
        monitors.AwsMonitors(Clients(wrong), PLACES).create(replace(resource()))
