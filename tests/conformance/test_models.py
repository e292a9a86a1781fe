from __future__ import annotations

import pytest
from sample import MODEL, TABLE, job

from cloudml.capabilities import Capability
from cloudml.errors import GateError, NotFoundError
from cloudml.specs import ModelSpec
from cloudml.status import State


@pytest.fixture
def trained(client):
    """A client whose project has a trained model, not registered."""
    client.datasets.push(TABLE)
    client.jobs.run(job())
    return client


@pytest.mark.needs(Capability.MODEL_VERSIONS)
def test_a_model_is_registered_once(client, trained) -> None:
    model = trained.models.register(MODEL)
    assert model.state is State.READY
    assert model.version
    assert trained.models.register(MODEL).version == model.version
    assert [one.name for one in trained.models.list()] == [model.name]
    assert trained.models.get("scale").hash == model.hash


@pytest.mark.needs(Capability.MODEL_VERSIONS)
def test_another_run_is_another_version(client, trained) -> None:
    first = trained.models.register(MODEL)
    trained.jobs.run(job(parameters={"factor": 3}))
    second = trained.models.register(MODEL)
    assert second.name != first.name
    assert second.version != first.version
    assert trained.models.get("scale").name == second.name
    assert {one.name for one in trained.models.list()} == {first.name, second.name}


@pytest.mark.needs(Capability.MODEL_GATE)
def test_a_gate_that_is_not_met_registers_nothing(client, trained) -> None:
    spec = ModelSpec(**{**MODEL.model_dump(), "require": {"jobs.train.mean": ">= 100"}})
    with pytest.raises(GateError, match=r"77\.25") as caught:
        trained.models.register(spec)
    assert caught.value.value == 77.25
    assert caught.value.threshold == ">= 100"
    assert caught.value.exit_code == 3
    assert trained.models.list() == ()


@pytest.mark.needs(Capability.MODEL_GATE)
def test_a_metric_that_was_never_reported_does_not_pass_a_gate(client, trained) -> None:
    spec = ModelSpec(**{**MODEL.model_dump(), "require": {"jobs.train.auc": ">= 0"}})
    with pytest.raises(GateError, match="never reported"):
        trained.models.register(spec)


@pytest.mark.needs(Capability.MODEL_GATE)
def test_a_gate_that_is_met_lets_the_model_through_with_its_numbers(client, trained) -> None:
    spec = ModelSpec(**{**MODEL.model_dump(), "require": {"jobs.train.mean": "< 100"}})
    assert trained.models.register(spec).metrics == {"jobs.train.mean": 77.25}


def test_an_unknown_model_is_not_found(client) -> None:
    with pytest.raises(NotFoundError):
        client.models.get("nobody")


def test_deleting_twice_is_no_error(client, trained) -> None:
    name = trained.models.register(MODEL).name
    trained.models.delete(name)
    trained.models.delete(name)
    assert trained.models.list() == ()
