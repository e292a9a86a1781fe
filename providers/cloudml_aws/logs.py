"""Logs: what jobs and endpoints print, from CloudWatch Logs.

A training job writes to ``/aws/sagemaker/TrainingJobs``, a processing job to ``/aws/sagemaker/ProcessingJobs``, each
machine to a stream of its own, ``<job>/algo-<n>-<…>``; an endpoint has a group of its own. Groups and streams appear
with the first line. Source: SageMaker's page of log groups and streams, as the reference report has it.
"""

from __future__ import annotations

import heapq
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clouds.logs import Line, read_cursor, written
from cloudml.errors import NotFoundError, PermissionDeniedError
from cloudml.records import dataclass
from cloudml.status import LogPage
from cloudml_aws import names
from cloudml_aws.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from cloudml_aws.clients import Clients

ENDPOINTS = "/aws/sagemaker/Endpoints/"
PAGES_AT_ONCE = 200
"""So many pages of a stream without a line are passed over; CloudWatch may answer with such."""
NEWEST = 3
"""A tail is made from so many streams, those that began last."""
MS = 1000
_NODE = re.compile(r"/algo-(\d+)")


def lift(event: Mapping[str, Any], stream: str) -> Iterator[Line]:
    """The lines of one event; those of further machines say whose they are."""
    node = _NODE.search(stream)
    mark = f"[algo-{node[1]}] " if node and node[1] != "1" else ""
    for text in str(event.get("message", "")).splitlines() or [""]:
        yield Line(int(event.get("timestamp", 0)), f"{mark}{text}")


def groups(section: str, name: str) -> Mapping[str, str]:
    """The log groups in which that object may print, each with the beginning of its streams.

    Raises:
        NotFoundError: Objects of that section print nothing.
    """
    native = names.fit(name)
    if section == "jobs":
        return {kind.group: f"{native}/" for kind in KINDS.values()}
    if section == "endpoints":
        return {f"{ENDPOINTS}{native}": ""}
    raise NotFoundError(f"{section} print nothing", hint="jobs and endpoints have logs")


@dataclass(frozen=True, slots=True)
class AwsLogs:
    """CloudWatch Logs."""

    clients: Clients

    def read(self, section: str, name: str, cursor: str) -> LogPage:
        """The lines since *cursor*, those of several machines by their time.

        Raises:
            NotFoundError: Objects of that section print nothing.
            InvalidRequestError: The cursor is none of ours.
        """
        places = read_cursor(cursor)
        found: list[list[Line]] = []
        for group, prefix in groups(section, name).items():
            for stream in self._streams(group, prefix):
                key = f"{group} {stream['logStreamName']}"
                lines, places[key] = self._page(group, stream["logStreamName"], places.get(key, ""))
                found.append(lines)
        return LogPage(lines=tuple(line.text for line in heapq.merge(*found)), cursor=written(places))

    def tail(self, group: str, prefix: str, lines: int) -> tuple[str, ...]:
        """The last lines in the streams of *group* that begin so; none where there is no such group."""
        streams = sorted(self._streams(group, prefix), key=_began)[-NEWEST:]
        found = [self._last(group, stream["logStreamName"], lines) for stream in streams]
        return tuple(line.text for line in heapq.merge(*found))[-lines:]

    def remove(self, group: str, prefix: str, before: datetime | None = None) -> None:
        """Remove the streams of *group* that begin so, of an object that is gone.

        Who may not do that keeps the lines: they are read together with those of a later object of that name.

        Args:
            before: Only what began earlier; a later run of the same name has its own.
        """
        latest = before.timestamp() * MS if before else None
        for stream in list(self._streams(group, prefix)):
            if latest is None or _began(stream) <= latest:
                body = {"logGroupName": group, "logStreamName": stream["logStreamName"]}
                with suppress(NotFoundError, PermissionDeniedError):
                    self.clients.send("logs:DeleteLogStream", body)

    def _streams(self, group: str, prefix: str) -> Iterator[dict[str, Any]]:
        body = {"logGroupName": group} | ({"logStreamNamePrefix": prefix} if prefix else {})
        with suppress(NotFoundError):  # nobody has printed a line yet
            yield from self.clients.pages("logs:DescribeLogStreams", body, "logStreams")

    def _page(self, group: str, stream: str, token: str) -> tuple[list[Line], str]:
        """The next lines of a stream, and where to go on: the end of it gives the same place again."""
        body: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        for _ in range(PAGES_AT_ONCE):
            answer = self._events(body | ({"nextToken": token} if token else {}))
            before, token = token, str(answer.get("nextForwardToken", token))
            if answer.get("events") or token == before:
                return _lines(answer.get("events", ()), stream), token
        return [], token

    def _last(self, group: str, stream: str, lines: int) -> list[Line]:
        body = {"logGroupName": group, "logStreamName": stream, "startFromHead": False, "limit": lines}
        return _lines(self._events(body).get("events", ()), stream)

    def _events(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.clients.send("logs:GetLogEvents", body)
        except NotFoundError:  # deleted since it was listed
            return {}


def _lines(events: Sequence[Mapping[str, Any]], stream: str) -> list[Line]:
    return [line for event in events for line in lift(event, stream)]


def _began(stream: Mapping[str, Any]) -> int:
    return int(stream.get("creationTime", 0))
