"""The conformance suite: written once against the SDK, run by every installed provider.

A test asks for `client`, over a provider's own rehearsal: the local provider for real, a cloud's double for a cloud. A
test of a capability that the provider lacks must end in its declared refusal, before anything is sent.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sample import SETTINGS

from cloudml import plugins
from cloudml.client import Client
from cloudml.errors import UnsupportedError
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import ProjectSpec
from cloudml.targets import resolve

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

PROJECT = "conform"

TRAIN = """
import csv, json, sys
from cloudml import runtime

job = runtime.job()
tables = sorted(job.inputs["table"].glob("*.csv"))
rows = [row for path in tables for row in csv.DictReader(open(path, encoding="utf-8"))]
mean = sum(float(row["weight"]) for row in rows) / len(rows)
(job.outputs["model"] / "model.json").write_text(json.dumps({"mean": mean, "factor": job.parameters.get("factor", 1)}))
job.log_metric("mean", mean)
job.log_metric("rows", len(rows))
print("trained on", len(rows), "rows")
"""

PREDICT = """
import json


class Predictor:
    def __init__(self, model):
        self.model = json.loads((model / "model.json").read_text())

    def predict(self, instances):
        answers = []
        for row, instance in enumerate(instances):
            if "weight" not in instance:
                raise ValueError("row %d: no field `weight`" % row)
            answers.append(float(instance["weight"]) - self.model["mean"] * self.model["factor"])
        return answers
"""


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test of a capability that the provider lacks must end in its declared refusal."""
    lacking = [
        support
        for mark in pyfuncitem.iter_markers("needs")
        for capability in mark.args
        if not (support := pyfuncitem.funcargs["client"].target.plugin.capabilities[capability])
    ]
    if not lacking:
        return (yield)
    with pytest.raises(UnsupportedError, match="|".join(re.escape(support.reason) for support in lacking)):
        yield
    return True


def settings(name: str) -> dict[str, str]:
    """What a target of that provider says in these tests; what a double then provides."""
    return SETTINGS.get(name, {})


@pytest.fixture(scope="module", params=plugins.names())
def provider_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project_folder(tmp_path / "project")


def project_folder(folder: Path) -> Path:
    """A project's folder: a table of ten rows, a script that trains on it, and a predictor."""
    (folder / "data").mkdir(parents=True)
    rows = "\n".join(f"{height},{height / 2}" for height in range(150, 160))
    (folder / "data" / "table.csv").write_text(f"height,weight\n{rows}\n")
    (folder / "train.py").write_text(TRAIN)
    (folder / "predict.py").write_text(PREDICT)
    return folder


@pytest.fixture
def client(provider_name: str, root: Path) -> Iterator[Client]:
    with connected(provider_name, root) as client:
        yield client


@contextmanager
def connected(provider_name: str, root: Path) -> Iterator[Client]:
    """The SDK's client over that provider, with nothing there yet and nothing left behind."""
    spec = ProjectSpec(project=PROJECT, targets={"there": {"provider": provider_name, **settings(provider_name)}})
    target = resolve(spec, "there", environ={})
    assert target.plugin.rehearse, f"{provider_name} has nothing to rehearse on"
    with target.plugin.rehearse(target.settings, Context(root=root, project=PROJECT)) as provider:
        yield Client(Session(spec, root, target, provider))
