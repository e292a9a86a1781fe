from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

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
from cloudml_aws.errors import CAPACITY, translated

SAID = [
    ("ValidationException", 'Could not find endpoint "arn:aws:sagemaker:x".', NotFoundError),
    ("ValidationException", "Requested resource not found.", NotFoundError),
    ("ValidationException", "Cannot create already existing endpoint", AlreadyExistsError),
    ("ResourceInUse", "Training job names must be unique within an AWS account and region", AlreadyExistsError),
    ("ValidationException", 'Cannot update in-progress endpoint "arn:…".', ConflictError),
    ("ValidationException", "Could not assume role arn:aws:iam::1:role/x", PermissionDeniedError),
    ("ValidationException", "1 validation error detected", InvalidRequestError),
    ("ResourceLimitExceeded", "The account-level service limit 'ml.p3.2xlarge' is 0", QuotaExceededError),
    ("ThrottlingException", "Rate exceeded", ThrottledError),
    ("AccessDeniedException", "User is not authorized to perform: sagemaker:CreateTrainingJob", PermissionDeniedError),
    ("ExpiredTokenException", "The security token included in the request is expired", AuthenticationError),
    ("InternalFailure", "", UnavailableError),
    ("SomethingNew", "nobody knows", ProviderError),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message", "kind"), SAID)
def test_a_code_and_where_it_is_ambiguous_its_message_give_the_error(code: str, message: str, kind: type) -> None:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "r-1"}}
    with pytest.raises(ProviderError) as caught, translated("sagemaker:CreateEndpoint"):
        raise ClientError(answer, "CreateEndpoint")
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.request_id) == (code, "r-1")
    assert caught.value.operation == "sagemaker:CreateEndpoint"
    assert isinstance(caught.value.__cause__, ClientError)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NoCredentialsError(), AuthenticationError),
        (EndpointConnectionError(endpoint_url="https://api"), UnavailableError),
        (ReadTimeoutError(endpoint_url="https://api"), UnavailableError),
    ],
)
def test_what_the_client_itself_raises_is_translated(error: Exception, kind: type) -> None:
    with pytest.raises(kind), translated("sts:GetCallerIdentity"):
        raise error


def test_an_error_of_ours_or_of_nobody_passes() -> None:
    for error in (NotFoundError("ours"), ZeroDivisionError()):
        with pytest.raises(type(error)), translated("x"):
            raise error


def test_quota_is_not_worth_another_try_and_throttling_is() -> None:
    assert not QuotaExceededError.retryable
    assert ThrottledError.retryable


def test_a_lack_of_machines_is_found_in_a_failure_reason() -> None:
    assert CAPACITY.search("CapacityError: Unable to provision requested ML compute capacity.")
    assert not CAPACITY.search("AlgorithmError: exit code: 1")
