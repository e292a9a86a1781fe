from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sample import ENDPOINT, MODEL, TABLE, job, monitor, script

from cloudml.errors import CloudMLError, GateError, RunFailedError, UnsupportedError
from cloudml.events import Event, Happened
from cloudml.graph import Action
from cloudml.specs import JobSpec, ProjectSpec


def project(**changes) -> ProjectSpec:
    sections = {
        "datasets": {"table": TABLE},
        "jobs": {"train": job()},
        "models": {"scale": MODEL},
        "endpoints": {"scale": ENDPOINT},
        "monitors": {"drift": monitor()},
    }
    return ProjectSpec(project="conform", **{**sections, **changes})


@pytest.fixture
def session(client):
    """The whole project, nothing of it there yet."""
    return replace(client.session, spec=project())


def test_everything_is_brought_into_being_and_then_nothing_is_left_to_do(client, session) -> None:
    assert {step.action for step in session.plan().steps} == {Action.CREATE}
    result = session.up()
    assert set(result.statuses) == {
        "datasets.table", "jobs.train", "models.scale", "endpoints.scale", "monitors.drift",
    }  # fmt: skip
    assert result.reused == frozenset()
    assert result.metrics["jobs.train.mean"] == 77.25
    assert session.plan().changes == ()
    again = session.up()
    assert again.reused == set(again.statuses)
    assert {name: one.name for name, one in again.statuses.items()} == {
        name: one.name for name, one in result.statuses.items()
    }


def test_only_what_changed_and_what_leans_on_it_is_done_again(client, session) -> None:
    session.up()
    changed = replace(session, spec=project(jobs={"train": job(parameters={"factor": 2})}))
    actions = {step.reference: step.action for step in changed.plan().steps}
    assert actions == {
        "datasets.table": Action.REUSE,
        "jobs.train": Action.CREATE,
        "models.scale": Action.CREATE,
        "endpoints.scale": Action.UPDATE,
        "monitors.drift": Action.REUSE,
    }
    assert changed.up().reused == {"datasets.table", "monitors.drift"}
    assert changed.plan().changes == ()


def test_a_part_brings_what_it_leans_on_and_no_more(client, session) -> None:
    assert set(session.up(("models.scale",)).statuses) == {"datasets.table", "jobs.train", "models.scale"}
    assert client.endpoints.list() == ()


def test_a_gate_that_is_not_met_deploys_nothing(client, session) -> None:
    strict = MODEL.model_copy(update={"require": {"jobs.train.mean": project_threshold(">= 100")}})
    with pytest.raises(GateError):
        replace(session, spec=project(models={"scale": strict})).up()
    assert client.models.list() == ()
    assert client.endpoints.list() == ()
    assert client.jobs.get("train").state.good


def project_threshold(text: str):
    from cloudml.units import threshold

    return threshold(text)


def test_what_does_not_lean_on_a_failure_is_still_done(client, session) -> None:
    (session.root / "fails.py").write_text("raise SystemExit(7)\n")
    events: list[Event] = []
    broken = project(jobs={"train": job(), "fails": script("fails.py", outputs=("x",)), "after": after()})
    with pytest.raises(RunFailedError, match=r"jobs\.fails"):
        replace(session, spec=broken).up(listener=events.append)
    assert client.endpoints.get("scale").state.good
    assert [one.resource for one in events if one.event is Happened.SKIPPED] == ["jobs.after"]
    assert [one.resource for one in client.jobs.list() if one.resource == "jobs.after"] == []


def after() -> JobSpec:
    return JobSpec(name="after", script="train.py", inputs={"table": "jobs.fails.x"}, outputs=("model",))


def test_two_at_the_same_moment_make_one_of_each(client, session) -> None:
    outcomes: list[dict[str, str]] = []
    errors: list[CloudMLError] = []

    def up() -> None:
        try:
            result = replace(session).up()
        except CloudMLError as error:
            errors.append(error)
        else:
            outcomes.append({reference: status.name for reference, status in result.statuses.items()})

    threads = [threading.Thread(target=up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(outcomes) == 2
    assert outcomes[0] == outcomes[1]
    assert len(session.status()) == 5


def test_down_removes_everything_and_leaves_no_residue(client, session) -> None:
    session.up()
    result = session.down()
    assert result.clean
    assert {one.resource for one in result.removed} == set(dict(session.spec.resources()))
    assert session.status() == ()
    assert session.down().removed == ()


def test_down_also_finds_what_the_file_no_longer_mentions(client, session) -> None:
    session.up()
    result = replace(session, spec=ProjectSpec(project="conform")).down()
    assert len(result.removed) == 5


def test_another_project_is_left_alone(client, session) -> None:
    session.up(("jobs.train",))
    assert replace(session, spec=ProjectSpec(project="somebody-else")).down().removed == ()
    assert len(session.status()) == 2


def test_nothing_is_sent_for_a_project_that_cannot_be_carried_out_whole(client, session) -> None:
    from cloudml.capabilities import Capability

    if client.target.plugin.capabilities[Capability.JOB_NODES]:
        return
    with pytest.raises(UnsupportedError) as caught:
        replace(session, spec=project(jobs={"train": job(nodes=2)})).up()
    assert caught.value.path == "jobs.train.nodes"
    assert session.status() == ()
