from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudml.errors import AlreadyExistsError, NotFoundError
from cloudml.resources import Identity, MonitorResource
from cloudml.specs import MonitorSpec
from cloudml.status import State, Verdict
from cloudml_local.monitors import lift, lift_report, lower
from cloudml_local.schedule import Schedule, due
from cloudml_local.state import new

IDENTITY = Identity(project="demo", resource="monitors.drift", hash="ab" * 32)
NAME = "demo-drift"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SPEC = MonitorSpec(
    name="drift",
    endpoint="endpoints.scale",
    baseline="datasets.table",
    schedule="0 * * * *",
    window="24h",
    checks=({"metric": "psi", "max": 0.2, "columns": ["height"]},),
)
RESOURCE = MonitorResource(spec=SPEC, identity=IDENTITY, endpoint="demo-scale", baseline="/baseline", label="weight")


def test_the_request_is_the_analysers(here) -> None:
    assert lower(RESOURCE, here.state.places) == {
        "name": NAME,
        "endpoint": "demo-scale",
        "schedule": "0 * * * *",
        "window_s": 86400.0,
        "analysis": {
            "monitor": "drift",
            "baseline": ["/baseline"],
            "capture": [str(here.home / "endpoints" / "demo-scale" / "capture")],
            "format": "cloudml",
            "label": "weight",
            "checks": [{"metric": "psi", "max": 0.2, "columns": ["height"], "on": "features"}],
            "kept": str(here.home / "monitors" / NAME / "kept"),
        },
    }


def test_a_monitor_is_lifted_with_what_its_last_run_found() -> None:
    row = new(IDENTITY, NAME, State.READY, {"endpoint": "demo-scale", "schedule": None})
    assert (lift(row).verdict, lift(row).ran, lift(row).schedule) == (None, None, "")
    seen = lift(row.with_facts(verdict="violated", ran=NOON.isoformat()))
    assert (seen.verdict, seen.ran) == (Verdict.VIOLATED, NOON)


def test_a_report_is_lifted_and_more_that_it_says_is_left_alone() -> None:
    check = {"column": "a", "metric": "psi", "value": None, "max": 0.2, "violated": False, "more": 1}
    said = {"monitor": "drift", "state": "ok", "rows": 3, "baseline_rows": 10, "checks": [check], "absent": []}
    report = lift_report(said, NOON, "/page.html")
    assert (report.state, report.rows, report.baseline_rows, report.ran) == (Verdict.OK, 3, 10, NOON)
    assert report.checks[0].value is None
    assert report.html == "/page.html"


def test_a_monitor_is_kept_changed_and_removed(here) -> None:
    monitors = here.provider.monitors
    assert monitors.create(RESOURCE).state is State.READY
    with pytest.raises(AlreadyExistsError):
        monitors.create(RESOURCE)
    changed = RESOURCE.spec.model_copy(update={"schedule": None})
    other = Identity(project="demo", resource="monitors.drift", hash="cd" * 32)
    resource = MonitorResource(spec=changed, identity=other, endpoint="demo-scale", baseline="/b")
    updated = monitors.update(resource)
    assert (updated.hash, updated.schedule) == ("cd" * 32, "")
    with pytest.raises(NotFoundError, match="has not run"):
        monitors.report(NAME)
    monitors.delete(NAME)
    monitors.delete(NAME)
    assert list(monitors.list("demo")) == []


@pytest.mark.parametrize(
    ("schedule", "since", "now", "expected"),
    [
        ("0 * * * *", timedelta(minutes=-1), timedelta(0), True),
        ("0 * * * *", timedelta(0), timedelta(minutes=59), False),
        ("0 * * * *", timedelta(0), timedelta(minutes=60), True),
        ("30 4 * * *", timedelta(0), timedelta(hours=16), False),
        ("30 4 * * *", timedelta(0), timedelta(hours=16, minutes=30), True),
    ],
)
def test_a_schedule_is_due_when_its_moment_has_come(schedule, since, now, expected: bool) -> None:
    assert due(schedule, NOON + since, NOON + now) is expected


class Clock:
    def __init__(self) -> None:
        self.time = NOON + timedelta(minutes=30)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **by: float) -> None:
        self.time += timedelta(**by)


class Recorded(Schedule):
    """A schedule that writes down what it would start."""

    def _start(self, name: str) -> None:
        started.append((name, self.now()))


started: list[tuple[str, datetime]] = []


def test_a_monitor_runs_once_at_each_of_its_moments_and_only_for_its_endpoint(here) -> None:
    started.clear()
    here.provider.monitors.create(RESOURCE)
    clock = Clock()
    mine, other = Recorded(here.state, "demo-scale", clock), Recorded(here.state, "demo-other", clock)
    for _ in range(24 * 4):
        mine.tick()
        other.tick()
        mine.tick()
        clock.forward(minutes=15)
    assert [moment.hour for _, moment in started] == [*range(13, 24), *range(13)]
    assert {moment.minute for _, moment in started} == {0}


def test_a_changed_schedule_counts_from_the_change_and_a_missed_moment_is_not_made_up_for(here) -> None:
    started.clear()
    here.provider.monitors.create(RESOURCE)
    clock = Clock()
    schedule = Recorded(here.state, "demo-scale", clock)
    schedule.tick()
    clock.forward(hours=5)
    assert schedule.tick() == [NAME]
    here.provider.monitors.update(
        MonitorResource(
            spec=SPEC.model_copy(update={"schedule": "15 * * * *"}),
            identity=IDENTITY,
            endpoint="demo-scale",
            baseline="/b",
        )
    )
    clock.forward(hours=3)
    assert schedule.tick() == []
    clock.forward(minutes=50)
    assert schedule.tick() == [NAME]
    assert len(started) == 2
