"""Whatever Google answers, the user sees one of our errors, with Google's words and what to do."""

from __future__ import annotations

import re

import pytest
from google.api_core import exceptions as theirs
from google.auth import exceptions as auth
from google.rpc import code_pb2
from requests import ConnectionError as Unreachable
from requests import ReadTimeout

from cloudml.errors import (
    AlreadyExistsError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    ThrottledError,
    UnavailableError,
)
from cloudml_gcp import errors

OPERATION = "aiplatform:CreateCustomJob"
EXCEEDED = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus"
ACT_AS = "You do not have permission to act as service account cloudml@acme.iam.gserviceaccount.com."
UNUSED = "Vertex AI API has not been used in project 123 before or it is disabled."
ROWS = [
    ("INVALID_ARGUMENT", "List of found errors:\t1.Field: x", InvalidRequestError, ""),
    ("INVALID_ARGUMENT", "Endpoint `delay` already exists.", AlreadyExistsError, ""),
    ("INVALID_ARGUMENT", "The Model projects/1/models/2 does not exist.", NotFoundError, ""),
    ("INVALID_ARGUMENT", "Not found: bucket", NotFoundError, ""),
    ("OUT_OF_RANGE", "page 7", InvalidRequestError, ""),
    ("NOT_FOUND", "The CustomJob is not found.", NotFoundError, ""),
    ("ALREADY_EXISTS", "Endpoint exists", AlreadyExistsError, ""),
    ("UNAUTHENTICATED", "Request had invalid credentials.", AuthenticationError, "gcloud auth application-default"),
    ("PERMISSION_DENIED", "Permission 'aiplatform.jobs' denied", PermissionDeniedError, "gcp-permissions.md"),
    ("PERMISSION_DENIED", ACT_AS, PermissionDeniedError, "gcp-permissions.md"),
    ("PERMISSION_DENIED", UNUSED, PermissionDeniedError, "gcloud services enable"),
    ("RESOURCE_EXHAUSTED", EXCEEDED, QuotaExceededError, "page of quotas"),
    ("RESOURCE_EXHAUSTED", "Allocation quota is used up", QuotaExceededError, "page of quotas"),
    ("RESOURCE_EXHAUSTED", "Requests exceed the limit of the project", QuotaExceededError, "page of quotas"),
    ("RESOURCE_EXHAUSTED", "Quota of requests per minute per region", ThrottledError, "try again"),
    ("RESOURCE_EXHAUSTED", "Rate of changes of the object", ThrottledError, "try again"),
    ("RESOURCE_EXHAUSTED", "", ThrottledError, "try again"),
    ("FAILED_PRECONDITION", "Endpoint has a model deployed", ConflictError, "settled"),
    ("FAILED_PRECONDITION", "The version alias already exists", AlreadyExistsError, ""),
    ("FAILED_PRECONDITION", "The DeployedModel does not exist", NotFoundError, ""),
    ("ABORTED", "etag mismatch", ConflictError, "settled"),
    ("UNIMPLEMENTED", "Method not found.", InvalidRequestError, "choose another one"),
    ("INTERNAL", "Internal error encountered.", UnavailableError, "try again"),
    ("UNKNOWN", "", UnavailableError, "try again"),
    ("UNAVAILABLE", "The service is currently unavailable.", UnavailableError, "try again"),
    ("DEADLINE_EXCEEDED", "Deadline expired", UnavailableError, "try again"),
    ("CANCELLED", "The operation was cancelled.", ProviderError, ""),
    ("DATA_LOSS", "", ProviderError, ""),
    ("A_NEW_ONE", "nobody knows", ProviderError, ""),
]  # fmt: skip
"""Status, message, what is raised, and what its hint says."""


def refusal(http: int, body: object = None, text: str = "") -> errors.AnswerError:
    return errors.AnswerError(http, body, text)


def raised(error: Exception) -> ProviderError:
    """What becomes of an error of the client's."""
    with pytest.raises(ProviderError) as caught, errors.translated(OPERATION):
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.operation == OPERATION
    return caught.value


def test_every_row_of_the_tables_is_among_those_that_are_tried() -> None:
    assert set(errors.STATUSES) <= {status for status, *_ in ROWS}
    for status, patterns in errors.MESSAGES.items():
        for pattern, found in patterns:
            tried = [kind for row, message, kind, _ in ROWS if row == status and re.search(pattern, message)]
            assert found.error in tried, (status, pattern)


