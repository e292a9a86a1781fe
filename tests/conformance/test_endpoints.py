from __future__ import annotations

import threading

import pytest
from sample import ENDPOINT, MODEL, ROWS, TABLE, job

from cloudml.capabilities import Capability
from cloudml.errors import NotFoundError, RunFailedError
from cloudml.specs import EndpointSpec
from cloudml.status import State


@pytest.fixture
def deployed(client):
    """A client whose project answers."""
    client.datasets.push(TABLE)
    client.adopt("jobs", job())
    client.adopt("models", MODEL)
    client.endpoints.deploy(ENDPOINT)
    return client


@pytest.mark.needs(Capability.ENDPOINT_ROLLING)
def test_a_new_version_takes_over_without_a_failed_request(client, deployed) -> None:
    answers: list[float] = []
    failures: list[Exception] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answers.extend(deployed.endpoints.invoke("scale", [{"weight": 77.25}]))
            except Exception as error:  # noqa: BLE001  any failure counts
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        deployed.adopt("jobs", job(parameters={"factor": 2}))
        deployed.endpoints.deploy(ENDPOINT)
        assert deployed.endpoints.invoke("scale", [{"weight": 77.25}]) == [-77.25]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert set(answers) == {0.0, -77.25}


@pytest.mark.needs(Capability.ENDPOINT_ROLLBACK)
def test_a_version_that_cannot_start_leaves_the_old_one_answering(client, deployed) -> None:
    predict = deployed.session.root / "predict.py"
    predict.write_text("raise ImportError('no module named hope')\n" + predict.read_text())
    with pytest.raises(RunFailedError, match="no module named hope"):
        deployed.endpoints.deploy(ENDPOINT)
    assert deployed.endpoints.invoke("scale", ROWS) == [2.75, 0.0]


@pytest.mark.needs(Capability.ENDPOINT_INSTANCES)
def test_several_instances_answer(client, deployed) -> None:
    deployed.endpoints.deploy(EndpointSpec(**{**ENDPOINT.model_dump(), "instances": 2}))
    assert deployed.endpoints.get("scale").instances == 2
    assert deployed.endpoints.invoke("scale", ROWS) == [2.75, 0.0]


@pytest.mark.needs(Capability.ENDPOINT_AUTOSCALE)
def test_an_endpoint_may_grow(client, deployed) -> None:
    grown = EndpointSpec(**{**ENDPOINT.model_dump(), "instances": {"min": 1, "max": 3}})
    assert deployed.endpoints.deploy(grown).state is State.READY


def test_an_unknown_endpoint_is_not_found(client) -> None:
    with pytest.raises(NotFoundError):
        client.endpoints.invoke("nobody", ROWS)


def test_deleting_twice_is_no_error_and_then_nobody_answers(client, deployed) -> None:
    name = deployed.endpoints.get("scale").name
    deployed.endpoints.delete(name)
    deployed.endpoints.delete(name)
    assert deployed.endpoints.list() == ()
    with pytest.raises(NotFoundError):
        deployed.endpoints.invoke("scale", ROWS)
