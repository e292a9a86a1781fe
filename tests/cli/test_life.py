"""The life of the starter project, command by command."""

from __future__ import annotations

import json
import time

import pytest

import cloudml

RESOURCES = {
    "datasets.iris", "jobs.prepare", "jobs.train", "jobs.evaluate", "models.species", "endpoints.species",
    "monitors.drift",
}  # fmt: skip


def test_the_whole_life_in_json(shell) -> None:
    assert shell("validate", "--json").json["ok"] is True
    plan = shell("plan", "--json").json
    assert {step["resource"]: step["action"] for step in plan["steps"]} == dict.fromkeys(RESOURCES, "create")
    assert all(step["requests"] for step in plan["steps"])

    *events, last = shell("up", "--json").lines
    assert {event["resource"] for event in events} == RESOURCES
    assert (last["event"], last["ok"], last["target"]) == ("done", True, "local")
    assert set(last["resources"]) == RESOURCES
    endpoint = last["resources"]["endpoints.species"]
    assert (endpoint["state"], endpoint["reused"]) == ("ready", False)
    assert endpoint["url"].startswith("http://127.0.0.1:")
    assert last["metrics"]["jobs.evaluate.accuracy"] > 0.9

    assert {one["resource"] for one in shell("status", "--json").json["resources"]} == RESOURCES
    again = shell("up", "--json").lines[-1]
    assert all(one["reused"] for one in again["resources"].values())

    answer = shell("endpoint", "invoke", "species", "--file", "rows.json")
    assert answer.json == {"predictions": ["setosa", "virginica"]}
    assert_watched(shell)
    (shell.folder / "rows.json").write_text("[]")  # another sample, and the page of the report: neither is code
    assert {step["action"] for step in shell("plan", "--json").json["steps"]} == {"reuse"}
    gone = shell("down", "--yes", "--json").lines[-1]
    assert (gone["event"], gone["ok"], gone["residue"]) == ("done", True, [])
    assert {one["resource"] for one in gone["removed"]} == RESOURCES
    assert shell("status", "--json").json["resources"] == []


def assert_watched(shell) -> None:
    """A monitor run prints what the design says, and its report is a page with drawings."""
    report = watched(shell)
    assert set(report) == {"monitor", "state", "rows", "baseline_rows", "checks"}
    assert set(report["checks"][0]) == {"column", "metric", "value", "max", "violated"}
    page = shell.folder / "page.html"
    assert shell("monitor", "report", "drift", "--html", str(page)).code == 0
    assert "<svg" in page.read_text()


def test_rows_come_from_a_file_an_argument_or_a_pipe(shell) -> None:
    shell("up", "-q")
    rows = (shell.folder / "rows.json").read_text()
    asked = [
        shell("endpoint", "invoke", "species", "--file", "rows.json"),
        shell("endpoint", "invoke", "species", "--rows", rows),
        shell("endpoint", "invoke", "species", text=rows),
    ]
    assert [one.json for one in asked] == [{"predictions": ["setosa", "virginica"]}] * 3


def watched(shell) -> dict:
    """The monitor's report once it has seen the rows; the capture trails the answers."""
    shell("endpoint", "invoke", "species", "--file", "data/iris.csv")
    deadline = time.monotonic() + 120
    while (report := shell("monitor", "run", "drift", "--json").json)["rows"] < 150:
        assert time.monotonic() < deadline
    return report


def test_every_noun_lists_and_shows(shell) -> None:
    shell("up", "-q")
    for noun, name in {"dataset": "iris", "job": "train", "model": "species", "endpoint": "species"}.items():
        listed = shell(noun, "list", "--json").json
        assert name in {one["resource"].partition(".")[2] for one in listed}
        shown = shell(noun, "show", name, "--json").json
        assert shown["name"] in shell(noun, "list").out
        assert "native" not in shown
    assert "drift" in shell("monitor", "list").out
    assert "learned 3 species" in shell("job", "logs", "train").out
    read = cloudml.load(shell.folder).client().logs.read
    assert list(read("jobs.train")) == shell("job", "logs", "train").out.splitlines()
    with pytest.raises(cloudml.SettingsError, match=r"`models\.species` prints nothing"):
        read("models.species")
    lines = shell("job", "logs", "train", "--json").lines
    assert lines[-1] == {"event": "done", "ok": True}


def test_a_job_is_run_in_this_process_and_by_hand(shell) -> None:
    done = shell("job", "run", "prepare", "--in-process")
    assert (done.code, "train: 120 flowers" in done.out + done.err) == (0, True)


def test_a_dataset_is_pushed_and_deleted_twice(shell) -> None:
    assert shell("dataset", "push", "iris", "--json").json["files"] == 1
    full = shell("dataset", "show", "iris", "--json").json["name"]
    assert full in shell("dataset", "delete", "iris").err  # which of several versions it was
    assert shell("dataset", "delete", "iris", "--json").json == {"name": "iris", "deleted": True}
    assert shell("dataset", "list", "--json").json == []


def test_a_rehearsal_leaves_nothing_behind(shell) -> None:
    last = shell("rehearse", "--json").lines[-1]
    assert (last["ok"], last["residue"]) == (True, [])
    assert last["answers"]["endpoints.species"]["predictions"] == ["setosa", "virginica"]
    assert last["metrics"]["jobs.evaluate.accuracy"] > 0.9
    assert shell("status", "--json").json["resources"] == []


def test_a_job_can_be_started_and_waited_for(shell) -> None:
    assert shell("job", "run", "train", "--detach", "--json").json["resource"] == "jobs.train"
    assert shell("job", "wait", "train", "--json").json["state"] == "succeeded"
    assert shell("job", "cancel", "train").code == 0


def test_init_writes_a_project_once(empty) -> None:
    written = empty("init", "a project", "--json").json
    assert json.loads(empty("validate", "-C", "a project", "--json").out)["project"] == "a-project"
    assert len(written["files"]) >= 6
    again = empty("init", "a project")
    assert (again.code, "nothing was written" in again.err) == (2, True)
