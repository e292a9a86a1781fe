"""What an endpoint answers. One stands for all of these tests, and none changes it."""

from __future__ import annotations

import json

import pytest
from conforming import connected, project_folder
from sample import ENDPOINT, MODEL, ROWS, TABLE, job

from cloudml.capabilities import Capability
from cloudml.errors import InvalidRequestError
from cloudml.status import State


@pytest.fixture(scope="module")
def client(provider_name, tmp_path_factory):
    """A client whose project answers."""
    with connected(provider_name, project_folder(tmp_path_factory.mktemp("answers") / "project")) as client:
        client.datasets.push(TABLE)
        client.adopt("jobs", job())
        client.adopt("models", MODEL)
        client.endpoints.deploy(ENDPOINT)
        yield client


def test_an_endpoint_answers_every_row_in_order(client) -> None:
    assert client.endpoints.get("scale").state is State.READY
    assert client.endpoints.invoke("scale", ROWS) == [2.75, 0.0]
    assert client.endpoints.invoke("scale", []) == []


def test_deploying_the_same_again_changes_nothing(client) -> None:
    before = client.endpoints.get("scale")
    after = client.endpoints.deploy(ENDPOINT)
    assert (after.name, after.hash, after.url, after.model) == (before.name, before.hash, before.url, before.model)


def test_a_bad_row_is_refused_with_its_number_and_field(client) -> None:
    with pytest.raises(InvalidRequestError, match=r"row 1\b.*weight"):
        client.endpoints.invoke("scale", [{"weight": 1}, {"height": 2}])
    assert client.endpoints.invoke("scale", [{"weight": 77.25}]) == [0.0]


def test_a_body_that_is_no_request_is_refused(client, subtests) -> None:
    for body in (b"", b"{", b'{"rows": []}', b'{"instances": 3}', b"\xff\xfe"):
        with subtests.test(body=body), pytest.raises(InvalidRequestError):
            client.endpoints.invoke_raw("scale", body, "application/json", "application/json")


def test_other_formats_are_understood(client) -> None:
    answer = client.endpoints.invoke_raw("scale", b"weight\n80\n", "text/csv", "application/json")
    assert json.loads(answer.body)["predictions"] == [2.75]
    answer = client.endpoints.invoke_raw(
        "scale", b'{"weight": 80}\n{"weight": 81}\n', "application/jsonlines", "application/jsonlines"
    )
    assert [json.loads(line) for line in answer.body.splitlines()] == [2.75, 3.75]


@pytest.mark.needs(Capability.ENDPOINT_IN_PROCESS)
def test_the_model_answers_in_the_calling_process_as_it_does_behind_the_socket(client) -> None:
    model = client.endpoints.in_process("scale")
    assert model.predict(ROWS) == client.endpoints.invoke("scale", ROWS)
    refused = model.invoke(b'{"instances": [{"height": 1}]}', "application/json")
    assert (refused.status, b"weight" in refused.body) == (400, True)


@pytest.mark.needs(Capability.ENDPOINT_LOGS)
def test_what_the_model_prints_can_be_read(client) -> None:
    assert list(client.endpoints.logs("scale"))
