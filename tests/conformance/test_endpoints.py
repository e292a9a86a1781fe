from __future__ import annotations

import json
import threading

import pytest
from conftest import deploy
from sample import ENDPOINT, job

from cloudml.capabilities import Capability
from cloudml.errors import InvalidRequestError, NotFoundError, RunFailedError
from cloudml.specs import EndpointSpec
from cloudml.status import State

ROWS = [{"weight": 80}, {"weight": 77.25}]


@pytest.fixture
def deployed(client):
    """A client whose project answers, for a test that changes it."""
    return deploy(client)


def test_an_endpoint_answers_every_row_in_order(standing) -> None:
    assert standing.endpoints.get("scale").state is State.READY
    assert standing.endpoints.invoke("scale", ROWS) == [2.75, 0.0]
    assert standing.endpoints.invoke("scale", []) == []


def test_deploying_the_same_again_changes_nothing(standing) -> None:
    before = standing.endpoints.get("scale")
    after = standing.endpoints.deploy(ENDPOINT)
    assert (after.name, after.hash, after.url, after.model) == (before.name, before.hash, before.url, before.model)


def test_a_bad_row_is_refused_with_its_number_and_field(standing) -> None:
    with pytest.raises(InvalidRequestError, match=r"row 1\b.*weight"):
        standing.endpoints.invoke("scale", [{"weight": 1}, {"height": 2}])
    assert standing.endpoints.invoke("scale", [{"weight": 77.25}]) == [0.0]


def test_a_body_that_is_no_request_is_refused(standing, subtests) -> None:
    for body in (b"", b"{", b'{"rows": []}', b'{"instances": 3}', b"\xff\xfe"):
        with subtests.test(body=body), pytest.raises(InvalidRequestError):
            standing.endpoints.invoke_raw("scale", body, "application/json", "application/json")


def test_other_formats_are_understood(standing) -> None:
    answer = standing.endpoints.invoke_raw("scale", b"weight\n80\n", "text/csv", "application/json")
    assert json.loads(answer.body)["predictions"] == [2.75]
    answer = standing.endpoints.invoke_raw(
        "scale", b'{"weight": 80}\n{"weight": 81}\n', "application/jsonlines", "application/jsonlines"
    )
    assert [json.loads(line) for line in answer.body.splitlines()] == [2.75, 3.75]


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


@pytest.mark.needs(Capability.ENDPOINT_IN_PROCESS)
def test_the_model_answers_in_the_calling_process_as_it_does_behind_the_socket(standing) -> None:
    model = standing.endpoints.in_process("scale")
    assert model.predict(ROWS) == standing.endpoints.invoke("scale", ROWS)
    refused = model.invoke(b'{"instances": [{"height": 1}]}', "application/json")
    assert (refused.status, b"weight" in refused.body) == (400, True)


@pytest.mark.needs(Capability.ENDPOINT_INSTANCES)
def test_several_instances_answer(client, deployed) -> None:
    deployed.endpoints.deploy(EndpointSpec(**{**ENDPOINT.model_dump(), "instances": 2}))
    assert deployed.endpoints.get("scale").instances == 2
    assert deployed.endpoints.invoke("scale", ROWS) == [2.75, 0.0]


@pytest.mark.needs(Capability.ENDPOINT_AUTOSCALE)
def test_an_endpoint_may_grow(client, deployed) -> None:
    grown = EndpointSpec(**{**ENDPOINT.model_dump(), "instances": {"min": 1, "max": 3}})
    assert deployed.endpoints.deploy(grown).state is State.READY


@pytest.mark.needs(Capability.ENDPOINT_LOGS)
def test_what_the_model_prints_can_be_read(standing) -> None:
    assert list(standing.endpoints.logs("scale"))


def test_an_unknown_endpoint_is_not_found(standing) -> None:
    with pytest.raises(NotFoundError):
        standing.endpoints.invoke("nobody", ROWS)


def test_deleting_twice_is_no_error_and_then_nobody_answers(client, deployed) -> None:
    name = deployed.endpoints.get("scale").name
    deployed.endpoints.delete(name)
    deployed.endpoints.delete(name)
    assert deployed.endpoints.list() == ()
    with pytest.raises(NotFoundError):
        deployed.endpoints.invoke("scale", ROWS)
