"""Each exit code, reached by a real cause, with a message that says what, which and what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CLOUDML = Path(sys.executable).parent / "cloudml"


def edit(shell, old: str, new: str) -> None:
    file = shell.folder / "cloudml.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_failing_job_ends_with_one_and_its_last_lines(shell) -> None:
    (shell.folder / "train.py").write_text("raise RuntimeError('out of petals')\n")
    done = shell("up")
    assert done.code == 1
    assert "out of petals" in done.err
    assert "hint: `cloudml job logs train`" in done.err
    failed = shell("up", "--json").lines[-1]
    assert (failed["event"], failed["ok"], failed["error"]["type"]) == ("done", False, "RunFailedError")


def test_a_mistake_in_the_file_ends_with_two_and_its_line(shell) -> None:
    edit(shell, "source: jobs.train.model", "source: jobs.train.modle")
    done = shell("plan")
    assert done.code == 2
    line = 1 + (shell.folder / "cloudml.yaml").read_text().splitlines().index("    source: jobs.train.modle")
    assert f"cloudml.yaml:{line}: models.species.source: " in done.err
    assert "jobs.train.model" in done.err.partition("hint")[2]
    error = shell("plan", "--json").json["error"]
    assert (error["path"], error["where"].rpartition(":")[2]) == ("models.species.source", str(line))


def test_several_mistakes_are_told_at_once(shell) -> None:
    edit(shell, "capture: 1.0", "capture: 7")
    edit(shell, "parameters: {shrink: 0.0}", "parametres: {shrink: 0.0}")
    done = shell("validate")
    assert done.code == 2
    assert "error: 2 problems" in done.err
    assert "`parameters`" in done.err


def test_a_wrong_command_line_ends_with_two_and_the_nearest(shell) -> None:
    assert (shell("pln").code, "did you mean `cloudml plan`?" in shell("pln").err) == (2, True)
    assert shell("plan", "--nonsense").code == 2
    for words in ((), ("job",)):  # nothing was asked for: the help, which is no error
        bare = shell(*words)
        assert (bare.code, bare.err.startswith("Usage: "), "error" in bare.err) == (2, True, False)
    assert shell("job", "wait", "train", "--timeout", "soon").code == 2
    unknown = shell("plan", "--on", "locla")
    assert (unknown.code, "`--on local`" in unknown.err) == (2, True)
    missing = shell("job", "run", "trian")
    assert (missing.code, "did you mean `train`?" in missing.err) == (2, True)
    asked = shell("down")
    assert (asked.code, "--yes" in asked.err) == (2, True)


def test_no_project_ends_with_two(empty) -> None:
    done = empty("up")
    assert (done.code, "cloudml init" in done.err) == (2, True)


def test_a_gate_that_is_not_met_ends_with_three_showing_value_and_threshold(shell) -> None:
    edit(shell, '">= 0.8"', '">= 0.999"')
    done = shell("up")
    assert done.code == 3
    assert "0.966667" in done.err
    assert ">= 0.999" in done.err
    there = {one["resource"] for one in shell("status", "--json").json["resources"]}
    assert not {"models.species", "endpoints.species"} & there
    error = shell("up", "--json").lines[-1]["error"]
    assert (error["type"], error["threshold"]) == ("GateError", ">= 0.999")


def test_drift_ends_with_three_and_no_data_with_nought(shell) -> None:
    shell("up", "-q")
    assert shell("monitor", "run", "drift").code == 0
    rows = json.dumps([{"sepal_length": 50, "sepal_width": 30, "petal_length": 40, "petal_width": 20}] * 20)
    assert shell("endpoint", "invoke", "species", "--rows", rows).code == 0
    deadline = time.monotonic() + 30
    while (done := shell("monitor", "run", "drift", "--json")).json["rows"] < 20:
        assert time.monotonic() < deadline
    assert (done.code, done.json["state"]) == (3, "violated")


def test_a_stranger_ends_with_four(shell) -> None:
    shell("up", "-q")
    (token,) = (shell.folder / ".cloudml" / "endpoints").rglob("token")
    held = token.read_text()
    token.write_text("not the token")
    try:
        done = shell("endpoint", "invoke", "species", "--file", "rows.json")
    finally:
        token.write_text(held)
    # The server reads the token that it was given; whoever sends another is a stranger.
    assert (done.code, "401" in done.err) == (4, True)


def test_what_the_target_cannot_do_ends_with_five(shell) -> None:
    edit(shell, "parameters: {shrink: 0.0}", "parameters: {shrink: 0.0}\n    nodes: 2")
    done = shell("up")
    assert (done.code, "jobs.train.nodes" in done.err) == (5, True)
    assert shell("status", "--json").json["resources"] == []


def test_a_bad_row_ends_with_one_and_its_number_and_field(shell) -> None:
    shell("up", "-q")
    done = shell("endpoint", "invoke", "species", "--rows", '[{"petal_width": 1}]')
    assert done.code == 1
    assert "row 0" in done.err
    assert "sepal_length" in done.err


def test_an_interrupted_up_ends_with_130_and_the_next_finishes(shell) -> None:
    train, door = shell.folder / "train.py", shell.folder.parent / "door"
    waits = f"import os, time\nwhile not os.path.exists({str(door)!r}):\n    time.sleep(0.01)\n"
    train.write_text(waits + train.read_text())
    # Tests that a shell runs in the background ignore Ctrl-C, and so would what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [CLOUDML, "up", "--json"], cwd=shell.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if '"jobs.train"' in line and '"running"' in line:
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "goes on" in err
    door.touch()
    assert shell("up").code == 0


def test_a_reader_that_leaves_is_no_error(shell) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [CLOUDML, "schema"], cwd=shell.folder, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert "Traceback" not in done.stderr
