"""One prediction: what a request may be, and what becomes of an answer that is none.

``:rawPredict`` passes bodies on as they are, both ways; ``:predict`` would make every integer a floating number. An
error of the container comes back as FAILED_PRECONDITION, whatever its status was, with its own words as the message.
Sources: "Get online inferences" of Vertex AI for the limit, and for the rest what users report.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudml.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
    ThrottledError,
    UnavailableError,
)
from cloudml.runtime.contract import ACCEPT

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATION = "aiplatform:RawPredict"
LARGEST_BYTES = 10_000_000
"""What a dedicated endpoint takes."""
SMOKE = b'{"instances":[]}'
"""A request for no predictions, which shows whether a server answers."""
SHOWN = 500
CALLERS_FAULT = range(400, 500)
BUSY = 429
ANSWERED_BY_CONTAINER = ("FAILED_PRECONDITION", "INTERNAL", "INVALID_ARGUMENT")
NO_TRAFFIC = "traffic_split"


def refuse_large(body: bytes) -> None:
    """Refuse a body that Vertex AI would not take.

    Raises:
        InvalidRequestError: It is larger than 10 MB.
    """
    if len(body) > LARGEST_BYTES:
        raise InvalidRequestError(
            f"the request has {len(body)} bytes, and an endpoint takes at most {LARGEST_BYTES} (10 MB)",
            operation=OPERATION,
            code="TooLarge",
            hint="send fewer rows at once",
        )


def wanting(content_type: str, accept: str) -> str:
    """The content type with what is wanted in it: RawPredictRequest has a body of a type, and nothing for Accept."""
    kind = content_type.partition(";")[0].strip().lower()
    if accept.strip().lower() in {"", "*/*", kind}:
        return content_type
    return f'{content_type}; {ACCEPT}="{quote(accept, safe="/*")}"'


def answered(name: str, error: ProviderError) -> ProviderError:
    """The error for what rawPredict refused, in the container's own words where it said any."""
    told = said(error.message)
    if told:
        return by_container(name, told)
    if isinstance(error, NotFoundError):
        return NotFoundError(f"there is no endpoint `{name}`", operation=OPERATION, code=error.code)
    if isinstance(error, ConflictError):
        why = "no model of it gets traffic" if NO_TRAFFIC in error.message else error.message[:SHOWN]
        error = UnavailableError(f"endpoint `{name}` did not answer: {why}", operation=OPERATION, code=error.code)
    if isinstance(error, UnavailableError):
        error.hint = f"try again; `cloudml endpoint logs {name}` shows what it printed"
    return error


def by_container(name: str, told: Mapping[str, Any]) -> ProviderError:
    """The error for a container that answered with a refusal of ours."""
    from cloudml.runtime.answering import CODES

    status = next((number for number, code in CODES.items() if code == told.get("code")), 0)
    kind: type[ProviderError] = UnavailableError
    if status in CALLERS_FAULT:
        kind = ThrottledError if status == BUSY else InvalidRequestError
    hint = "" if kind is InvalidRequestError else f"`cloudml endpoint logs {name}` shows what it printed"
    return kind(
        f"endpoint `{name}` answered {status or 'an error'}: {told.get('message', '')}",
        operation=OPERATION,
        code=str(status or told.get("code", "")),
        request_id=str(told.get("request_id", "")),
        hint=hint,
    )


def said(text: str) -> Mapping[str, Any]:
    """Our own error in the words of an answer; empty where there is none."""
    start = text.find('{"error":')
    if start < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:])
        error = found["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) and "message" in error else {}
