"""The permissions that are asked for are those that a whole life of a project uses, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from vertex_working import SETTINGS

from cloudml.client import Client
from cloudml.errors import RunFailedError
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

    from cloudml.events import Event

PREDICT = """
class Predictor:
    def __init__(self, model):
        pass

    def predict(self, instances):
        return [0 for _ in instances]
"""
TRAIN = """
from cloudml import runtime
(runtime.job().outputs["model"] / "model.txt").write_text("VERSION")
"""
NEVER = frozenset({"aiplatform.models.get"})
"""What no request of ours is called for: a deployment names a model, which its caller should be allowed to see."""


@pytest.fixture
def gcp():
    wanted = {"project": "acme", "region": SETTINGS.region, "bucket": "acme-ml"}
    with double(**wanted, service_account=SETTINGS.service_account) as running:
        yield running


def clients(gcp: Double) -> Clients:
    return Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)


def life(gcp: Double, sent: set[str], root: Path) -> None:
    """A project comes into being, answers, is watched, and goes."""
    (root / "train.py").write_text(TRAIN)
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
    session.up()
    assert list(Client(session).jobs.logs("train")) is not None
    changed(session)
    stopped(session)
    session.down()


def changed(session: Session) -> None:
    """Another model is served, and the monitor runs at another hour."""
    (session.root / "train.py").write_text(TRAIN.replace("VERSION", "2"))
    watch = session.spec.monitors["w"].model_copy(update={"schedule": "30 * * * *"})
    replace(session, spec=session.spec.model_copy(update={"monitors": {"w": watch}})).up()


def stopped(session: Session) -> None:
    """A job is stopped while it waits for machines."""
    (session.root / "train.py").write_text(TRAIN.replace("VERSION", "3"))

    def stop(event: Event) -> None:
        if event.state == "queued":
            session.provider.jobs.cancel(event.name)

    with pytest.raises(RunFailedError, match="cancelled"):
        session.up(("jobs.train",), listener=stop)


def test_what_is_sent_is_granted_and_what_is_granted_is_sent(gcp: Double, tmp_path: Path) -> None:
    sent: set[str] = set()
    life(gcp, sent, tmp_path)
    used = {name for operation in sent for name in permissions.OPERATIONS[operation]}
    granted = {name for one in permissions.CALLER for name in one.names if not one.only_with}
    others = {name for name in granted if name.startswith(("storage.", "iam."))}
    assert used <= granted
    assert granted - used - others == NEVER


def test_everything_is_well_at_a_target_that_is_set_up(gcp: Double, tmp_path: Path) -> None:
    found = list(findings(clients(gcp), places(SETTINGS, Context(root=tmp_path, project="life"))))
    assert {one.group for one in found} >= {"credentials", "permissions", "accounts", "bucket"}
    assert not [one for one in found if one.ok is False]
