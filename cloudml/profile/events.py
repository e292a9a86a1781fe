"""What each cloud records of an endpoint's traffic, one pure function per format: a recorded line -> an event.

| format | who writes it | a line |
|---|---|---|
| cloudml | our own servers | Parquet, a row per instance (`capture.py` reads it in batches) |
| sagemaker | SageMaker data capture | `captureData.endpointInput` and `.endpointOutput`, encoded bodies |
| azure | Azure ML's data collector | `data`: the rows of one collection, inputs and outputs in separate files |
| vertex | Vertex AI's request-response log | `request_payload` and `response_payload`, lists of JSON texts |
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cloudml.profile import payloads
from cloudml.profile.kinds import seconds
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Event:
    """Rows that went in and came out together.

    Attributes:
        time: Seconds since 1970; None when the line does not say.
    """

    time: float | None
    instances: list[Any] = field(default_factory=list)
    predictions: list[Any] = field(default_factory=list)


def sagemaker(line: Mapping[str, Any]) -> Event:
    captured = line["captureData"]
    return Event(
        seconds(line.get("eventMetadata", {}).get("inferenceTime")),
        _body(captured.get("endpointInput")),
        _body(captured.get("endpointOutput")),
    )


def _body(side: Mapping[str, Any] | None) -> list[Any]:
    """The rows of one side; a side that was not captured, or was not text, has none."""
    if not side or side.get("data") is None:
        return []
    data, encoding = side["data"], str(side.get("encoding", "JSON")).upper()
    if encoding == "BASE64":
        data = b64decode(data).decode()
    default = "text/csv" if encoding == "CSV" else "application/json"
    return payloads.rows(data, side.get("observedContentType") or default)


def azure(line: Mapping[str, Any]) -> Event:
    """Collections are named model_inputs and model_outputs, or request and response for whole bodies."""
    collection = str(line["type"]).rpartition(".")[2]
    data = line["data"]
    found = payloads.rows(data) if isinstance(data, str) else payloads.of_value(data)
    return Event(seconds(line.get("time")), **{_COLLECTIONS[collection]: found})


_COLLECTIONS: Mapping[str, str] = {
    "model_inputs": "instances",
    "request": "instances",
    "model_outputs": "predictions",
    "response": "predictions",
}


def vertex(line: Mapping[str, Any]) -> Event:
    return Event(
        seconds(str(line.get("logging_time") or "")),
        _payload(line.get("request_payload")),
        _payload(line.get("response_payload")),
    )


def _payload(texts: list[str] | None) -> list[Any]:
    """Each text is one row, or a whole body with its rows under `instances` or `predictions`."""
    return [row for text in texts or () for row in _unwrapped(json.loads(text))]


def _unwrapped(value: object) -> list[Any]:
    return payloads.of_value(value) if isinstance(value, dict) else [value]


EVENTS: Mapping[str, Callable[[Mapping[str, Any]], Event]] = {
    "sagemaker": sagemaker,
    "azure": azure,
    "vertex": vertex,
}
