"""`up` dies by SIGKILL at a point; the next `up` reaches the same end, nothing done twice, nothing left over."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudml.cli import cloudml
from cloudml.cli.ending import run

HERE = Path(__file__).parent
POINTS = 10
STRIDE = 5
"""In a chain each `up` is killed so many changes later, counted from its own beginning, than the one before it."""

PROJECT = """
project: crash
datasets:
  table: {path: data/*.csv}
jobs:
  prepare:
    script: prepare.py
    inputs: {table: datasets.table}
    outputs: [rows]
    environment: {JOURNAL: "@JOURNAL@"}
  train:
    script: train.py
    inputs: {rows: jobs.prepare.rows}
    outputs: [model]
    metrics: [mean]
    environment: {JOURNAL: "@JOURNAL@"}
models:
  mean:
    source: jobs.train.model
    predictor: predict.py:Predictor
    require: {jobs.train.mean: ">= 1"}
endpoints:
  mean: {model: models.mean, capture: 1.0}
monitors:
  drift:
    endpoint: endpoints.mean
    baseline: jobs.prepare.rows
    checks: [{metric: missing, max: 0.5}]
"""
JOURNAL = """
import os, pathlib
def note(word):
    with open(os.environ["JOURNAL"], "a") as journal:
        journal.write(word + "\\n")
"""
PREPARE = """
import shutil
from journal import note
from cloudml import runtime
job = runtime.job()
note("prepare begins")
for path in job.inputs["table"].glob("*.csv"):
    shutil.copy(path, job.outputs["rows"] / path.name)
note("prepare ends")
"""
TRAIN = """
import csv
from journal import note
from cloudml import runtime
job = runtime.job()
note("train begins")
rows = [row for path in job.inputs["rows"].glob("*.csv") for row in csv.DictReader(path.open())]
mean = sum(float(row["x"]) for row in rows) / len(rows)
(job.outputs["model"] / "mean.txt").write_text(str(mean))
job.log_metric("mean", mean)
note("train ends")
"""
PREDICT = """
class Predictor:
    def __init__(self, model):
        self.mean = float((model / "mean.txt").read_text())
    def predict(self, instances):
        return [row["x"] - self.mean for row in instances]
"""


@pytest.fixture
def project(tmp_path: Path):
    with small_project(tmp_path) as root:
        yield root


@contextmanager
def small_project(folder: Path):
    """A small project with everything in it; whatever it started is stopped afterwards."""
    root = folder / "project"
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.csv").write_text("x\n1\n2\n3\n")
    (root / "data" / "b.csv").write_text("x\n4\n5\n")
    for name, text in {"journal.py": JOURNAL, "prepare.py": PREPARE, "train.py": TRAIN, "predict.py": PREDICT}.items():
        (root / name).write_text(text)
    (root / "cloudml.yaml").write_text(PROJECT.replace("@JOURNAL@", str(folder / "journal.txt")))
    try:
        yield root
    finally:
        assert call(root, "down", "--yes").data()["ok"]
        assert not processes_of(root)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def data(self) -> dict[str, Any]:
        """What it found, or the last line of its stream, once it has succeeded."""
        assert self.code == 0, self.out + self.err
        return json.loads(self.out if self.out.startswith("{\n") else self.out.splitlines()[-1])


def counted(root: Path, *, kill_at: int = 0, counts: str = os.devnull) -> Done:
    """`up` in a process of its own that counts its changes of state, and dies at one of them when asked to."""
    program = [sys.executable, str(HERE / "killer.py"), counts, str(kill_at), "--", "up", "-C", str(root), "--json"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def call(root: Path, *arguments: str) -> Done:
    """A command in this process, which saves the start of one."""
    before = sys.excepthook
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            code = run(cloudml, [*arguments, "-C", str(root), "--json"])
        finally:
            sys.excepthook = before
    return Done(code, out.getvalue(), err.getvalue())


def processes_of(root: Path) -> list[str]:
    """The command lines of processes that name this project's folder; those that are ending get a moment."""
    deadline = time.monotonic() + 20
    while True:
        found = [line for line in command_lines() if str(root) in line and "pytest" not in line]
        if not found or time.monotonic() > deadline:
            return found


def command_lines() -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def outcome(root: Path) -> dict[str, object]:
    """What there is in the end, without what may rightly differ from run to run."""
    there = call(root, "status").data()["resources"]
    return {
        "resources": sorted((one["resource"], nameless(one["name"]), one["state"]) for one in there),
        "journal": Counter((root.parent / "journal.txt").read_text().splitlines()),
        "state": sorted(leftovers(root / ".cloudml")),
    }


def leftovers(state: Path) -> list[str]:
    """The files that `up` left, by a name that does not depend on where and when it ran."""
    skipped = {"cache", "capture", "__pycache__"}
    return [
        nameless(str(path.relative_to(state)))
        for path in state.rglob("*")
        if path.is_file() and not skipped & set(path.parts) and not path.name.startswith("state.db-")
    ]


def nameless(name: str) -> str:
    """A name without its hash, which differs with the folder of the test."""
    return re.sub(r"[0-9a-f]{10,}", "#", name)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """How many changes of state an undisturbed `up` makes, and what there is afterwards."""
    with small_project(tmp_path_factory.mktemp("undisturbed")) as root:
        counts = root.parent / "changes.txt"
        assert counted(root, counts=str(counts)).data()["ok"]
        return {"changes": counts.read_text().splitlines(), "outcome": outcome(root)}


@pytest.mark.parametrize("point", range(POINTS))
def test_the_next_up_finishes_what_a_killed_one_began(project: Path, undisturbed, point: int) -> None:
    changes = undisturbed["changes"]
    assert len(changes) >= POINTS, changes
    kill_at = 1 + point * (len(changes) - 1) // (POINTS - 1)
    killed = counted(project, kill_at=kill_at)
    assert killed.code in {-signal.SIGKILL, 0}, killed.err
    assert call(project, "up").data()["ok"]
    ended, wanted = outcome(project), undisturbed["outcome"]
    assert set(ended["state"]) ^ set(wanted["state"]) == set(), f"killed at {kill_at}, {changes[kill_at - 1]}"
    assert ended == wanted, f"killed at {kill_at}, {changes[kill_at - 1]}"
    third = call(project, "up").data()
    assert all(one["reused"] for one in third["resources"].values())


def test_a_chain_of_ups_each_killed_a_little_later_reaches_the_same_end(project: Path, undisturbed) -> None:
    """Each goes on where the one before it died, so that in the end one of them has less to do than its time allows."""
    most = len(undisturbed["changes"])
    killed = 0
    while (done := counted(project, kill_at=(killed + 1) * STRIDE)).code == -signal.SIGKILL:
        killed += 1
        assert killed <= most // STRIDE, "an `up` makes changes without coming to an end"
    assert done.code == 0, done.out + done.err
    assert killed >= 5
    assert outcome(project) == undisturbed["outcome"]


def test_an_undisturbed_up_does_each_thing_once(undisturbed) -> None:
    assert undisturbed["outcome"]["journal"] == {
        "prepare begins": 1,
        "prepare ends": 1,
        "train begins": 1,
        "train ends": 1,
    }
