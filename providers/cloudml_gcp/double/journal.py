"""Cloud Logging of the double: entries, on the double's clock, and the requests that read and remove them."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudml_gcp.double import filters, wire
from cloudml_gcp.double.objects import when
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

MOST = 1000
LONGEST = 256 * 1024
"""Bytes of one entry; Cloud Logging takes no more."""


class Journal:
    """All entries of one double, in the order in which they came.

    Args:
        project: The project's id, which is in the names of logs.
    """

    def __init__(self, project: str) -> None:
        self.project = project
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []
        self._count = 0

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add an entry; it gets its place among the others."""
        with self._lock:
            self._count += 1
            self._entries.append({"insertId": f"double{self._count:012d}", **entry})

    def entries(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._entries)

    def remove(self, log: str) -> None:
        """Remove what a log holds."""
        with self._lock:
            self._entries = [one for one in self._entries if one["logName"] != log]


def job_line(world: World, job: str, task: str, line: str) -> None:
    """Write a line of a training container: JSON becomes fields, anything else a message."""
    labels = {"job_id": job, "project_id": world.project, "task_name": task}
    _write(world, ("ml_job", labels), task, _payload(line))


def endpoint_line(world: World, endpoint: str, deployed: str, line: str) -> None:
    """Write a line of a serving container."""
    labels = {"endpoint_id": endpoint, "location": world.region, "resource_container": world.project}
    log = "aiplatform.googleapis.com/prediction_container"
    payload = _payload(line)
    text = payload["jsonPayload"]
    shown = {"textPayload": text["message"]} if set(text) == {"message", "levelname"} else payload
    _write(
        world,
        ("aiplatform.googleapis.com/Endpoint", labels),
        log,
        {"labels": {"deployed_model_id": deployed}, **shown},
    )


def _payload(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line) if line.lstrip().startswith("{") else None
    except ValueError:
        said = None
    return {"jsonPayload": said if isinstance(said, dict) else {"message": line[:LONGEST], "levelname": "INFO"}}


def _write(world: World, resource: tuple[str, dict[str, str]], log: str, payload: Mapping[str, Any]) -> None:
    kind, labels = resource
    now = when(world.clock.now())
    severity = payload.get("jsonPayload", {}).get("severity", "INFO")
    world.journal.write(
        {
            "logName": f"projects/{world.project}/logs/{quote(log, safe='')}",
            "resource": {"type": kind, "labels": labels},
            "timestamp": now,
            "receiveTimestamp": now,
            "severity": severity if isinstance(severity, str) else "INFO",
            **payload,
        }
    )


def read(_world: World, request: Request) -> Asked | None:
    """What a request asks of Cloud Logging."""
    if request.path.rstrip("/") == "/v2/entries:list":
        said = request.json()
        return Asked(service="logging", operation="entries.list", about=str(said.get("filter", "")), parameters=said)
    match request.segments:
        case ["v2", "projects", _, "logs", _] if request.verb == "DELETE":
            name = request.path.removeprefix("/v2/")
            return Asked(service="logging", operation="logs.delete", about=name, parameters={"logName": name})
        case ["v2", *_]:
            return Asked(service="logging", operation="nothing")
        case _:
            return None


def answer(world: World, _request: Request, asked: Asked) -> Answer:
    """Carry out what is asked of Cloud Logging.

    Raises:
        Refused: It says no.
    """
    operation = OPERATIONS.get(asked.operation)
    return operation(world, asked.parameters) if operation else wire.NOWHERE


def refused(_request: Request, refusal: Refused) -> Answer:
    return wire.error(refusal)


def _list(world: World, said: Mapping[str, Any]) -> Answer:
    """A page of entries; oldest first unless the request says otherwise."""
    names = said.get("resourceNames") or []
    if not names:
        raise Refused("INVALID_ARGUMENT", "At least one resource name must be specified.")
    if not any(name in {f"projects/{world.project}", f"projects/{world.number}"} for name in names):
        raise Refused("PERMISSION_DENIED", f"Permission denied for {names[0]}.")
    asked = filters.question(said.get("filter", ""))
    found = [entry for entry in world.journal.entries() if asked(_look(entry))]
    found.sort(key=lambda entry: entry["timestamp"], reverse=str(said.get("orderBy", "")).endswith("desc"))
    count, start = min(int(said.get("pageSize") or 50), MOST), int(said.get("pageToken") or 0)
    if start == 0 and world.domain("empty-page", "entries") is not None:
        return as_json({"nextPageToken": "0"})
    more = {"nextPageToken": str(start + count)} if start + count < len(found) else {}
    return as_json({**({"entries": found[start : start + count]} if found else {}), **more})


def _look(entry: Mapping[str, Any]) -> Callable[[str], Any]:
    def value(path: str) -> Any:
        found: Any = entry
        parts = path.split(".")
        while parts:
            if not isinstance(found, dict):
                return None
            whole = ".".join(parts)
            if whole in found:
                return found[whole]
            found = found.get(parts.pop(0))
        return found

    return value


def _remove(world: World, said: Mapping[str, Any]) -> Answer:
    name = str(said["logName"]).replace(f"projects/{world.number}/", f"projects/{world.project}/")
    if name not in {entry["logName"] for entry in world.journal.entries()}:
        raise Refused("NOT_FOUND", f"Log {name} does not exist.")
    world.journal.remove(name)
    return as_json({})


OPERATIONS: Mapping[str, Callable[[World, Mapping[str, Any]], Answer]] = {
    "entries.list": _list,
    "logs.delete": _remove,
}
