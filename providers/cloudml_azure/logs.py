"""Logs: what jobs and endpoints print.

A run's details name its log files, each with a signed address that grows while the job runs: ``user_logs/std_log.txt``,
and of further machines ``user_logs/std_log_process_01.txt``. A deployment gives the last lines of its container, and no
more. Source: run details and getLogs of Azure ML's REST interface, as the reference report has them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clouds.logs import read_cursor, written
from cloudml.errors import NotFoundError, ProviderError
from cloudml.records import dataclass
from cloudml.status import LogPage
from cloudml_azure import finding, names
from cloudml_azure.states import native_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudml_azure.clients import Clients

FILES = re.compile(r"user_logs/std_log(?:_process_(\d+))?\.txt")
CONTAINERS = ("StorageInitializer", "InferenceServer")
"""The containers of a deployment, in the order in which they begin."""
LINES = 5000
"""So many of a container's last lines are asked for."""
KNOWN = 3
"""So many of the lines that were read last tell where reading goes on."""


def files(details: Mapping[str, Any]) -> dict[str, str]:
    """The user's log files of a run, the first machine's first: path to signed address."""
    found = {path: str(url) for path, url in (details.get("logFiles") or {}).items() if FILES.fullmatch(path)}
    return dict(sorted(found.items(), key=lambda one: _node(one[0])))


def _node(path: str) -> int:
    match = FILES.fullmatch(path)
    return int(match[1] or 0) if match else 0


def lines(path: str, content: bytes, *, whole: bool) -> tuple[list[str], int]:
    """The lines in *content*, those of further machines marked, and how many bytes they are.

    Args:
        path: The file.
        content: From where reading goes on.
        whole: Whether nothing more will come: the last line then needs no end.
    """
    end = len(content) if whole else content.rfind(b"\n") + 1
    mark = f"[node-{_node(path)}] " if _node(path) else ""
    return [f"{mark}{line}" for line in content[:end].decode("utf-8", "replace").splitlines()], end


def after(known: Sequence[str], found: Sequence[str]) -> Sequence[str]:
    """What of *found* comes after the lines that were read last; all of it where they are no longer there."""
    for end in range(len(found), len(known) - 1, -1):
        if known and list(found[end - len(known) : end]) == list(known):
            return found[end:]
    return found


@dataclass(frozen=True, slots=True)
class AzureLogs:
    """The logs of jobs and endpoints."""

    clients: Clients

    def read(self, section: str, name: str, cursor: str) -> LogPage:
        """The lines since *cursor*, those of several machines one after the other.

        Raises:
            NotFoundError: Objects of that section print nothing.
            InvalidRequestError: The cursor is none of ours.
        """
        places = read_cursor(cursor)
        if section == "jobs":
            return self._of_job(names.fit(name), places)
        if section == "endpoints":
            return self._of_endpoint(names.endpoint(name, self.clients.settings), places)
        raise NotFoundError(f"{section} print nothing", hint="jobs and endpoints have logs")

    def details(self, attempt: str) -> dict[str, Any]:
        """The details of a run: its log files and its error; empty where there are none yet."""
        with suppress(NotFoundError):
            return self.clients.send("Runs_GetDetails", {"name": attempt})
        return {}

    def tail(self, attempt: str, count: int) -> tuple[str, ...]:
        """The last lines of a run; none where it printed nothing."""
        found: list[str] = []
        with suppress(ProviderError):
            for path, url in files(self.details(attempt)).items():
                found += lines(path, self.clients.file(url), whole=True)[0]
        return tuple(found[-count:])

    def last_words(self, endpoint: str, deployment: str, count: int) -> tuple[str, ...]:
        """The last lines of a deployment's containers; none where they printed nothing."""
        for container in reversed(CONTAINERS):
            if found := self._container(endpoint, deployment, container, count):
                return tuple(found[-count:])
        return ()

    def _of_job(self, name: str, places: dict[str, str]) -> LogPage:
        """The lines of every attempt, the first one's first; asked for anew where one has begun."""
        found: list[str] = []
        attempts = finding.attempts(self.clients, name)
        for one in attempts:
            attempt, over = str(one["name"]), native_state(one).over
            for path, url in files(self.details(attempt)).items():
                key = f"{attempt} {path}"
                start = int(places.get(key, "0"))
                more, read = lines(path, self.clients.file(url, start), whole=over)
                found += more
                places[key] = str(start + read)
        return LogPage(lines=tuple(found), cursor=written(places))

    def _of_endpoint(self, endpoint: str, places: dict[str, str]) -> LogPage:
        found: list[str] = []
        for deployment in self._deployments(endpoint):
            for container in CONTAINERS:
                key = f"{deployment} {container}"
                shown = self._container(endpoint, deployment, container, LINES)
                more = after(places[key].split("\n") if places.get(key) else [], shown)
                found += more
                if shown:
                    places[key] = "\n".join(shown[-KNOWN:])
        return LogPage(lines=tuple(found), cursor=written(places))

    def _deployments(self, endpoint: str) -> list[str]:
        with suppress(NotFoundError):
            listed = self.clients.pages("OnlineDeployments_List", {"endpoint": endpoint})
            return [str(one["name"]) for one in listed]
        return []

    def _container(self, endpoint: str, deployment: str, container: str, count: int) -> list[str]:
        body = {"endpoint": endpoint, "deployment": deployment, "containerType": container, "tail": count}
        with suppress(ProviderError):
            content = self.clients.send("OnlineDeployments_GetLogs", body).get("content") or ""
            return [line for line in str(content).splitlines() if line.strip()]
        return []
