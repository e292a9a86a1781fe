"""One prediction: with what it is asked for, and what becomes of an answer that is none.

The service answers 424 for every other status than 200 of the container, and tells that one in a header. Source: "HTTP
status codes for online endpoints" in the guide to troubleshooting.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cloudml.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    ThrottledError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATION = "Endpoints_Score"
DEPLOYMENT = "azureml-model-deployment"
"""The header that asks one deployment, whatever its traffic, and that says who answered."""
MODEL_STATUS, MODEL_REASON = "ms-azureml-model-error-statuscode", "ms-azureml-model-error-reason"
OK = 200
MODEL_FAILED = 424
UNAUTHORIZED = 401
NOBODY = 404
SHOWN = 500
CALLERS_FAULT = range(400, 500)
BUSY = 429
KINDS: Mapping[int, tuple[type[ProviderError], str]] = {
    400: (InvalidRequestError, ""),
    401: (AuthenticationError, "sign in, or have the key looked up: `cloudml endpoint show` says who may ask"),
    403: (PermissionDeniedError, "ask for the action onlineEndpoints/score/action on the endpoint"),
    404: (UnavailableError, "no deployment gets its traffic yet: `cloudml up` goes on"),
    408: (UnavailableError, "the model took longer than `request_timeout_s` of the target"),
    413: (InvalidRequestError, "send fewer rows at once"),
    429: (ThrottledError, "try again, or let the endpoint have more instances"),
}


def headers(key: str, content_type: str, accept: str, deployment: str = "") -> dict[str, str]:
    """The headers of a request.

    Args:
        key: A key or a token.
        content_type: Of the body.
        accept: What is wanted.
        deployment: The deployment that is asked; the traffic decides when empty.
    """
    found = {"Authorization": f"Bearer {key}", "Content-Type": content_type, "Accept": accept}
    return {**found, DEPLOYMENT: deployment} if deployment else found


def refused(name: str, status: int, head: Mapping[str, str], body: bytes) -> ProviderError:
    """The error for an answer that is no prediction."""
    by_model = int(head.get(MODEL_STATUS) or 0) if status == MODEL_FAILED else 0
    message, request = said(body.decode("utf-8", "replace"))
    message = message or head.get(MODEL_REASON, "")
    request = request or head.get("x-ms-request-id", "")
    code, log = str(by_model or status), f"`cloudml endpoint logs {name}` shows what it printed"
    kind: type[ProviderError] = UnavailableError
    hint = log
    if by_model in CALLERS_FAULT:
        kind = ThrottledError if by_model == BUSY else InvalidRequestError
        hint = "" if kind is InvalidRequestError else log
    elif status in KINDS:
        kind, hint = KINDS[status]
    return kind(
        f"endpoint `{name}` answered {code}: {message or 'nothing'}",
        operation=OPERATION,
        code=code,
        request_id=request,
        hint=hint,
    )


def missing(name: str) -> NotFoundError:
    """The error for an endpoint that is not there."""
    return NotFoundError(f"there is no endpoint `{name}`", operation=OPERATION)


def said(text: str) -> tuple[str, str]:
    """The message and the request id in what the container wrote."""
    try:
        error = json.loads(text)["error"]
        return str(error["message"]), str(error.get("request_id", ""))
    except (ValueError, KeyError, TypeError):
        return text[:SHOWN], ""
