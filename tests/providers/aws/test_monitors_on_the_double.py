from __future__ import annotations

import json
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from watching import PLACES, SETTINGS, resource

from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, PermissionDeniedError, RunFailedError
from cloudml.graph import Action, judge
from cloudml.progress import SILENT
from cloudml.status import State, Verdict
from cloudml_aws import analysing
from cloudml_aws.clients import Clients
from cloudml_aws.double import KEY, SECRET, double
from cloudml_aws.monitors import AwsMonitors

NAME = "flights-drift"
LIKE = [{"late": 0, "delay": delay} for delay in range(150, 170)]


def there(aws) -> SimpleNamespace:
    """A provider on the double, and the baseline of the monitor."""
    clients = Clients(SETTINGS, endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
    storage = clients.storage(PLACES.root)
    lines = "".join(json.dumps(row) + "\n" for row in LIKE)
    storage.write("jobs/flights-prepare-1/output/data/train/rows.jsonl", lines.encode())
    return SimpleNamespace(aws=aws, clients=clients, storage=storage, monitors=AwsMonitors(clients, PLACES))


@pytest.fixture
def cloud():
    with double(region=SETTINGS.region, bucket=SETTINGS.bucket, role_arn=SETTINGS.role_arn) as aws:
        yield there(aws)


def ask(cloud: SimpleNamespace, shift: int = 0, ago: timedelta = timedelta(0)) -> None:
    """Leave what SageMaker records of a request with twenty rows."""
    moment = cloud.aws.clock.now() - ago
    rows = [{"delay": row["delay"] + shift} for row in LIKE]
    side = {"observedContentType": "application/json", "encoding": "JSON"}
    line = {
        "captureData": {
            "endpointInput": {**side, "mode": "INPUT", "data": json.dumps({"instances": rows})},
            "endpointOutput": {**side, "mode": "OUTPUT", "data": json.dumps({"predictions": [0.0] * len(rows)})},
        },
        "eventMetadata": {"eventId": "1", "inferenceTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")},
        "eventVersion": "0",
    }
    path = f"capture/flights-delay/main/{moment:%Y/%m/%d/%H}/{moment:%M-%S}-{shift}.jsonl"
    cloud.storage.write(path, json.dumps(line).encode() + b"\n")


def run(cloud: SimpleNamespace, **times):
    return cloud.monitors.run(NAME, **{"since": None, "until": None, "progress": SILENT, **times})


def jobs(cloud: SimpleNamespace) -> list[str]:
    listed = cloud.clients.pages("sagemaker:ListProcessingJobs", {}, "ProcessingJobSummaries")
    return [one["ProcessingJobName"] for one in listed]


def below(cloud: SimpleNamespace, folder: str) -> list[str]:
    return sorted(one.path for one in cloud.storage.list(folder))


def test_an_endpoint_that_nobody_asked_gives_no_data_and_no_failure(cloud) -> None:
    cloud.monitors.create(resource())
    report = run(cloud)
    assert (report.state, report.rows, report.baseline_rows) == (Verdict.NO_DATA, 0, 20)
    assert cloud.monitors.get(NAME).verdict is Verdict.NO_DATA


def test_a_run_finds_what_the_local_engine_would_find(cloud) -> None:
    cloud.monitors.create(resource())
    ask(cloud)
    assert run(cloud).state is Verdict.OK
    ask(cloud, shift=500)
    report = run(cloud)
    assert (report.state, report.rows) == (Verdict.VIOLATED, 40)
    assert [one.column for one in report.violations] == ["delay"]
    assert report.html.startswith("<!doctype html>")
    assert cloud.monitors.report(NAME) == report


def test_the_engine_came_from_the_wheel_in_the_bucket(cloud) -> None:
    cloud.monitors.create(resource())
    run(cloud)
    names = {path.rpartition("/")[2] for path in below(cloud, f"monitors/{NAME}/engine")}
    assert names >= {"analysis.json", "bootstrap.py", "cloudml_adapters-0.1.0-py3-none-any.whl"}


def test_a_schedule_runs_it_and_the_report_is_the_newest(cloud) -> None:
    cloud.monitors.create(resource(schedule="0 * * * *", window="1h"))
    ask(cloud, shift=500, ago=timedelta(hours=3))
    assert cloud.monitors.get(NAME).verdict is None
    ask(cloud)
    cloud.aws.clock.advance(3600)
    (job,) = jobs(cloud)
    while not cloud.monitors.job(job).state.over:
        cloud.aws.clock.sleep(10)
    assert cloud.monitors.get(NAME).verdict is Verdict.OK
    report = cloud.monitors.report(NAME)
    assert report.rows == 20, "the traffic of three hours ago is outside the window"
    assert report.html


def test_a_moment_in_the_call_wins_over_the_window(cloud) -> None:
    cloud.monitors.create(resource(window="1h"))
    ask(cloud, ago=timedelta(days=2))
    now = cloud.aws.clock.now()
    assert run(cloud).state is Verdict.NO_DATA
    assert run(cloud, since=now - timedelta(days=3)).rows == 20
    assert run(cloud, since=now - timedelta(days=3), until=now - timedelta(days=2, hours=1)).rows == 0


