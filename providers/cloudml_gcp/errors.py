"""What Google says -> our errors, as data.

A refusal carries the name of a status, an operation that failed its number, and both mean the same; where one status
means several things, the message decides. What comes from something in between has an HTTP status only. Sources: the
comments of google.rpc.Code for statuses, numbers and their HTTP statuses; messages as users have reported them.
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
from cloudml_gcp import permissions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

SIGN_IN = "sign in (`gcloud auth application-default login`) or set GOOGLE_APPLICATION_CREDENTIALS"
LIST = "docs/gcp-permissions.md has the whole list"
GRANT = f"grant that permission to this identity; {LIST}"
ACT = f"grant `iam.serviceAccounts.actAs` on that service account to this identity; {LIST}"
ENABLE = "switch the API on: `gcloud services enable aiplatform.googleapis.com cloudscheduler.googleapis.com`"
QUOTA = "ask for more on the console's page of quotas, or choose another machine or region; spot and GPUs count apart"
LATER = "try again"
REGION = "the service is not there in every region: choose another one"


EXPIRED = Meaning(AuthenticationError, SIGN_IN)
DENIED = Meaning(PermissionDeniedError, GRANT)
NOT_AS = Meaning(PermissionDeniedError, ACT)
DISABLED = Meaning(PermissionDeniedError, ENABLE)
MISSING = Meaning(NotFoundError)
EXISTS = Meaning(AlreadyExistsError)
BUSY = Meaning(ConflictError, "wait until it has settled, then try again")
FULL = Meaning(QuotaExceededError, QUOTA)
SLOW = Meaning(ThrottledError, LATER)
DOWN = Meaning(UnavailableError, LATER)
WRONG = Meaning(InvalidRequestError)
ELSEWHERE = Meaning(InvalidRequestError, REGION)
UNKNOWN = Meaning(ProviderError)

STATUSES: Mapping[str, Meaning] = {
    "CANCELLED": UNKNOWN,
    "UNKNOWN": DOWN,
    "INVALID_ARGUMENT": WRONG,
    "DEADLINE_EXCEEDED": DOWN,
    "NOT_FOUND": MISSING,
    "ALREADY_EXISTS": EXISTS,
    "PERMISSION_DENIED": DENIED,
    "RESOURCE_EXHAUSTED": SLOW,
    "FAILED_PRECONDITION": BUSY,
    "ABORTED": BUSY,
    "OUT_OF_RANGE": WRONG,
    "UNIMPLEMENTED": ELSEWHERE,
    "INTERNAL": DOWN,
    "UNAVAILABLE": DOWN,
    "DATA_LOSS": UNKNOWN,
    "UNAUTHENTICATED": EXPIRED,
}
"""By the name of the status; in the order of their numbers, which begin with 1."""
NUMBERS: Mapping[int, str] = dict(enumerate(STATUSES, 1))
"""By number, as operations and jobs say it."""
HTTP: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""By HTTP status, where the answer names no other; every other one from 500 up is ``INTERNAL``."""

MESSAGES: Mapping[str, tuple[tuple[str, Meaning], ...]] = {
    "RESOURCE_EXHAUSTED": (
        (r"quota metrics exceed quota limits|custom_model_|[Aa]llocation|exceeds? (the )?limit", FULL),
        (r"per (minute|second|day)|[Rr]ate", SLOW),
    ),
    "PERMISSION_DENIED": (
        (r"has not been used in project|SERVICE_DISABLED|it is disabled", DISABLED),
        (r"to act as service|iam\.serviceAccounts\.actAs", NOT_AS),
    ),
    "INVALID_ARGUMENT": ((r"already exists", EXISTS), (r"does not exist|[Nn]ot found", MISSING)),
    "FAILED_PRECONDITION": ((r"already exists", EXISTS), (r"does not exist", MISSING)),
}
"""By status, patterns of messages: the first that is found decides; the table above where none is."""

EXCEPTIONS: Mapping[str, Meaning] = {
    "DefaultCredentialsError": EXPIRED,
    "RefreshError": EXPIRED,
    "TransportError": DOWN,
    "RequestException": DOWN,
    "GoogleAuthError": EXPIRED,
}
"""By the name of the client's exception or of one that it comes from."""

CAPACITY = re.compile(
    r"[Rr]esources are insufficient|insufficient (resources|capacity)|stockout|out of capacity"
    r"|Machine type temporarily unavailable"
)
"""In what a job or a deployment says of itself: the region has no such machine now."""
AT_FAULT = 500


class AnswerError(Exception):
    """An answer that is none, as it came.

    Args:
        http: The HTTP status.
        body: What was in it: the JSON, where it was that.
        text: The beginning of it as text.
    """

    def __init__(self, http: int, body: Any, text: str) -> None:
        super().__init__(text)
        self.http, self.body, self.text = http, body, text


def meaning(status: str, message: str) -> Meaning:
    """What an answer with that status and message means; a plain ProviderError where no table knows."""
    for pattern, found in MESSAGES.get(status, ()):
        if re.search(pattern, message):
            return found
    return STATUSES.get(status, UNKNOWN)


def advice(operation: str, found: Meaning) -> str:
    """What to do about a refusal: where Google may not say which permission is missing, what the operation asks for."""
    asked = permissions.OPERATIONS.get(operation, ())
    if found is not DENIED or not asked:
        return found.hint
    return f"grant {' and '.join(f'`{name}`' for name in asked)} on the project to this identity; {LIST}"


def status_of(http: int) -> str:
    """The name of the status that an HTTP status stands for."""
    return HTTP.get(http, "INTERNAL" if http >= AT_FAULT else "UNKNOWN")


def said(error: AnswerError) -> tuple[str, str]:
    """Status and message of a refusal, whatever has answered."""
    body = error.body[0] if isinstance(error.body, list) and error.body else error.body
    told = body.get("error") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return status_of(error.http), error.text.strip() or f"HTTP {error.http}"
    status = told.get("status") or status_of(int(told.get("code") or error.http))
    return str(status), _worded(told)


def _worded(told: Mapping[str, Any]) -> str:
    """The message, and which fields are at fault where the details say it and the message does not."""
    message = str(told.get("message", ""))
    details = [one for one in told.get("details", ()) if isinstance(one, dict)]
    fields = [violation for one in details for violation in one.get("fieldViolations", ())]
    more = [f"{one.get('field', '')}: {one.get('description', '')}" for one in fields]
    kept = [text for text in more if text.partition(": ")[2] not in message]
    return "; ".join([message, *kept]).replace("\t", " ")


def of_status(operation: str, number: int, message: str) -> ProviderError:
    """Our error for the number and message in an operation or a job that failed."""
    status = NUMBERS.get(number, str(number))
    found = meaning(status, message)
    hint = advice(operation, found)
    return found.error(f"{operation}: {message or status}", operation=operation, code=status, hint=hint)


def raised(operation: str, error: Exception) -> ProviderError | None:
    """Our error for one of the client's; None when it is none of the client's."""
    if isinstance(error, AnswerError):
        status, message = said(error)
        found = meaning(status, message)
        hint = advice(operation, found)
        return found.error(f"{operation}: {message or status}", operation=operation, code=status, hint=hint)
    ancestors = [kind.__name__ for kind in type(error).__mro__]
    for name, found in EXCEPTIONS.items():
        if name in ancestors:
            return found.error(f"{operation}: {error}", operation=operation, code=ancestors[0], hint=found.hint)
    return None


def translated(operation: str) -> AbstractContextManager[None]:
    """Turn what the client raises into ours; see `cloudml.clouds.errors.translated`."""
    return clouds.translated(operation, raised)