@pytest.mark.parametrize(("status", "message", "kind", "hint"), ROWS)
def test_a_refusal_is_the_error_of_its_status_or_of_its_message(status, message, kind, hint) -> None:
    found = raised(refusal(400, {"error": {"code": 400, "message": message, "status": status}}))
    assert (type(found), found.code) == (kind, status)
    assert found.message == f"{OPERATION}: {message.replace(chr(9), ' ') or status}"
    assert hint in found.hint
    assert bool(hint) is bool(found.hint)


@pytest.mark.parametrize(("status", "message", "kind", "hint"), [row for row in ROWS if row[0] in errors.STATUSES])
def test_an_operation_that_failed_says_the_same_by_number(status, message, kind, hint) -> None:
    found = errors.of_status(OPERATION, code_pb2.Code.Value(status), message)
    assert (type(found), found.code, hint in found.hint) == (kind, status, True)


def test_the_numbers_are_those_of_google_s_own_table() -> None:
    assert {number: name for name, number in code_pb2.Code.items() if number} == errors.NUMBERS


def test_an_http_status_stands_for_what_google_s_own_client_takes_it_for() -> None:
    known: dict[int, set[str]] = {}
    for kind in vars(theirs).values():
        status = getattr(kind, "grpc_status_code", None)
        if status is not None and kind.code is not None:
            known.setdefault(int(kind.code), set()).add(status.name)
    for http, status in errors.HTTP.items():
        assert status in known.get(http, {"FAILED_PRECONDITION"}), http


@pytest.mark.parametrize(
    ("http", "kind"),
    [
        (400, InvalidRequestError), (401, AuthenticationError), (403, PermissionDeniedError), (404, NotFoundError),
        (409, ConflictError), (412, ConflictError), (418, UnavailableError), (429, ThrottledError),
        (499, ProviderError), (500, UnavailableError), (501, InvalidRequestError), (502, UnavailableError),
        (503, UnavailableError), (504, UnavailableError),
    ],
)  # fmt: skip
def test_what_something_in_between_answers_has_its_http_status_only(http: int, kind: type) -> None:
    found = raised(refusal(http, None, "<html>Sorry</html>\n"))
    assert (type(found), found.message) == (kind, f"{OPERATION}: <html>Sorry</html>")
    assert f"HTTP {http}" in raised(refusal(http)).message


def test_a_streaming_call_s_list_and_a_code_without_a_status_are_read() -> None:
    inner = {"error": {"code": 404, "message": "gone"}}
    for body in (inner, [inner]):
        found = raised(refusal(404, body))
        assert (type(found), found.code, found.message) == (NotFoundError, "NOT_FOUND", f"{OPERATION}: gone")


def test_the_fields_at_fault_are_told_where_the_message_does_not() -> None:
    violations = [{"field": "a.b", "description": "Required"}, {"field": "c", "description": "is told"}]
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}]
    told = {"code": 400, "message": "c is told", "status": "INVALID_ARGUMENT", "details": details}
    assert raised(refusal(400, {"error": told})).message == f"{OPERATION}: c is told; a.b: Required"


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (auth.DefaultCredentialsError("none were found"), AuthenticationError, "gcloud auth"),
        (auth.RefreshError("invalid_grant"), AuthenticationError, "gcloud auth"),
        (auth.MutualTLSChannelError("no certificate"), AuthenticationError, "gcloud auth"),
        (auth.TransportError("refused"), UnavailableError, "try again"),
        (Unreachable("refused"), UnavailableError, "try again"),
        (ReadTimeout("60 s"), UnavailableError, "try again"),
    ],
)
def test_what_the_client_itself_raises_is_translated(error: Exception, kind: type, hint: str) -> None:
    found = raised(error)
    assert (type(found), found.code) == (kind, type(error).__name__)
    assert hint in found.hint


def test_an_error_of_ours_or_of_nobody_passes() -> None:
    for error in (NotFoundError("ours"), ZeroDivisionError()):
        with pytest.raises(type(error)) as caught, errors.translated(OPERATION):
            raise error
        assert caught.value is error


@pytest.mark.parametrize(
    ("message", "lacking"),
    [
        ("Resources are insufficient in region: europe-west4.", True),
        ("The zone is out of capacity", True),
        ("insufficient capacity for a2-highgpu-1g", True),
        ("The replica workerpool0-0 exited with a non-zero status of 1.", False),
        (EXCEEDED, False),
    ],
)
def test_a_lack_of_machines_is_found_in_what_a_job_says(message: str, lacking: bool) -> None:
    assert bool(errors.CAPACITY.search(message)) is lacking
