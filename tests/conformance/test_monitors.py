from __future__ import annotations

import json
import time

import pytest
from sample import ENDPOINT, MODEL, TABLE, job, monitor

from cloudml.capabilities import Capability
from cloudml.clouds.monitors import CardMonitors
from cloudml.errors import NotFoundError
from cloudml.status import MonitorReport, State, Verdict

LIKE_THE_TABLE = [{"height": height, "weight": height / 2} for height in range(150, 160)] * 20
ELSEWHERE = [{"height": height, "weight": height * 2} for height in range(300, 310)] * 20


@pytest.fixture
def watched(client):
    """A client whose endpoint is watched, and was not asked anything yet."""
    client.datasets.push(TABLE)
    client.adopt("jobs", job())
    client.adopt("models", MODEL)
    client.adopt("endpoints", ENDPOINT)
    client.monitors.create(monitor())
    return client


def run_until(client, rows: int) -> MonitorReport:
    """Run the monitor until the capture, which trails the answers, has that many rows."""
    deadline = time.monotonic() + 60
    while (report := client.monitors.run("drift")).rows < rows:
        assert time.monotonic() < deadline, f"only {report.rows} of {rows} rows were captured"
    return report


@pytest.mark.needs(Capability.MONITOR_CHECKS)
def test_a_monitor_has_no_report_before_its_first_run_which_says_that_there_is_no_data(client, watched) -> None:
    with pytest.raises(NotFoundError):
        watched.monitors.report("drift")
    report = watched.monitors.run("drift")
    assert report.state is Verdict.NO_DATA
    assert report.rows == 0
    assert watched.monitors.get("drift").verdict is Verdict.NO_DATA


@pytest.mark.needs(Capability.MONITOR_CHECKS, Capability.ENDPOINT_CAPTURE)
def test_traffic_like_the_baseline_is_well(client, watched) -> None:
    watched.endpoints.invoke("scale", LIKE_THE_TABLE)
    report = run_until(watched, 200)
    assert (report.state, report.rows, report.baseline_rows) == (Verdict.OK, 200, 10)
    assert {(one.column, one.metric) for one in report.checks} >= {("height", "psi"), ("height", "missing")}
    assert not report.violations


@pytest.mark.needs(Capability.MONITOR_CHECKS, Capability.MONITOR_REPORT, Capability.ENDPOINT_CAPTURE)
def test_traffic_unlike_the_baseline_is_a_violation_and_the_report_is_a_page_that_shows_it(client, watched) -> None:
    watched.endpoints.invoke("scale", ELSEWHERE)
    report = run_until(watched, 200)
    assert report.state is Verdict.VIOLATED
    assert {one.column for one in report.violations if one.metric == "psi"} == {"height"}
    assert watched.monitors.get("drift").verdict is Verdict.VIOLATED
    shown = watched.monitors.report("drift")
    assert (shown.state, bool(shown.html)) == (Verdict.VIOLATED, True)


def overstate(monitors, name: str) -> None:
    """Change what a monitor keeps of the instances it saw, so that it shows whether the next run believes it."""
    if isinstance(monitors, CardMonitors):
        storage = monitors.clients.storage(monitors.places.root)
        for one in storage.list(f"{monitors.places.monitor(name)}/kept"):
            storage.write(one.path, overstated(storage.read(one.path)))
    else:
        for file in (monitors.places.folder("monitors", name) / "kept").iterdir():
            file.write_bytes(overstated(file.read_bytes()))


def overstated(kept: bytes) -> bytes:
    document = json.loads(kept)
    if document.get("features", {}).get("rows") == len(LIKE_THE_TABLE):
        document["features"]["rows"] += 1_000
    return json.dumps(document).encode()


@pytest.mark.needs(Capability.MONITOR_CHECKS, Capability.ENDPOINT_CAPTURE)
def test_a_run_takes_from_the_run_before_what_it_knows_of_the_capture(client, watched) -> None:
    watched.endpoints.invoke("scale", LIKE_THE_TABLE)
    run_until(watched, 200)
    overstate(watched.session.provider.monitors, watched.monitors.get("drift").name)
    assert watched.monitors.run("drift").rows == 1_200


@pytest.mark.needs(Capability.MONITOR_SCHEDULE)
def test_a_schedule_is_kept_and_can_be_changed(client, watched) -> None:
    assert watched.monitors.create(monitor(schedule="0 * * * *")).schedule == "0 * * * *"
    changed = watched.monitors.create(monitor(schedule="30 * * * *"))
    assert (changed.state, changed.schedule) == (State.READY, "30 * * * *")
    assert len(watched.monitors.list()) == 1


def test_deleting_twice_is_no_error(client, watched) -> None:
    name = watched.monitors.get("drift").name
    watched.monitors.delete(name)
    watched.monitors.delete(name)
    assert watched.monitors.list() == ()
