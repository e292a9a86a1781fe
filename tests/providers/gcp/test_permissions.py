"""The permissions that are asked for are those that a whole life of a project uses, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from vertex_working import SETTINGS

from cloudml.client import Client
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import EndpointSpec, JobSpec, ModelSpec, MonitorSpec, ProjectSpec
from cloudml.targets import resolve
from cloudml_gcp import permissions
from cloudml_gcp.checking import findings
from cloudml_gcp.clients import Clients
from cloudml_gcp.double import Double, double
from cloudml_gcp.double.rehearsal import signed_in
from cloudml_gcp.plugin import places, provider

if TYPE_CHECKING:
    from pathlib import Path

PREDICT = """
class Predictor:
    def __init__(self, model):
        pass

    def predict(self, instances):
        return [0 for _ in instances]
"""
NEVER = frozenset(
    {"aiplatform.endpoints.update", "aiplatform.models.get", "aiplatform.models.update", "cloudscheduler.jobs.update"}
)
"""What only happens when something was changed or raced, which this life does not."""


@pytest.fixture
def gcp():
    wanted = {"project": "acme", "region": SETTINGS.region, "bucket": "acme-ml"}
    with double(**wanted, service_account=SETTINGS.service_account) as running:
        yield running


def clients(gcp: Double) -> Clients:
    return Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)


def life(gcp: Double, sent: set[str], root: Path) -> None:
    """A project comes into being, answers, is watched, and goes."""
    (root / "train.py").write_text(
        "from cloudml import runtime\n(runtime.job().outputs['model'] / 'model.txt').write_text('1')\n"
    )
    (root / "predict.py").write_text(PREDICT)
    (root / "table.csv").write_text("x\n1\n2\n")
    spec = ProjectSpec(
        project="life",
        targets={"there": {"provider": "gcp", **SETTINGS.model_dump(exclude_defaults=True)}},
        datasets={"table": {"path": "table.csv"}},
        jobs={"train": JobSpec(name="train", script="train.py", outputs=("model",))},
        models={"m": ModelSpec(name="m", source="jobs.train.model", predictor="predict.py:Predictor")},
        endpoints={"e": EndpointSpec(name="e", model="models.m", capture=1.0)},
        monitors={
            "w": MonitorSpec(
                name="w",
                endpoint="endpoints.e",
                baseline="datasets.table",
                schedule="0 * * * *",
                checks=({"metric": "psi", "max": 0.2},),
            )
        },
    )
    made = clients(gcp)
    send, ask = made.send, made.ask

    def noted(operation, body):
        sent.add(operation)
        return send(operation, body)

    def asked(operation, *rest):
        sent.add(operation)
        return ask(operation, *rest)

    made.send, made.ask = noted, asked  # type: ignore[method-assign]  # listens, and passes on
    session = Session(
        spec, root, resolve(spec, "there", environ={}), provider(made, Context(root=root, project="life"))
    )
    client = Client(session)
    session.up()
    assert list(client.jobs.logs("train")) is not None
    client.jobs.cancel("train")
    session.down()


def test_what_is_sent_is_granted_and_what_is_granted_is_sent(gcp: Double, tmp_path: Path) -> None:
    sent: set[str] = set()
    life(gcp, sent, tmp_path)
    used = {name for operation in sent for name in permissions.OPERATIONS[operation]}
    granted = {name for one in permissions.CALLER for name in one.names if not one.only_with}
    others = {name for name in granted if name.startswith(("storage.", "iam."))}
    assert used <= granted
    assert granted - used - others <= NEVER | {"aiplatform.customJobs.cancel"}


def test_everything_is_well_at_a_target_that_is_set_up(gcp: Double, tmp_path: Path) -> None:
    found = list(findings(clients(gcp), places(SETTINGS, Context(root=tmp_path, project="life"))))
    assert {one.group for one in found} >= {"credentials", "permissions", "accounts", "bucket"}
    assert not [one for one in found if one.ok is False]
