"""A project that meets the faults of a double, and what must be true of it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sample import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml.session import Session

TRAIN = """
from cloudml import runtime
job = runtime.job()
seen = job.checkpoints / "seen"
print("resumed" if seen.exists() else "began", flush=True)
seen.write_text("yes")
print("epoch 1", flush=True)
(job.outputs["model"] / "number.txt").write_text("2")
job.log_metric("number", 2)
"""
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


def lay_out(folder: Path, train: str = TRAIN) -> None:
    """The project's files."""
    for name, text in {"a.csv": "x\n1\n", "train.py": train, "predict.py": PREDICT}.items():
        (folder / name).write_text(text)


def answer(session: Session) -> bytes:
    asked = {"content_type": "application/json", "accept": "application/json"}
    return session.provider.endpoints.invoke("faulty-two", b'{"instances":[{"x":1}]}', **asked).body


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
