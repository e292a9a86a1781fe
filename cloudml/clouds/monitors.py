"""Monitors at a cloud: a card in the bucket, the engine's files beside it, and with a schedule one of the cloud's.

<prefix>/<project>/monitors/<name>/
  monitor.json      the card: the monitor is there when this is, and it is removed last
  engine/<digest>/  what the analysing job runs
  runs/<run>/       report.json, report.html and both profiles
  latest/           report.json of the run that ended last, scheduled or not
  kept/             the profiles of parts of the data, so that a run reads what is new

A job fails at most clouds when nothing lies below one of its inputs. So that an endpoint that was never asked gives
`no_data`, each monitor leaves an object of its own among the captured requests, under a name that readers pass over.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from cloudml import clock
from cloudml.clouds import engine
from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, RunFailedError
from cloudml.plan import Call, Note, Plan
from cloudml.records import dataclass
from cloudml.status import CheckResult, JobStatus, MonitorReport, MonitorStatus, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from cloudml.clouds.places import Places
    from cloudml.progress import Progress
    from cloudml.resources import MonitorResource
    from cloudml.storage import Storage

CARD = "monitor.json"
POLL_S = (5.0, 30.0)


class Clients(Protocol):
    """The clients of a target, as far as they concern its storage and its time."""

    @property
    def sleep(self) -> Callable[[float], None]:
        """How time passes while something is waited for, in seconds."""
        ...

    def storage(self, root: str) -> Storage:
        """The storage at an address."""
        ...


def card(
    resource: MonitorResource, endpoint: str, told: Mapping[str, Any], job: Mapping[str, Any], schedule: Any
) -> dict[str, Any]:
    """All that a run needs, as it lies in the bucket.

    Args:
        resource: The monitor.
        endpoint: The cloud's name of the endpoint.
        told: What `bootstrap.py` is told.
        job: The request of a run.
        schedule: The request of its schedule; None without one.
    """
    identity = resource.identity
    return {
        "project": identity.project,
        "resource": identity.resource,
        "hash": identity.hash,
        "endpoint": endpoint,
        "cron": resource.spec.schedule or "",
        "engine": engine.mark(told),
        "description": told,
        "job": job,
        "schedule": schedule,
    }


def text(card: Mapping[str, Any]) -> bytes:
    """The card as it lies in the bucket."""
    return json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False).encode()


def lift(name: str, card: Mapping[str, Any], lacking: str, latest: Mapping[str, Any] | None) -> MonitorStatus:
    """The status in a card.

    Args:
        name: The monitor's name.
        card: The card.
        lacking: What is still to be sent; empty when nothing is.
        latest: The report of the run that ended last.
    """
    return MonitorStatus(
        resource=card["resource"],
        name=name,
        project=card["project"],
        hash=card["hash"],
        state=State.UNFINISHED if lacking else State.READY,
        reason=lacking,
        native=card,
        endpoint=card["endpoint"],
        schedule=card["cron"],
        verdict=Verdict(latest["state"]) if latest else None,
        ran=clock.moment(latest["ran"]) if latest else None,
    )


def lift_report(said: Mapping[str, Any], page: str) -> MonitorReport:
    """The report in a report.json."""
    return MonitorReport(
        monitor=said["monitor"],
        state=Verdict(said["state"]),
        rows=said["rows"],
        baseline_rows=said["baseline_rows"],
        checks=tuple(
            CheckResult(**{key: one[key] for key in ("column", "metric", "value", "max", "violated")})
            for one in said["checks"]
        ),
        ran=clock.moment(said["ran"]),
        html=page,
    )


def failed(name: str, status: JobStatus, hint: str) -> RunFailedError:
    """The error for a run whose job did not succeed."""
    said = "".join(f"\n    {line}" for line in status.tail)
    reason = f": {status.reason}" if status.reason else ""
    return RunFailedError(
        f"the run `{status.name}` of monitor `{name}` ended as {status.state}{reason}{said}", hint=hint, status=status
    )


@dataclass(frozen=True, slots=True)
class CardMonitors(ABC):
    """Monitors in a bucket, run by a cloud's jobs. A cloud says how it starts, schedules and ends runs.

    Attributes:
        clients: Where the storage comes from, and how time passes.
        places: Where things lie.
    """

    PUT: ClassVar[str]
    """How the plan calls the writing of the card, ``s3:PutObject``."""

    clients: Clients
    places: Places

    @abstractmethod
    def lower(self, resource: MonitorResource) -> dict[str, Any]:
        """The card, see `card`; pure."""

    @abstractmethod
    def notes(self, resource: MonitorResource) -> Iterator[Note]:
        """What runs where, and what the schedule was translated to; pure."""

    @abstractmethod
    def native(self, name: str) -> str:
        """The name in the cloud's alphabet."""

    @abstractmethod
    def schedule_calls(self, card: Mapping[str, Any]) -> tuple[Call, ...]:
        """The requests that set the schedule of a card; none without one. Pure."""

    @abstractmethod
    def start(self, card: Mapping[str, Any], run: str, since: datetime | None, until: datetime | None) -> str:
        """Start a run; the cloud's name of its job, once that is seen."""

    @abstractmethod
    def job(self, job: str) -> JobStatus:
        """How a run's job stands."""

    @abstractmethod
    def end_jobs(self, name: str) -> None:
        """Stop the runs that are under way, and remove the records of all."""

    @abstractmethod
    def schedule(self, name: str) -> Mapping[str, Any] | None:
        """The schedule that is set; None when none is."""

    @abstractmethod
    def set_schedule(self, name: str, wanted: Mapping[str, Any] | None) -> None:
        """Bring the schedule to what is wanted; none when that is None."""

    @abstractmethod
    def same(self, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
        """Whether the schedule that is set is the wanted one."""

    @abstractmethod
    def where(self, job: str) -> str:
        """Where the log of a run is found, as a hint."""

    @abstractmethod
    def check(self, card: Mapping[str, Any]) -> None:
        """Hold what a card will send later against the cloud's contract; raises SpecError."""

    def plan(self, resource: MonitorResource) -> Plan:
        """The card and, with a schedule, the request that sets it; nothing is read."""
        card = self.lower(resource)
        key = f"{self.places.prefix}/{self._card_path(self.native(resource.identity.name))}"
        put = Call(self.PUT, {"Bucket": self.places.bucket, "Key": key, "Body": card})
        return Plan((put, *self.schedule_calls(card)), tuple(self.notes(resource)))

    def create(self, resource: MonitorResource) -> MonitorStatus:
        """Write the card, then the rest; whoever writes the card first has made the monitor.

        Raises:
            AlreadyExistsError: It is there.
        """
        name, card = self.native(resource.identity.name), self._lowered(resource)
        if not self._storage.claim(self._card_path(name), text(card)):
            raise AlreadyExistsError(f"monitor `{name}` is there already", operation=self.PUT)
        self._ship(name, card)
        self.set_schedule(name, card["schedule"])
        return self.get(name)

    def update(self, resource: MonitorResource) -> MonitorStatus:
        """Let the next run follow *resource*, and send what is lacking; earlier reports stay.

        Raises:
            NotFoundError: There is no such monitor.
        """
        name, card = self.native(resource.identity.name), self._lowered(resource)
        before = self._card(name)
        self._ship(name, card)
        self._storage.write(self._card_path(name), text(card))
        self.set_schedule(name, card["schedule"])
        if before["endpoint"] != card["endpoint"]:
            self._storage.remove([self._marker(name, before)])
        return self.get(name)

    def get(self, name: str) -> MonitorStatus:
        """How the monitor stands, and what its last run found."""
        name = self.native(name)
        card = self._card(name)
        return lift(name, card, self._lacking(name, card), self._latest(name))

    def list(self, project: str) -> Iterator[MonitorStatus]:
        """Every monitor of the project."""
        for name in self._storage.folders("monitors"):
            with suppress(NotFoundError):  # it is being deleted, or its card is not written yet
                status = self.get(name)
                if status.project == project:
                    yield status

    def run(self, name: str, *, since: datetime | None, until: datetime | None, progress: Progress) -> MonitorReport:
        """Start a run, wait for its end, and read what it found. Interrupted, it goes on and `report` has it later.

        Raises:
            NotFoundError: There is no such monitor.
            ConflictError: It is not complete.
            RunFailedError: The job failed; with the container's last words.
        """
        name = self.native(name)
        card = self._card(name)
        if lacking := self._files_lacking(name, card):
            raise ConflictError(
                f"monitor `{name}` is not complete: {lacking}", hint="`cloudml up` sends what is lacking"
            )
        run = engine.new_run()
        job = self.start(card, run, since, until)
        status = self.waited(job, progress)
        if not status.state.good:
            raise failed(name, status, self.where(job))
        return self._report(name, run, f"runs/{run}")

    def report(self, name: str) -> MonitorReport:
        """What the run that ended last found.

        Raises:
            NotFoundError: There is no such monitor, or it has not run.
        """
        name = self.native(name)
        self._card(name)
        latest = self._latest(name)
        if latest is None:
            raise NotFoundError(f"monitor `{name}` has not run", hint="`cloudml monitor run` runs it now")
        return self._report(name, latest["run"], "latest")

    def delete(self, name: str) -> None:
        """Remove the schedule, the runs, their records and files, and last the card."""
        name = self.native(name)
        self.set_schedule(name, None)
        self.end_jobs(name)
        with suppress(NotFoundError):
            self._storage.remove([self._marker(name, self._card(name))])
        home = self.places.monitor(name)
        for folder in self._storage.folders(home):
            self._storage.delete(f"{home}/{folder}")
        self._storage.remove([self._card_path(name)])

    def waited(self, job: str, progress: Progress) -> JobStatus:
        """The job of a run, once it is over."""
        from cloudml.waiting import Waiter

        def seen(status: JobStatus) -> None:
            progress.advance(0, None, f"{job}: {status.state}")

        return Waiter(*POLL_S, sleep=self.clients.sleep).until_over(self.job, job, seen=seen)

    @property
    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)

    def _lowered(self, resource: MonitorResource) -> dict[str, Any]:
        card = self.lower(resource)
        self.check(card)
        return card

    def _ship(self, name: str, card: Mapping[str, Any]) -> None:
        """Send the engine's files unless they are there, and the object without which no run can start.

        The description is written last: where it is, the folder is complete.
        """
        from cloudml.wheel import bootstrap, wheel

        if not self._storage.exists(self._description(name, card)):
            files = engine.files(card["description"], wheel(), bootstrap())
            for file in sorted(files, key=lambda file: file == engine.DESCRIPTION):
                self._storage.write(f"{engine.folder(name, self.places, card['engine'])}/{file}", files[file])
        self._storage.write(self._marker(name, card), b"{}")
        if card["description"]["analysis"].get("known"):  # an input of the job, as the captured requests are
            self._storage.write(f"{self.places.monitor(name)}/{engine.KEPT}/_{name}", b"{}")

    def _lacking(self, name: str, card: Mapping[str, Any]) -> str:
        """What is still to be sent; empty when nothing is."""
        if lacking := self._files_lacking(name, card):
            return lacking
        there, wanted = self.schedule(name), card["schedule"]
        if wanted is None:
            return "" if there is None else "an earlier schedule is still set"
        if there is None:
            return "its schedule is not set"
        return "" if self.same(wanted, there) else "its schedule is another one"

    def _files_lacking(self, name: str, card: Mapping[str, Any]) -> str:
        if not self._storage.exists(self._description(name, card)):
            return "the analyser's files are not in the bucket"
        if not self._storage.exists(self._marker(name, card)):
            return "the folder of captured requests is not prepared"
        return ""

    def _report(self, name: str, run: str, folder: str) -> MonitorReport:
        home = self.places.monitor(name)
        said = json.loads(self._storage.read(f"{home}/{folder}/report.json"))
        try:
            page = self._storage.read(f"{home}/runs/{run}/report.html").decode()
        except NotFoundError:
            page = ""
        return lift_report(said, page)

    def _latest(self, name: str) -> Mapping[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._storage.read(f"{self.places.monitor(name)}/latest/report.json"))
        except NotFoundError:
            return None
        return found

    def _card(self, name: str) -> dict[str, Any]:
        try:
            card: dict[str, Any] = json.loads(self._storage.read(self._card_path(name)))
        except NotFoundError as error:
            raise NotFoundError(f"there is no monitor `{name}`", operation=error.operation, code=error.code) from error
        return card

    def _card_path(self, name: str) -> str:
        return f"{self.places.monitor(name)}/{CARD}"

    def _description(self, name: str, card: Mapping[str, Any]) -> str:
        return f"{engine.folder(name, self.places, card['engine'])}/{engine.DESCRIPTION}"

    def _marker(self, name: str, card: Mapping[str, Any]) -> str:
        """The monitor's object among the captured requests."""
        return f"{self.places.capture(card['endpoint'])}/_{name}"
