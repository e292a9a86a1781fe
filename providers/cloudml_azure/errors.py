"""What Azure says -> our errors, as data.

A code decides, and where one code means several things, the message. A code that no table knows is read by its HTTP
status. An operation that takes time can fail after it was accepted: its status is then read with HTTP 200, and the
error stands in the document; `failure` says what it means. Sources: "Troubleshoot online endpoints deployment" and
"Common Azure deployment errors" of Microsoft's documentation, and the issues that the reference report names.
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
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

SIGN_IN = "sign in (`az login`), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
GRANT = "grant that action to this identity; docs/azure-permissions.md has the whole list"
QUOTA = (
    "ask for more cores of that family under Quotas in the portal, or choose another machine; endpoints need a fifth"
    " more for upgrades, and accelerators begin at zero"
)
LATER = "try again"


EXPIRED = Meaning(AuthenticationError, SIGN_IN)
DENIED = Meaning(PermissionDeniedError, GRANT)
MISSING = Meaning(NotFoundError)
EXISTS = Meaning(AlreadyExistsError)
FORBIDDEN = Meaning(PermissionDeniedError, "a policy of the subscription forbids it: ask who set it")
TAKEN = Meaning(ConflictError, "somebody in that region has an endpoint of that name: call yours otherwise in the file")
BUSY = Meaning(ConflictError, "wait until it has settled, then try again")
FULL = Meaning(QuotaExceededError, QUOTA)
SLOW = Meaning(ThrottledError, LATER)
DOWN = Meaning(UnavailableError, LATER)
WRONG = Meaning(InvalidRequestError)
UNKNOWN = Meaning(ProviderError)

CODES: Mapping[str, Meaning] = {
    "AuthenticationFailed": EXPIRED,
    "ExpiredAuthenticationToken": EXPIRED,
    "InvalidAuthenticationToken": EXPIRED,
    "InvalidAuthenticationTokenAudience": EXPIRED,
    "InvalidAuthenticationTokenTenant": EXPIRED,
    "InvalidAuthenticationInfo": EXPIRED,
    "Unauthorized": EXPIRED,
    "AuthorizationFailed": DENIED,
    "LinkedAuthorizationFailed": DENIED,
    "RequestDisallowedByPolicy": FORBIDDEN,
    "SubscriptionNotFound": MISSING,
    "ResourceGroupNotFound": MISSING,
    "ResourceNotFound": MISSING,
    "ParentResourceNotFound": MISSING,
    "NotFound": MISSING,
    "InvalidBlockList": MISSING,  # of an upload that another push has finished meanwhile
    "ResourceExists": EXISTS,
    "ResourceAlreadyExists": EXISTS,
    "AlreadyExists": EXISTS,
    "EndpointAlreadyExists": TAKEN,
    "Conflict": BUSY,
    "ResourceConflict": BUSY,
    "ConcurrentUpdate": BUSY,
    "AnotherOperationInProgress": BUSY,
    "OutOfQuota": FULL,
    "QuotaExceeded": FULL,
    "OutOfCapacity": Meaning(QuotaExceededError, "Azure has no such machine free now: try later, or choose another"),
    "TooManyRequests": SLOW,
    "SubscriptionRequestsThrottled": SLOW,
    "ResourceRequestsThrottled": SLOW,
    "OperationNotAllowed": WRONG,
    "InternalServerError": DOWN,
    "ServiceError": DOWN,
    "ServiceUnavailable": DOWN,
    "ServerTimeout": DOWN,
    "GatewayTimeout": DOWN,
    "RequestTimeout": DOWN,
    "BadRequest": WRONG,
    "BadArgument": WRONG,
    "InvalidArgument": WRONG,
    "InvalidPropertyValue": WRONG,
    "InvalidRequestContent": WRONG,
    "NoRegisteredProviderFound": Meaning(
        InvalidRequestError, "that version of the interface is not there in the region yet: set `api_version`"
    ),
    "InvalidResourceType": WRONG,
    "ValidationError": WRONG,
    "UserError": WRONG,
}
"""By the service's code."""

_SAID = (
    (r"quota|insufficient cores|not enough cores", FULL),
    (r"[Nn]ot found|[Cc]ould not find|does not exist|could not be found", MISSING),
    (r"already (taken|in use|used)|not available in (the|this) region", TAKEN),
    (r"already exists|cannot be (updated|changed|modified)|immutable", EXISTS),
    (r"provisioning state|in progress|being (created|updated|deleted)|is busy|still has traffic", BUSY),
)
MESSAGES: Mapping[str, tuple[tuple[str, Meaning], ...]] = dict.fromkeys(
    (
        "UserError", "BadRequest", "BadArgument", "ValidationError", "InvalidPropertyValue", "Conflict",
        "OperationNotAllowed", "ResourceConflict",
    ),
    _SAID,
)  # fmt: skip
"""By code, patterns of messages: the first that is found decides; the table above where none is."""