def test_a_run_that_fails_says_the_container_s_last_words(cloud) -> None:
    cloud.monitors.create(resource(checks=[{"metric": "ks", "max": 0.1, "columns": ["nothing"]}]))
    ask(cloud)
    with pytest.raises(RunFailedError, match="nothing") as caught:
        run(cloud)
    assert "/aws/sagemaker/ProcessingJobs" in caught.value.hint
    assert cloud.monitors.get(NAME).verdict is None
    with pytest.raises(NotFoundError, match="has not run"):
        cloud.monitors.report(NAME)


def test_of_two_that_create_it_one_has_made_it(cloud) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            cloud.monitors.create(resource(schedule="0 * * * *"))
            outcomes.append("made")
        except AlreadyExistsError:
            outcomes.append("there")

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "there"]
    assert cloud.monitors.get(NAME).state is State.READY


def test_what_was_interrupted_between_card_and_schedule_is_finished(cloud) -> None:
    wanted = resource(schedule="0 * * * *")
    cloud.aws.faults.refuse("scheduler:CreateSchedule", "AccessDeniedException", status=403)
    with pytest.raises(PermissionDeniedError):
        cloud.monitors.create(wanted)
    status = cloud.monitors.get(NAME)
    assert status.state is State.UNFINISHED
    assert judge(wanted, status) == (Action.FINISH, "its schedule is not set")
    assert cloud.monitors.update(wanted).state is State.READY


def test_a_schedule_that_was_set_without_an_answer_is_not_set_twice(cloud) -> None:
    cloud.aws.faults.happen("lose", "scheduler:CreateSchedule")
    assert cloud.monitors.create(resource(schedule="0 * * * *")).state is State.READY


def test_a_schedule_that_somebody_changed_is_brought_back(cloud) -> None:
    wanted = resource(schedule="0 * * * *")
    cloud.monitors.create(wanted)
    body = schedule_of(cloud)
    cloud.clients.send("scheduler:UpdateSchedule", {**body, "State": "DISABLED"})
    assert cloud.monitors.get(NAME).reason == "its schedule is another one"
    assert cloud.monitors.update(wanted).state is State.READY


def schedule_of(cloud: SimpleNamespace) -> dict:
    said = cloud.clients.send("scheduler:GetSchedule", {"Name": NAME})
    kept = ("Name", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
    return {key: said[key] for key in kept}


def test_a_folder_of_captured_requests_that_was_emptied_is_prepared_again(cloud) -> None:
    cloud.monitors.create(resource())
    cloud.storage.delete("capture/flights-delay")
    assert cloud.monitors.get(NAME).state is State.UNFINISHED
    with pytest.raises(ConflictError, match="not prepared"):
        run(cloud)
    cloud.monitors.update(resource())
    assert run(cloud).state is Verdict.NO_DATA


def test_an_update_is_followed_by_the_next_run_and_earlier_reports_stay(cloud) -> None:
    cloud.monitors.create(resource(schedule="0 * * * *"))
    ask(cloud, shift=500)
    assert run(cloud).state is Verdict.VIOLATED
    reports = below(cloud, f"monitors/{NAME}/runs")
    status = cloud.monitors.update(resource(checks=[{"metric": "psi", "max": 99.0}]))
    assert (status.state, status.schedule, status.verdict) == (State.READY, "", Verdict.VIOLATED)
    with pytest.raises(NotFoundError):
        cloud.clients.send("scheduler:GetSchedule", {"Name": NAME})
    assert run(cloud).state is Verdict.OK
    assert {*below(cloud, f"monitors/{NAME}/runs")} > {*reports}


SELDOM = "0 0 29 2 *"
"""A schedule that does not fire while a test lets time pass."""


def test_deleting_removes_schedule_runs_records_and_files_and_only_its_own(cloud) -> None:
    other = resource("drift-2", schedule=SELDOM)
    cloud.monitors.create(other)
    cloud.monitors.create(resource(schedule=SELDOM))
    run(cloud)
    cloud.monitors.run("flights-drift-2", since=None, until=None, progress=SILENT)
    template = json.loads(cloud.storage.read(f"monitors/{NAME}/monitor.json"))["job"]
    cloud.clients.send("sagemaker:CreateProcessingJob", analysing.once(template, "underway"))
    assert len(jobs(cloud)) == 3
    cloud.monitors.delete(NAME)
    assert jobs(cloud) == [name for name in jobs(cloud) if name.startswith(analysing.stem("flights-drift-2"))]
    assert below(cloud, f"monitors/{NAME}") == []
    assert [path for path in below(cloud, "capture") if "_flights-drift" in path] == [
        "capture/flights-delay/_flights-drift-2"
    ]
    with pytest.raises(NotFoundError):
        cloud.monitors.get(NAME)
    assert [one.name for one in cloud.monitors.list("flights")] == ["flights-drift-2"]
    cloud.monitors.delete(NAME)


def test_a_run_that_is_interrupted_goes_on_and_is_reported_later(cloud) -> None:
    class Impatient:
        def advance(self, done: int, total: int | None, label: str) -> None:
            raise KeyboardInterrupt

    cloud.monitors.create(resource())
    with pytest.raises(KeyboardInterrupt):
        run(cloud, progress=Impatient())
    (job,) = jobs(cloud)
    while not cloud.monitors.job(job).state.over:
        cloud.aws.clock.sleep(10)
    assert cloud.monitors.report(NAME).state is Verdict.NO_DATA
