"""Logs: what jobs and endpoints print, from Cloud Logging.

Each machine of a job writes entries of the resource ``ml_job`` under the job's number, each with the name of its task;
an endpoint's are of the resource ``aiplatform.googleapis.com/Endpoint``. Reading is limited to some sixty requests a
minute for a project. Sources: "Monitored resource types" of Cloud Logging, and its method entries.list.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clock import moment
from cloudml.clouds import cards
from cloudml.clouds.logs import Line, read_cursor, written
from cloudml.errors import NotFoundError, ProviderError
from cloudml.records import dataclass
from cloudml.status import LogPage
from cloudml_gcp import finding, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_gcp.clients import Clients
    from cloudml_gcp.places import Places

READ = "logging:ListLogEntries"
PAGE = 1000
MS = 1000
LEADER = "workerpool0-0"
EARLIEST = "1970-01-01T00:00:00Z"


def lift(entry: Mapping[str, Any]) -> Iterator[Line]:
    """The lines of one entry; those of further machines say whose they are."""
    task = str(entry.get("resource", {}).get("labels", {}).get("task_name", "")) or LEADER
    mark = f"[{task}] " if task not in {LEADER, "service"} else ""
    when = moment(entry.get("timestamp") or entry.get("receiveTimestamp"))
    for text in text_of(entry).splitlines() or [""]:
        yield Line(int(when.timestamp() * MS) if when else 0, f"{mark}{text}")


def text_of(entry: Mapping[str, Any]) -> str:
    """What was printed: text, or the message of a line that was JSON."""
    payload = entry.get("jsonPayload")
    return str(payload.get("message", payload)) if isinstance(payload, dict) else str(entry.get("textPayload", ""))


def of_job(number: str) -> str:
    """The filter that finds the entries of a job."""
    return f'resource.type="ml_job" AND resource.labels.job_id="{number}"'


def of_endpoint(name: str) -> str:
    """The filter that finds the entries of an endpoint."""
    return f'resource.type="aiplatform.googleapis.com/Endpoint" AND resource.labels.endpoint_id="{name}"'


@dataclass(frozen=True, slots=True)
class GcpLogs:
    """Cloud Logging."""

    clients: Clients
    places: Places

    def read(self, section: str, name: str, cursor: str) -> LogPage:
        """The lines since *cursor*, those of several machines by their time.

        Raises:
            NotFoundError: Objects of that section print nothing.
            InvalidRequestError: The cursor is none of ours.
        """
        place = read_cursor(cursor)
        since, seen = place.get("since", EARLIEST), set(filter(None, place.get("seen", "").split(" ")))
        wanted = self._filter(section, name)
        if wanted is None:
            return LogPage(lines=(), cursor=cursor)
        lines: list[str] = []
        for entry in self._entries(f'{wanted} AND timestamp>="{since}"', "timestamp asc"):
            key, when = str(entry.get("insertId", "")), str(entry.get("timestamp", since))
            if key in seen and key:
                continue
            if when != since:
                since, seen = when, set()
            seen.add(key)
            lines += [line.text for line in lift(entry)]
        return LogPage(lines=tuple(lines), cursor=written({"since": since, "seen": " ".join(sorted(seen))}))

    def tail_of_job(self, job: str, lines: int) -> tuple[str, ...]:
        """The last lines of a job by Vertex AI's name of it; none where it printed nothing, or nobody may look."""
        return self._tail(of_job(job.rpartition("/")[2]), lines)

    def tail_of_endpoint(self, name: str, lines: int, since: str = "") -> tuple[str, ...]:
        """The last lines of an endpoint's containers.

        Args:
            name: The endpoint.
            lines: How many.
            since: Only later ones, as a timestamp.
        """
        later = f' AND timestamp>="{since}"' if since else ""
        return self._tail(f"{of_endpoint(name)}{later}", lines)

    def _tail(self, wanted: str, lines: int) -> tuple[str, ...]:
        with suppress(ProviderError):
            body = self._body(wanted, "timestamp desc") | {"pageSize": lines}
            entries = self.clients.send(READ, body).get("entries", [])
            found = [line.text for entry in reversed(entries) for line in lift(entry)]
            return tuple(text for text in found if text.strip())[-lines:]
        return ()

    def _entries(self, wanted: str, order: str) -> Iterator[dict[str, Any]]:
        return self.clients.pages(READ, self._body(wanted, order), "entries")

    def _body(self, wanted: str, order: str) -> dict[str, Any]:
        resources = [f"projects/{self.clients.settings.project_id}"]
        return {"resourceNames": resources, "filter": wanted, "orderBy": order, "pageSize": PAGE}

    def _filter(self, section: str, name: str) -> str | None:
        if section == "jobs":
            number = self._number(names.fit(name))
            return of_job(number) if number else None
        if section == "endpoints":
            return of_endpoint(names.fit(name))
        raise NotFoundError(f"{section} print nothing", hint="jobs and endpoints have logs")

    def _number(self, name: str) -> str:
        """Vertex AI's number of a job; empty while it has none."""
        card = cards.held(self.clients.storage(self.places.root), self.places.card(finding.SECTION, name)).card
        job = card.get(finding.JOB) or next((one["name"] for one in finding.labelled(self.clients, name)), "")
        return str(job).rpartition("/")[2]
