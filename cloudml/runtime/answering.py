"""One request, one answer: what the server, the generated shims and a caller in the same process share.

Whose fault is an exception of a predictor? A `BadRequest` is the caller's. So is a ValueError, KeyError, IndexError or
TypeError that one row alone brings about again: the answer is 400 and names the row. Every other one is ours: 500, and
the caller learns nothing of it but the id under which the log has it.
"""

from __future__ import annotations

import logging
import re
import uuid
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence

from cloudml.runtime import codec
from cloudml.runtime.model import Foreign, Model, Parameters, PredictionError
from cloudml.runtime.refusal import BadRequest

CALLERS = (ValueError, KeyError, IndexError, TypeError)
CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "slow_body",
    406: "not_acceptable",
    413: "too_large",
    415: "unknown_content_type",
    500: "internal",
    503: "unavailable",
    504: "timeout",
}
OURS = "the model failed; the server's log has the reason under this request id"
SAID_CHARACTERS = 200
_INSIDE = re.compile(r"[/\\][\w.-]+[/\\]|0x[0-9a-f]{6,}")
"""A path or an address: not for the caller's eyes."""
_ROW = re.compile(r"^row \d+: ")
_log = logging.getLogger("cloudml.serving")


class Reply(NamedTuple):
    """An answer of HTTP."""

    status: int
    body: bytes
    content_type: str


NOTHING = Reply(200, b'{"predictions":[]}', codec.JSON)
"""The answer to a request for no predictions."""
_NO_ROWS = re.compile(rb'\s*\{\s*"instances"\s*:\s*\[\s*\]\s*\}\s*')


def asks_nothing(body: bytes) -> bool:
    """Whether it is ``{"instances": []}``, which looks whether the server answers; no model is asked for that."""
    return _NO_ROWS.fullmatch(body) is not None


def answer(model: Model, body: bytes, content_type: str | None = None, accept: str | None = None) -> Reply:
    """The answer to a body, as the server gives it, without a server."""
    request_id = uuid.uuid4().hex
    try:
        if asks_nothing(body):
            return NOTHING
        if isinstance(model, Foreign):
            return Reply(200, *model.invoke(body, content_type, accept))
        request = codec.decode(body, content_type, model.names)
        predictions = predict(model, request.instances, request.parameters)
        return Reply(200, *codec.encode(predictions, accept, request))
    except BadRequest as error:
        return refused(error, request_id)
    except (Exception, SystemExit):  # noqa: BLE001  a predictor may raise anything; the log says what
        _log.exception("request %s failed", request_id)
        return failed(500, OURS, request_id)


def predict(model: Model, instances: List[Any], parameters: Parameters | None = None) -> List[Any]:
    """A prediction for each instance.

    Raises:
        BadRequest: A row is at fault; it is named.
        PredictionError: The model gave back another number of predictions.
    """
    if not instances:
        return []
    try:
        found = model.predict(instances, parameters)
    except BadRequest:
        raise
    except CALLERS as error:
        row = guilty(model, instances, parameters, error)
        if row is None:
            raise
        raise blamed(error, row, instances[row]) from error
    if len(found) != len(instances):
        raise PredictionError(f"the model gave back {len(found)} predictions for {len(instances)} instances")
    return found


def guilty(model: Model, instances: List[Any], parameters: Parameters | None, error: Exception) -> int | None:
    """The row that brings the error about again when it is alone; None when there is none. Found by halving."""
    if isinstance(error, AttributeError) or not instances:  # a model that was never fitted raises a ValueError too
        return None
    first, count = 0, len(instances)
    while count > 1:
        half = count // 2
        if _raises(model, instances[first : first + half], parameters):
            count = half
        else:
            first, count = first + half, count - half
    alone = len(instances) == 1 or _raises(model, instances[first : first + 1], parameters)
    return first if alone else None


def blamed(error: Exception, row: int, instance: Any) -> BadRequest:
    """The refusal of a row, in the words of the predictor's error unless they tell of paths."""
    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    if isinstance(key, str) and isinstance(instance, dict):
        field = next((name for name, value in instance.items() if value == key), None)
        if field is not None:
            return BadRequest(f"the value of `{field}` is not known", row=row, field=field)
        if key not in instance:
            return BadRequest(f"no field `{key}`", row=row, field=key)
    return BadRequest(_said(error), row=row)


def refused(error: BadRequest, request_id: str) -> Reply:
    """The answer that says what is wrong."""
    return failed(error.status, str(error), request_id, error.facts())


def failed(status: int, message: str, request_id: str, facts: Mapping[str, Any] | None = None) -> Reply:
    """``{"error": {"code", "message", "row", "field", "request_id"}}``."""
    code = CODES.get(status, "refused")
    error: Dict[str, Any] = {"code": code, "message": message, **(facts or {}), "request_id": request_id}
    return Reply(status, codec.dumps({"error": error}), codec.JSON)


def _raises(model: Model, instances: Sequence[Any], parameters: Parameters | None) -> bool:
    try:
        model.predict(list(instances), parameters)
    except CALLERS:
        return True
    return False


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    text = _ROW.sub("", lines[0]) if lines else ""
    if not text or _INSIDE.search(text):
        return f"the model refuses it ({type(error).__name__})"
    return text if len(text) <= SAID_CHARACTERS else text[:SAID_CHARACTERS] + "…"
