from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from cloudml.errors import InvalidRequestError, NotFoundError, ProviderError, ThrottledError, UnavailableError
from cloudml_aws import errors, invoking

OURS = json.dumps({"error": {"code": "bad_request", "message": "row 1: no field `b`", "row": 1, "request_id": "r-7"}})


def refused(code: str, message: str = "it went wrong", **fields: object) -> ProviderError:
    """What `translated` makes of an answer of the service."""
    answer = {"Error": {"Code": code, "Message": message}, **fields}
    with pytest.raises(ProviderError) as caught, errors.translated(invoking.OPERATION):
        raise ClientError(answer, "InvokeEndpoint")
    return invoking.answered("delay", caught.value)


@pytest.mark.parametrize("trace", ["", "\nTraceback (most recent call last):\n  in transform_fn"])
def test_a_refusal_of_the_container_keeps_its_own_words(trace: str) -> None:
    error = refused("ModelError", OriginalStatusCode=400, OriginalMessage=OURS + trace)
    assert isinstance(error, InvalidRequestError)
    assert error.message == "endpoint `delay` answered 400: row 1: no field `b`"
    assert (error.code, error.request_id) == ("400", "r-7")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidRequestError), (415, InvalidRequestError), (429, ThrottledError), (500, UnavailableError)],
)
def test_the_status_of_the_container_decides(status: int, kind: type[ProviderError]) -> None:
    error = refused("ModelError", OriginalStatusCode=status, OriginalMessage="<html>no</html>")
    assert type(error) is kind
    assert "<html>" in error.message


def test_a_container_that_did_not_answer_in_time_is_unavailable_and_the_log_is_named() -> None:
    error = refused(
        "ModelError", "Received server error (0) from main: Your invocation timed out", OriginalStatusCode=0
    )
    assert isinstance(error, UnavailableError)
    assert "did not answer" in error.message
    assert "endpoint logs delay" in error.hint


def test_an_unknown_endpoint_is_not_found() -> None:
    error = refused("ValidationError", "Endpoint delay of account 111122223333 not found.")
    assert isinstance(error, NotFoundError)


def test_a_model_that_is_not_ready_is_unavailable() -> None:
    assert isinstance(refused("ModelNotReadyException"), UnavailableError)


def test_a_body_above_the_limit_is_not_sent() -> None:
    invoking.refuse_large(b"x" * invoking.LARGEST_BYTES)
    with pytest.raises(InvalidRequestError, match="6 MiB"):
        invoking.refuse_large(b"x" * (invoking.LARGEST_BYTES + 1))


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"OriginalStatusCode": 500, "OriginalMessage": "cannot reshape\nTraceback … in predict_fn"}, True),
        ({"OriginalStatusCode": 400, "OriginalMessage": "no rows"}, True),
        ({"OriginalStatusCode": 500, "OriginalMessage": "no such file\nTraceback … in model_fn"}, False),
        ({"OriginalStatusCode": 0}, False),
    ],
)
def test_a_handler_that_refuses_no_rows_shows_that_it_answers_and_a_model_that_cannot_load_does_not(
    fields: dict[str, object], answers: bool
) -> None:
    assert invoking.of_own_handlers(refused("ModelError", **fields)) is answers
