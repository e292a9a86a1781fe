"""What a program reads: one document, or a stream whose last line is `done`; also when it goes wrong."""

from __future__ import annotations

import pytest

ONE_ANSWER = {
    "validate": "ok",
    "plan": "steps",
    "status": "resources",
    "schema": "properties",
    "dataset push iris": "hash",
    "dataset show iris": "uri",
    "job run train": "metrics",
    "job run train --detach": "metrics",
    "job run prepare --in-process": "outputs",
    "job show train": "state",
    "job wait train": "state",
    "job cancel train": "asked_to_stop",
    "model show species": "version",
    "endpoint deploy species": "url",
    "endpoint show species": "url",
    "endpoint invoke species --rows []": "predictions",
    "endpoint invoke species --rows [{ROW}] --accept text/csv": "content_type",
    "monitor create drift": "verdict",
    "monitor delete drift": "deleted",
    "job delete evaluate": "deleted",
}
ROW = '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'
LISTS = ("dataset list", "job list", "model list", "endpoint list", "monitor list", "provider list")


def test_a_command_with_one_answer_prints_one_document(shell) -> None:
    assert shell("up", "-q").code == 0
    for line, key in ONE_ANSWER.items():
        done = shell(*line.replace("ROW", ROW[1:-1]).split(), "--json")
        assert (line, done.code) == (line, 0)
        assert key in done.json, line
    for line in LISTS:
        done = shell(*line.split(), "--json")
        assert (line, done.code) == (line, 0)
        assert isinstance(done.json, list), line


@pytest.mark.parametrize("line", ["up", "down --yes", "rehearse", "job logs train", "endpoint logs species"])
def test_an_error_before_the_first_event_is_the_last_line_of_the_stream(shell, line: str) -> None:
    (shell.folder / "cloudml.yaml").write_text("project: [")
    done = shell(*line.split(), "--json")
    (last,) = done.lines
    assert (done.code, last["event"], last["ok"], last["error"]["type"]) == (2, "done", False, "SpecError")


@pytest.mark.parametrize("line", ["plan", "validate", "status", "job run train", "monitor run drift"])
def test_an_error_of_a_command_with_one_answer_is_one_document(shell, line: str) -> None:
    (shell.folder / "cloudml.yaml").write_text("project: [")
    done = shell(*line.split(), "--json")
    assert (done.code, set(done.json), done.json["error"]["type"]) == (2, {"error"}, "SpecError")


def test_a_command_line_that_cannot_be_read_is_a_document_too(empty) -> None:
    wrong = empty("pln", "--json")
    assert (wrong.code, wrong.json["error"]["hint"]) == (2, "did you mean `cloudml plan`?")
    option = empty("up", "--nonsense", "--json")
    assert (option.code, option.lines[-1]["event"], option.lines[-1]["error"]["type"]) == (2, "done", "NoSuchOption")
    for done in (wrong, option):
        assert "error: " in done.err


def test_what_a_job_prints_in_this_process_stays_out_of_the_document(shell) -> None:
    done = shell("job", "run", "prepare", "--in-process", "--json")
    assert (done.code, "train: 120 flowers" in done.out) == (0, False)
    assert done.json["resource"] == "jobs.prepare"
    assert "train: 120 flowers" in shell("job", "run", "prepare", "--in-process").out
