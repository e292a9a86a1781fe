"""One prediction: what a request may be, and what becomes of an answer that is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cloudml.errors import InvalidRequestError, NotFoundError, ProviderError, ThrottledError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATION = "sagemaker-runtime:InvokeEndpoint"
LARGEST_BYTES = 6 * 2**20
"""SageMaker takes no larger body. Source: the reference of InvokeEndpoint."""
SHOWN = 500
CALLERS_FAULT = range(400, 500)
BUSY = 429


def refuse_large(body: bytes) -> None:
    """Refuse a body that SageMaker would not take.

    Raises:
        InvalidRequestError: It is larger than 6 MiB.
    """
    if len(body) > LARGEST_BYTES:
        raise InvalidRequestError(
            f"the request has {len(body)} bytes, and an endpoint takes at most {LARGEST_BYTES} (6 MiB)",
            operation=OPERATION,
            code="TooLarge",
            hint="send fewer rows at once",
        )


def answered(name: str, error: ProviderError) -> ProviderError:
    """The error for what InvokeEndpoint refused, in the container's own words where it said any."""
    if error.code == "ModelError":
        return by_container(name, getattr(error.__cause__, "response", {}))
    if isinstance(error, NotFoundError):
        return NotFoundError(
            f"there is no endpoint `{name}`", operation=OPERATION, code=error.code, request_id=error.request_id
        )
    if "not in service" in error.message:
        error = UnavailableError(error.message, operation=OPERATION, code=error.code, request_id=error.request_id)
    if isinstance(error, UnavailableError):
        error.hint = f"try again; `cloudml endpoint logs {name}` shows what it printed"
    return error


def by_container(name: str, answer: Mapping[str, Any]) -> ProviderError:
    """The error for a container that answered with another status than 200, or not in time."""
    status = int(answer.get("OriginalStatusCode") or 0)
    message, request = said(str(answer.get("OriginalMessage") or answer.get("Error", {}).get("Message", "")))
    kind: type[ProviderError] = UnavailableError
    if status in CALLERS_FAULT:
        kind = ThrottledError if status == BUSY else InvalidRequestError
    hint = "" if kind is InvalidRequestError else f"`cloudml endpoint logs {name}` shows what it printed"
    return kind(
        f"endpoint `{name}` {f'answered {status}' if status else 'did not answer'}: {message}",
        operation=OPERATION,
        code=str(status or "Timeout"),
        request_id=request or str(answer.get("ResponseMetadata", {}).get("RequestId", "")),
        hint=hint,
    )


def said(text: str) -> tuple[str, str]:
    """The message and the request id in what the container wrote: our JSON, which one toolkit follows by a trace."""
    try:
        error = json.loads(text.partition("\n")[0])["error"]
        return str(error["message"]), str(error.get("request_id", ""))
    except (ValueError, KeyError, TypeError):
        return text[:SHOWN], ""


def of_own_handlers(error: ProviderError) -> bool:
    """Whether a handler of the user's refused a request for no predictions, which shows that the endpoint answers.

    A model that cannot be loaded is not meant: one image says that it is well and fails at the first request, with
    model_fn in the trace.
    """
    text = str(getattr(error.__cause__, "response", {}).get("OriginalMessage", "")) + error.message
    return error.code not in {"Timeout", ""} and error.code.isdigit() and "model_fn" not in text
