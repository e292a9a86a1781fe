"""A small project, and the SDK's client over a provider's own rehearsal of it."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from sample import SETTINGS

from cloudml.client import Client
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import ProjectSpec
from cloudml.targets import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cloudml.seam import Provider
    from cloudml.targets import Target

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


def settings(name: str) -> dict[str, str]:
    """What a target of that provider says in these tests; what a double then provides."""
    return SETTINGS.get(name, {})


def project_folder(folder: Path) -> Path:
    """A project's folder: a table of ten rows, a script that trains on it, and a predictor."""
    (folder / "data").mkdir(parents=True)
    rows = "\n".join(f"{height},{height / 2}" for height in range(150, 160))
    (folder / "data" / "table.csv").write_text(f"height,weight\n{rows}\n")
    (folder / "train.py").write_text(TRAIN)
    (folder / "predict.py").write_text(PREDICT)
    return folder


@contextmanager
def connected(provider_name: str, root: Path) -> Iterator[Client]:
    """The SDK's client over that provider, with nothing there yet and nothing left behind.

    In the end nothing was asked of the provider's double that the provider's own table of permissions does not grant.
    """
    spec = ProjectSpec(project=PROJECT, targets={"there": {"provider": provider_name, **settings(provider_name)}})
    target = resolve(spec, "there", environ={})
    assert target.plugin.rehearse, f"{provider_name} has nothing to rehearse on"
    with target.plugin.rehearse(target.settings, Context(root=root, project=PROJECT)) as provider:
        yield Client(Session(spec, root, target, provider))
        lacking = ungranted(target, provider)
        assert not lacking, f"permissions.py of {provider_name} does not grant {lacking}"


def ungranted(target: Target, provider: Provider) -> dict[str, set[str]]:
    """Operation to the permissions that it needs and the caller is not granted; nothing where there is no double.

    What containers ask with credentials of their own is left out. What they ask of storage without any, and what
    schedules ask at Azure and GCP, the doubles do not tell from the caller's: it is held to the caller's list too.
    """
    if provider.double is None:
        return {}
    permissions = import_module(f"cloudml_{target.plugin.name}.permissions")
    granted = permissions.granted_to_caller(target.settings)
    names = {one.name for one in provider.double.requests if not one.inside}
    return {name: lacks for name in sorted(names) if (lacks := {*permissions.actions_of(name)} - granted)}
