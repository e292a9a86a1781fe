"""What AWS says -> our errors, as data.

Codes come from the service models and from AWS's answers; where one code means several things, the message decides.
Sources: reference of common errors of the SageMaker API, and the messages that its official SDK looks for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudml.clouds import errors as clouds
from cloudml.clouds.errors import Meaning
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

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

SIGN_IN = "sign in (`aws sso login`, `aws configure`) or set `profile` of the target"
GRANT = "grant that action to this identity; docs/aws.md has the whole list"
QUOTA = (
    "ask for more in Service Quotas, or choose another machine; training, spot, processing and endpoints count apart"
)
LATER = "try again"


EXPIRED = Meaning(AuthenticationError, SIGN_IN)
DENIED = Meaning(PermissionDeniedError, GRANT)
MISSING = Meaning(NotFoundError)
EXISTS = Meaning(AlreadyExistsError)
BUSY = Meaning(ConflictError, "wait until it has settled, then try again")
FULL = Meaning(QuotaExceededError, QUOTA)
SLOW = Meaning(ThrottledError, LATER)
DOWN = Meaning(UnavailableError, LATER)
WRONG = Meaning(InvalidRequestError)
UNKNOWN = Meaning(ProviderError)

CODES: Mapping[str, Meaning] = {
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "InvalidClientTokenId": EXPIRED,
    "InvalidSignatureException": EXPIRED,
    "SignatureDoesNotMatch": EXPIRED,
    "UnrecognizedClientException": EXPIRED,
    "IncompleteSignature": EXPIRED,
    "AccessDenied": DENIED,
    "AccessDeniedException": DENIED,
    "UnauthorizedOperation": DENIED,
    "OptInRequired": DENIED,
    "403": DENIED,  # the answer to a HEAD has no body, so its code is its status
    "ResourceNotFound": MISSING,
    "ResourceNotFoundException": MISSING,
    "ObjectNotFoundException": MISSING,
    "NoSuchKey": MISSING,
    "NoSuchBucket": MISSING,
    "NoSuchUpload": MISSING,
    "InvalidPart": MISSING,  # of an upload to which another push has sent it once more meanwhile
    "NoSuchEntity": MISSING,
    "NoSuchResourceException": MISSING,
    "404": MISSING,
    "ResourceInUse": EXISTS,
    "ConflictException": BUSY,
    "ConcurrentUpdateException": BUSY,
    "ModelNotReadyException": DOWN,
    "ResourceLimitExceeded": FULL,
    "ServiceQuotaExceededException": FULL,
    "LimitExceededException": SLOW,
    "RequestLimitExceeded": SLOW,
    "Throttling": SLOW,
    "ThrottlingException": SLOW,
    "ThrottledException": SLOW,
    "TooManyRequestsException": SLOW,
    "SlowDown": SLOW,
    "InternalError": DOWN,
    "InternalFailure": DOWN,
    "InternalServerError": DOWN,
    "InternalServerException": DOWN,
    "InternalServiceException": DOWN,
    "InternalDependencyException": DOWN,
    "ServiceUnavailable": DOWN,
    "ServiceUnavailableException": DOWN,
    "RequestTimeout": DOWN,
    "ValidationException": WRONG,
    "ValidationError": WRONG,
    "ModelError": WRONG,
}
"""By the service's code."""

_SAID = (
    (r"[Cc]ould not find|[Nn]ot found|does not exist|No scalable target", MISSING),
    (r"already exist|must be unique|Cannot create already existing", EXISTS),
    (r"in-progress|in progress|is in (status|state)|currently (in use|being)|pending", BUSY),
    (r"[Cc]ould not assume role|not authorized|unable to assume", DENIED),
    (r"service limit|quota", FULL),
)
MESSAGES: Mapping[str, tuple[tuple[str, Meaning], ...]] = {
    "ValidationException": _SAID,
    "ValidationError": _SAID,
    "ResourceInUse": _SAID,
    "ConflictException": _SAID,
}
"""By code, patterns of messages: the first that is found decides; the table above where none is."""

EXCEPTIONS: Mapping[str, Meaning] = {
    "NoCredentialsError": EXPIRED,
    "PartialCredentialsError": EXPIRED,
    "CredentialRetrievalError": EXPIRED,
    "ProfileNotFound": EXPIRED,
    "TokenRetrievalError": EXPIRED,
    "SSOTokenLoadError": EXPIRED,
    "UnauthorizedSSOTokenError": EXPIRED,
    "ParamValidationError": WRONG,
    "HTTPClientError": DOWN,
    "ConnectionError": DOWN,
    "BotoCoreError": UNKNOWN,
}
"""By the name of the client's exception or of one that it comes from."""

CAPACITY = re.compile(
    r"CapacityError|insufficient capacity|InsufficientInstanceCapacity|not enough capacity", re.IGNORECASE
)
"""In a FailureReason: the region has no such machine now. No error of the API says it."""


def meaning(code: str, message: str) -> Meaning:
    """What an answer with that code and message means; a plain ProviderError where no table knows."""
    for pattern, found in MESSAGES.get(code, ()):
        if re.search(pattern, message):
            return found
    return CODES.get(code, UNKNOWN)


def raised(operation: str, error: Exception) -> ProviderError | None:
    """Our error for one of the client's; None when it is none of the client's."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict) and "Error" in answer:
        return _answered(operation, answer)
    ancestors = [kind.__name__ for kind in type(error).__mro__]
    for name, found in EXCEPTIONS.items():
        if name in ancestors:
            return found.error(f"{operation}: {error}", operation=operation, code=ancestors[0], hint=found.hint)
    return None


def _answered(operation: str, answer: Mapping[str, Any]) -> ProviderError:
    code, message = str(answer["Error"].get("Code", "")), str(answer["Error"].get("Message", ""))
    found = meaning(code, message)
    request = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
    return found.error(
        f"{operation}: {message or code}", operation=operation, code=code, request_id=request, hint=found.hint
    )


def translated(operation: str) -> AbstractContextManager[None]:
    """Turn what the client raises into ours; see `cloudml.clouds.errors.translated`."""
    return clouds.translated(operation, raised)
