"""Data capture: requests and answers as JSON lines in S3, in SageMaker's folders and format."""

from __future__ import annotations

import base64
import json
import random
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

LINES = 200
"""A file is begun anew after so many, or with the next hour."""
WHOLE = 100


def record(
    world: World,
    config: Record,
    folder: str,
    asked: tuple[str, bytes],
    answered: tuple[str, bytes],
    facts: Mapping[str, Any],
) -> None:
    """Keep a request and its answer, if the configuration wants this one; it is in S3 at once.

    Args:
        folder: ``<endpoint>/<variant>``.
        asked: Content type and body.
    """
    rules = config.get("DataCaptureConfig")
    if not rules or not rules.get("EnableCapture"):
        return
    if random.random() * WHOLE >= rules["InitialSamplingPercentage"]:  # noqa: S311  a sample
        return
    now = world.clock.now()
    modes = {option["CaptureMode"] for option in rules["CaptureOptions"]}
    sides = {"endpointInput": ("INPUT", *asked), "endpointOutput": ("OUTPUT", *answered)}
    wanted = {"INPUT": {"Input", "InputAndOutput"}, "OUTPUT": {"Output", "InputAndOutput"}}
    line = {
        "captureData": {name: _side(rules, *side) for name, side in sides.items() if modes & wanted[side[0]]},
        "eventMetadata": {
            "eventId": str(uuid.uuid4()),
            **facts,
            "inferenceTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "eventVersion": "0",
    }
    place = f"{rules['DestinationS3Uri'].rstrip('/')}/{folder}/{now:%Y/%m/%d/%H}"
    _append(world, place, f"{now:%M-%S}-{now.microsecond // 1000:03d}", line)


def _side(rules: Mapping[str, Any], mode: str, kind: str, body: bytes) -> dict[str, Any]:
    headers = rules.get("CaptureContentTypeHeader", {})
    plain = kind.partition(";")[0].strip()
    known = {"CSV": headers.get("CsvContentTypes", ()), "JSON": headers.get("JsonContentTypes", ())}
    encoding = next((name for name, kinds in known.items() if plain in kinds), "BASE64")
    text = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8", "replace")
    return {"observedContentType": kind, "mode": mode, "data": text, "encoding": encoding}


def _append(world: World, folder: str, moment: str, line: Mapping[str, Any]) -> None:
    content = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    with world.lock:
        name, lines = world.live.get(f"capture/{folder}", ("", []))
        if not name or len(lines) >= LINES:
            name, lines = f"{folder}/{moment}-{uuid.uuid4()}.jsonl", []
        lines.append(content)
        world.live[f"capture/{folder}"] = name, lines
        world.objects.put(name, b"".join(lines))