STATUSES: Mapping[int, Meaning] = {
    400: WRONG,
    401: EXPIRED,
    403: DENIED,
    404: MISSING,
    408: DOWN,
    409: BUSY,
    412: BUSY,
    422: WRONG,
    429: SLOW,
}
"""By HTTP status, for codes that no table knows; from 500 on the service is down."""
SERVERS_FAULT = 500

EXCEPTIONS: Mapping[str, Meaning] = {
    "CredentialUnavailableError": EXPIRED,
    "ClientAuthenticationError": EXPIRED,
    "ServiceRequestError": DOWN,
    "ServiceResponseError": DOWN,
    "IncompleteReadError": DOWN,
    "AzureError": UNKNOWN,
}
"""By the name of the client's exception or of one that it comes from."""

FAILURES: Mapping[str, str] = {
    "OutOfQuota": QUOTA,
    "OutOfCapacity": "the region has no such machine free now: try again later, or choose another machine",
    "ImageBuildFailure": "the image could not be built: its build log is in the studio, under Environments; a curated"
    " image, by `framework`, needs no build",
    "BadArgument": "image, model or code could not be fetched: does the endpoint's identity have AcrPull on the"
    " registry and Storage Blob Data Reader on the account, and is the file as it should be?",
    "ResourceNotReady": "the container ended, or did not answer in time: its last lines say why",
    "ResourceNotFound": "what it leans on is not there: image, model, code, subnet or identity",
    "AuthorizationFailed": "the endpoint's identity lacks a role: docs/azure-permissions.md has the list",
    "OperationCanceled": "somebody cancelled it, or another operation took its place",
    "InternalServerError": "Azure failed: run `cloudml up` again",
}
"""Why an accepted operation failed, by its code -> what to do."""
CAPACITY = re.compile(r"AllocationFailed|not sufficient capacity")
"""In what Azure says where its region has no machine left, which it counts as a quota."""
LASTING = frozenset({"OutOfQuota", "OutOfCapacity"})
"""Failures that have nothing to do with what was asked for: no container has printed a word."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation failed that was accepted before.

    Attributes:
        code: As Azure says it.
        message: In Azure's words.
        advice: What to do.
    """

    code: str
    message: str
    advice: str

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}" if self.message else self.code
        return f"{text} ({self.advice})" if self.advice else text


def failure(document: Mapping[str, Any]) -> Failure | None:
    """Why an operation failed, in its status document, however deep the code stands; None while it has not."""
    error = document.get("error")
    if not isinstance(error, dict):
        return None
    found = next((one for one in _causes(error) if one.get("code") in FAILURES), error)
    code = str(found.get("code", "")) or "Unknown"
    message = str(error.get("message") or found.get("message") or "")
    said = str(found.get("message") or "")
    whole = message if said in message else f"{message}: {said}"
    return Failure(code, whole, FAILURES.get("OutOfCapacity" if CAPACITY.search(whole) else code, ""))


def _causes(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """An error and all that it has inside, the outermost first."""
    yield error
    inner = error.get("innerError") or error.get("innererror")
    for one in (*(error.get("details") or ()), *([inner] if isinstance(inner, dict) else ())):
        if isinstance(one, dict):
            yield from _causes(one)


def meaning(code: str, message: str, status: int) -> Meaning:
    """What an answer with that code, message and HTTP status means."""
    for pattern, found in MESSAGES.get(code, ()):
        if re.search(pattern, message):
            return found
    if code in CODES:
        return CODES[code]
    return DOWN if status >= SERVERS_FAULT else STATUSES.get(status, UNKNOWN)


def answered(operation: str, status: int, document: Any, request_id: str = "") -> ProviderError:
    """Our error for an answer with that status and body."""
    error = document.get("error") if isinstance(document, dict) else None
    error = error if isinstance(error, dict) else {}
    code, message = str(error.get("code") or status), str(error.get("message") or "")
    found = meaning(code, message, status)
    return found.error(
        f"{operation}: {message or code}", operation=operation, code=code, request_id=request_id, hint=found.hint
    )


def raised(operation: str, error: Exception) -> ProviderError | None:
    """Our error for one of the client's, in its first line; None when it is none of the client's.

    Nobody being signed in is told over a page, a line for each way that was tried.
    """
    ancestors = [kind.__name__ for kind in type(error).__mro__]
    for name, found in EXCEPTIONS.items():
        if name in ancestors:
            said = str(error).partition("\n")[0]
            return found.error(f"{operation}: {said}", operation=operation, code=ancestors[0], hint=found.hint)
    return None


def translated(operation: str) -> AbstractContextManager[None]:
    """Turn what the client raises into ours; see `cloudml.clouds.errors.translated`."""
    return clouds.translated(operation, raised)
