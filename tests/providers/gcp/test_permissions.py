"""The permissions that are asked for are those that a whole life of a project uses, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from faulty import is_stopped
from large import sent_in_parts
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
TRAIN = """
from cloudml import runtime
(runtime.job().outputs["model"] / "model.txt").write_text("VERSION")
"""


@pytest.fixture
def gcp():
    wanted = {"project": "acme", "region": SETTINGS.region, "bucket": "acme-ml"}
    with double(**wanted, service_account=SETTINGS.service_account) as running:
        yield running


def clients(gcp: Double) -> Clients:
    return Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)


def life(gcp: Double, root: Path) -> None:
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
    there = provider(clients(gcp), Context(root=root, project="life"))
    session = Session(spec, root, resolve(spec, "there", environ={}), there)
    session.up()
    assert list(Client(session).jobs.logs("train")) is not None
    changed(session)
    (root / "train.py").write_text(TRAIN.replace("VERSION", "3"))
    is_stopped(session)
    without_the_default_version(session)
    session.down()


def changed(session: Session) -> None:
    """Another model is served, and the monitor runs at another hour."""
    (session.root / "train.py").write_text(TRAIN.replace("VERSION", "2"))
    watch = session.spec.monitors["w"].model_copy(update={"schedule": "30 * * * *"})
    replace(session, spec=session.spec.model_copy(update={"monitors": {"w": watch}})).up()


def without_the_default_version(session: Session) -> None:
    """The newest version goes, which is the default one, while there is another; `down` meets them in any order."""
    (endpoint,) = session.provider.endpoints.list("life")
    session.provider.endpoints.delete(endpoint.name)
    _, newest = session.provider.models.list("life")
    session.provider.models.delete(newest.name)


def test_what_is_sent_is_granted_and_what_is_granted_is_sent(gcp: Double, tmp_path: Path) -> None:
    life(gcp, tmp_path)
    sent_in_parts(clients(gcp).storage("gs://acme-ml/cloudml/life/parts"), tmp_path)
    used = {name for one in gcp.requests if not one.inside for name in permissions.actions_of(one.name)}
    granted = permissions.granted_to_caller(SETTINGS)
    assert used - granted == set()
    assert granted - used == permissions.IMPLIED


def test_everything_is_well_at_a_target_that_is_set_up(gcp: Double, tmp_path: Path) -> None:
    found = list(findings(clients(gcp), places(SETTINGS, Context(root=tmp_path, project="life"))))
    assert {one.group for one in found} >= {"credentials", "permissions", "accounts", "bucket"}
    assert not [one for one in found if one.ok is False]
