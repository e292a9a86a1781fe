"""A project that meets the faults of a double, and what must be true of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sample import SETTINGS

from cloudml.errors import PermissionDeniedError, RunFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from cloudml.doubles.faults import Faults
    from cloudml.errors import CloudMLError
    from cloudml.events import Event
    from cloudml.session import Session

TRAIN = """
from cloudml import runtime
job = runtime.job()
(job.outputs["model"] / "number.txt").write_text("2")
job.log_metric("number", 2)
"""
STOPPED = """
import signal, sys
from cloudml import runtime
job = runtime.job()
kept = job.checkpoints / "step"
step = int(kept.read_text()) if kept.exists() else 0

def stop(*_):
    kept.write_text(str(step + 1))
    print("told to stop at step", step, flush=True)
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
print("resumed at step" if kept.exists() else "began at step", step, flush=True)
print(f"working on {step}", flush=True)
while step < TIMES:
    signal.pause()
"""
"""What is told to stop so often, before it goes on to train."""
PREDICT = """
class Predictor:
    def __init__(self, model):
        self.number = float((model / "number.txt").read_text())
    def predict(self, instances):
        return [self.number * row["x"] for row in instances]
"""


def project(provider: str) -> dict[str, Any]:
    """One of each thing, the job on spot machines, the endpoint growing, the monitor with a schedule."""
    return {
        "project": "faulty",
        "targets": {"there": {"provider": provider, **SETTINGS[provider]}},
        "datasets": {"table": {"name": "table", "path": "a.csv"}},
        "jobs": {"train": {"name": "train", "script": "train.py", "inputs": {"table": "datasets.table"},
                           "outputs": ["model"], "metrics": ["number"], "spot": True, "timeout": "1h"}},
        "models": {"two": {"name": "two", "source": "jobs.train.model", "predictor": "predict.py:Predictor"}},
        "endpoints": {"two": {"name": "two", "model": "models.two", "capture": 1.0, "instances": {"min": 1, "max": 2}}},
        "monitors": {"drift": {"name": "drift", "endpoint": "endpoints.two", "baseline": "datasets.table",
                               "schedule": "0 6 * * 1", "checks": [{"metric": "missing", "max": 0.5}]}},
    }  # fmt: skip


def lay_out(folder: Path) -> None:
    """The project's files."""
    for name, text in {"a.csv": "x\n1\n", "train.py": TRAIN, "predict.py": PREDICT}.items():
        (folder / name).write_text(text)


def change(session: Session) -> None:
    """Let the model be another one, which answers with three times what it is asked."""
    (session.root / "train.py").write_text(TRAIN.replace('"2"', '"3"'))


def answer(session: Session) -> bytes:
    asked = {"content_type": "application/json", "accept": "application/json"}
    return session.provider.endpoints.invoke("faulty-two", b'{"instances":[{"x":1}]}', **asked).body


@dataclass(frozen=True)
class Told:
    """What a user is to be told of a fault: the kind of error, the exit code, words of the message and of the hint."""

    error: type[CloudMLError]
    exit_code: int
    said: str
    hint: str

    def by(self, session: Session, what: str) -> None:
        """Hold an `up` to it; *what* names the fault."""
        with pytest.raises(self.error) as caught:
            session.up()
        found = caught.value
        assert type(found) is self.error, f"{what}: {found!r}"
        assert found.exit_code == self.exit_code, what
        assert self.said in found.message, f"{what}: {found.message}"
        assert self.hint, what
        assert self.hint in found.hint, f"{what}: {found.hint}"


def are_told(session: Session, faults: Faults, seen: Mapping[str, tuple[Callable[[Faults], Any], Told]]) -> None:
    """Let faults happen one after another: each `up` comes as far as the next one, and tells it; the last one is done.

    Args:
        session: The project.
        faults: Those of the double, of which there are none in the end.
        seen: What goes wrong, and what is told of it, in the order in which an `up` meets them.
    """
    for what, (happen, told) in seen.items():
        happen(faults)
        told.by(session, what)
        faults.clear()
    converges(session)


def are_not_seen(session: Session, faults: Faults, happening: Iterable[Callable[[Faults], Any]]) -> None:
    """Let faults happen that pass: an `up` is done in spite of each of them."""
    for happen in happening:
        happen(faults)
    up = session.up()
    assert [one for one in faults if not one.struck] == []
    assert up.metrics["jobs.train.number"] == 2
    faults.clear()
    converges(session)


def denied(session: Session, deny: Callable[[str], Any], faults: Faults, actions: Mapping[str, str]) -> None:
    """Deny actions one after another, in the order in which an `up` needs them.

    Args:
        session: The project.
        deny: Denies an operation.
        faults: Those of the double, of which there are none in the end.
        actions: Operation to what the message has to say: what is missing, and on what.
    """
    for action, said in actions.items():
        deny(action)
        with pytest.raises(PermissionDeniedError) as caught:
            session.up()
        assert caught.value.exit_code == 4, action
        assert said in caught.value.message, f"{action}: {caught.value.message}"
        assert "grant" in caught.value.hint, action
        faults.clear()
    converges(session)


def resumes(session: Session, times: int = 1) -> None:
    """A job whose machine is taken away so often: its script is told each time, and goes on from what it has kept."""
    (session.root / "train.py").write_text(STOPPED.replace("TIMES", str(times)) + TRAIN)
    up = session.up()
    assert up.metrics["jobs.train.number"] == 2
    lines = session.provider.logs.read("jobs", up.statuses["jobs.train"].name, "").lines
    told = [line for line in lines if "step" in line]
    stops = [(f"told to stop at step {step}", f"resumed at step {step + 1}") for step in range(times)]
    assert told == ["began at step 0", *(line for pair in stops for line in pair)]


def is_stopped(session: Session) -> None:
    """The job is stopped while it waits for machines: an `up` says so."""

    def stop(event: Event) -> None:
        if event.state == "queued":
            session.provider.jobs.cancel(event.name)

    with pytest.raises(RunFailedError, match="cancelled"):
        session.up(("jobs.train",), listener=stop)


def converges(session: Session) -> None:
    """One `up` finishes it, another finds nothing to do, and there is one of each thing."""
    session.up()
    again = session.up()
    assert again.reused == set(again.statuses)
    there = session.status()
    found = [one.resource for one in there if one.resource in again.statuses and one.state.good]
    assert sorted(set(found)) == sorted(again.statuses)
    names = {status.name for status in again.statuses.values()}
    assert sorted(one.resource for one in there if one.name in names) == sorted(again.statuses)


def leaves_nothing(session: Session, left: Callable[[], Iterable[object]]) -> None:
    """`down` finds everything, what was half made as well."""
    assert session.down().clean
    assert [*left()] == []
    assert session.status() == ()
