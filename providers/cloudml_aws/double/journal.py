"""CloudWatch Logs of the double: groups, streams and events, on the double's clock."""

from __future__ import annotations

import threading
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml_aws.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_aws.double.world import World

    Operation = Callable[["World", Mapping[str, Any]], dict[str, Any]]

LONGEST = 262_144 - 26
"""Bytes of one event; CloudWatch cuts longer ones."""


@dataclass(slots=True)
class Stream:
    """The lines of one container: when each came, and what it says."""

    created: int
    events: list[tuple[int, int, str]] = field(default_factory=list)


class Journal:
    """All log groups."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[str, dict[str, Stream]] = {}
        self._count = 0

    def write(self, group: str, stream: str, moment: int, line: str) -> None:
        """Add a line; group and stream come into being with the first."""
        with self._lock:
            self._count += 1
            found = self._groups.setdefault(group, {}).setdefault(stream, Stream(moment))
            insort(found.events, (moment, self._count, line[:LONGEST]))

    def streams(self, group: str) -> dict[str, Stream]:
        """The streams of a group.

        Raises:
            Refused: There is no such group.
        """
        with self._lock:
            if group not in self._groups:
                raise missing("group")
            return dict(self._groups[group])

    def groups(self) -> list[str]:
        with self._lock:
            return sorted(self._groups)

    def make(self, group: str) -> None:
        with self._lock:
            self._groups.setdefault(group, {})

    def remove(self, group: str) -> None:
        with self._lock:
            self._groups.pop(group, None)

    def remove_stream(self, group: str, stream: str) -> None:
        """Forget a stream and its lines.

        Raises:
            Refused: There is no such group or stream.
        """
        with self._lock:
            if group not in self._groups:
                raise missing("group")
            if self._groups[group].pop(stream, None) is None:
                raise missing("stream")


def missing(what: str) -> Refused:
    return Refused("ResourceNotFoundException", f"The specified log {what} does not exist.")


def _group(asked: Mapping[str, Any]) -> str:
    return str(asked.get("logGroupName") or str(asked.get("logGroupIdentifier", "")).rpartition(":")[2])


def describe_groups(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    prefix, part = asked.get("logGroupNamePrefix", ""), asked.get("logGroupNamePattern", "")
    names = [name for name in world.journal.groups() if name.startswith(prefix) and part in name]
    found = [{"logGroupName": name, "arn": f"{world.arn('logs', 'log-group')}:{name}:*"} for name in names]
    return _page(found, asked, "logGroups")


def describe_streams(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    by_time, prefix = asked.get("orderBy") == "LastEventTime", asked.get("logStreamNamePrefix")
    if by_time and prefix:
        message = "Cannot order by LastEventTime with a logStreamNamePrefix."
        raise Refused("InvalidParameterException", message)
    streams = world.journal.streams(_group(asked))
    found = [_stream(name, stream) for name, stream in sorted(streams.items()) if name.startswith(prefix or "")]
    if by_time:
        found.sort(key=lambda stream: stream["lastEventTimestamp"])
    return _page(found[::-1] if asked.get("descending") else found, asked, "logStreams")


def _stream(name: str, stream: Stream) -> dict[str, Any]:
    first, last = (stream.events[0][0], stream.events[-1][0]) if stream.events else (stream.created, stream.created)
    return {
        "logStreamName": name,
        "creationTime": stream.created,
        "firstEventTimestamp": first,
        "lastEventTimestamp": last,
        "lastIngestionTime": last,
    }


def _page(found: list[dict[str, Any]], asked: Mapping[str, Any], key: str) -> dict[str, Any]:
    start, count = int(asked.get("nextToken") or 0), int(asked.get("limit") or 50)
    more = {"nextToken": str(start + count)} if start + count < len(found) else {}
    return {key: found[start : start + count], **more}


def _event(event: tuple[int, int, str]) -> dict[str, Any]:
    return {"timestamp": event[0], "ingestionTime": event[0], "message": event[2]}


def _between(stream: Stream, asked: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    start, end = asked.get("startTime") or 0, asked.get("endTime") or float("inf")
    return [event for event in stream.events if start <= event[0] < end]


def get_events(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One page of a stream. At the end the forward token that was sent comes back."""
    stream = world.journal.streams(_group(asked)).get(asked["logStreamName"])
    if stream is None:
        raise missing("stream")
    events, limit = _between(stream, asked), int(asked.get("limit") or 10_000)
    token = asked.get("nextToken") or ""
    if token.startswith("b/"):
        end = int(token[2:])
        start = max(end - limit, 0)
    else:
        start = int(token[2:]) if token else (0 if asked.get("startFromHead") else max(len(events) - limit, 0))
        end = min(start + limit, len(events))
    return {
        "events": [_event(event) for event in events[start:end]],
        "nextForwardToken": f"f/{max(end, start):056d}",
        "nextBackwardToken": f"b/{start:056d}",
    }


def filter_events(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The lines of several streams, by time."""
    names, prefix = asked.get("logStreamNames"), asked.get("logStreamNamePrefix", "")
    pattern = asked.get("filterPattern", "").strip('"')
    found = [
        {**_event(event), "logStreamName": name, "eventId": f"{event[1]:056d}"}
        for name, stream in world.journal.streams(_group(asked)).items()
        if name.startswith(prefix) and (not names or name in names)
        for event in _between(stream, asked)
        if pattern in event[2]
    ]
    found.sort(key=lambda event: (event["timestamp"], event["eventId"]))
    return _page(found, {"limit": 10_000, **asked}, "events")


def create_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    world.journal.make(asked["logGroupName"])
    return {}


def delete_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    world.journal.streams(asked["logGroupName"])
    world.journal.remove(asked["logGroupName"])
    return {}


def delete_stream(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    world.journal.remove_stream(_group(asked), asked["logStreamName"])
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateLogGroup": create_group,
    "DeleteLogGroup": delete_group,
    "DeleteLogStream": delete_stream,
    "DescribeLogGroups": describe_groups,
    "DescribeLogStreams": describe_streams,
    "FilterLogEvents": filter_events,
    "GetLogEvents": get_events,
}
