"""Monitors: a card in the bucket, the engine's files beside it, and with a schedule one at EventBridge Scheduler.

<prefix>/<project>/monitors/<name>/
  monitor.json      the card: the monitor is there when this is, and it is removed last
  engine/<digest>/  what the analysing job runs
  runs/<run>/       report.json, report.html and both profiles
  latest/           report.json of the run that ended last, scheduled or not

A processing job fails when nothing lies below one of its inputs. So that an endpoint that was never asked gives
`no_data`, each monitor leaves an object of its own among the captured requests, under a name that readers pass over.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloudml import clock
from cloudml.capabilities import Level
from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, RunFailedError
from cloudml.plan import Call, Note, Plan
from cloudml.status import CheckResult, JobState, JobStatus, MonitorReport, MonitorStatus, State, Verdict
from cloudml_aws import analysing, schedules, settling
from cloudml_aws.names import fit, native
from cloudml_aws.states import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.progress import Progress
    from cloudml.resources import MonitorResource
    from cloudml.storage import Storage
    from cloudml_aws.clients import Clients
    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

PUT = "s3:PutObject"
CARD = "monitor.json"
POLL_S = (5.0, 30.0)


def lower(resource: MonitorResource, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """The card: all that a run needs, as it is sent.

    Raises:
        UnsupportedError: The scheduler cannot say the schedule.
    """
    from cloudml.wheel import bootstrap, wheel

    name, identity = native(resource.identity), resource.identity
    told = analysing.description(resource)
    mark = analysing.digest(analysing.files(told, wheel(), bootstrap()))
    job = analysing.request(resource, name, mark, places, settings)
    cron = resource.spec.schedule
    said = schedules.expression(cron, f"{identity.resource}.schedule") if cron else ""
    return {
        "project": identity.project,
        "resource": identity.resource,
        "hash": identity.hash,
        "endpoint": fit(resource.endpoint),
        "cron": cron or "",
        "engine": mark,
        "description": told,
        "job": job,
        "schedule": schedules.lower(name, said, job, settings) if cron else None,
    }


def notes(resource: MonitorResource) -> Iterator[Note]:
    """What runs where, and what the schedule was translated to."""
    path = resource.identity.resource
    instance = analysing.machine(path).instance_type
    yield Note(
        f"{path}.checks", f"the monitoring engine runs as a processing job on {instance}, over what was captured"
    )
    if cron := resource.spec.schedule:
        said = schedules.expression(cron, f"{path}.schedule")
        yield Note(f"{path}.schedule", f"EventBridge Scheduler: {said}, in UTC", Level.NATIVE)


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
        ran=datetime.fromisoformat(latest["ran"]) if latest else None,
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
        ran=datetime.fromisoformat(said["ran"]),
        html=page,
    )


def lift_job(said: Mapping[str, Any]) -> JobStatus:
    """How a run's processing job stands; its tail is what the container left as its last words."""
    return JobStatus(
        resource="",
        name=said["ProcessingJobName"],
        project="",
        hash="",
        state=STATES.get(said["ProcessingJobStatus"], JobState.UNKNOWN),
        reason=said.get("FailureReason", ""),
        created=said.get("CreationTime"),
        ended=said.get("ProcessingEndTime"),
        native=said,
        tail=tuple(said.get("ExitMessage", "").splitlines()),
    )


@dataclass(frozen=True, slots=True)
class AwsMonitors:
    """Monitors in the bucket, run by processing jobs."""

    clients: Clients
    places: Places

    @property
    def _storage(self) -> Storage:
        return self.clients.storage(self.places.root)

    def plan(self, resource: MonitorResource) -> Plan:
        """The card and, with a schedule, the request that sets it; nothing is read."""
        card = lower(resource, self.places, self.clients.settings)
        key = f"{self.places.prefix}/{self._card_path(native(resource.identity))}"
        put = Call(PUT, {"Bucket": self.places.bucket, "Key": key, "Body": card})
        schedule = [Call("scheduler:CreateSchedule", card["schedule"])] if card["schedule"] else []
        return Plan((put, *schedule), tuple(notes(resource)))

    def create(self, resource: MonitorResource) -> MonitorStatus:
        """Write the card, then the rest; whoever writes the card first has made the monitor.

        Raises:
            AlreadyExistsError: It is there.
        """
        name, card = native(resource.identity), self._lowered(resource)
        if not self._storage.claim(self._card_path(name), text(card)):
            raise AlreadyExistsError(f"monitor `{name}` is there already", operation=PUT, code="PreconditionFailed")
        self._ship(name, card)
        self._set_schedule(name, card["schedule"])
        return self.get(name)

    def update(self, resource: MonitorResource) -> MonitorStatus:
        """Let the next run follow *resource*, and send what is lacking; earlier reports stay.

        Raises:
            NotFoundError: There is no such monitor.
        """
        name, card = native(resource.identity), self._lowered(resource)
        before = self._card(name)
        self._ship(name, card)
        self._storage.write(self._card_path(name), text(card))
        self._set_schedule(name, card["schedule"])
        if before["endpoint"] != card["endpoint"]:
            self._storage.remove([self._marker(name, before["endpoint"])])
        return self.get(name)

    def get(self, name: str) -> MonitorStatus:
        """How the monitor stands, and what its last run found."""
        name = fit(name)
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
        name = fit(name)
        card = self._card(name)
        if lacking := self._files_lacking(name, card):
            raise ConflictError(
                f"monitor `{name}` is not complete: {lacking}", hint="`cloudml up` sends what is lacking"
            )
        run = f"{clock.now().strftime(analysing.MOMENT)}{unique()}"
        body = analysing.once(card["job"], run, since, until)
        self.clients.send("sagemaker:CreateProcessingJob", body)
        settling.seen(lambda: self._job(body["ProcessingJobName"]), self.clients.sleep)
        status = self._waited(body["ProcessingJobName"], progress)
        if not status.state.good:
            raise failed(name, status)
        return self._report(name, run, f"runs/{run}")

    def report(self, name: str) -> MonitorReport:
        """What the run that ended last found.

        Raises:
            NotFoundError: There is no such monitor, or it has not run.
        """
        name = fit(name)
        self._card(name)
        latest = self._latest(name)
        if latest is None:
            raise NotFoundError(
                f"monitor `{name}` has not run", operation="s3:GetObject", hint="`cloudml monitor run` runs it now"
            )
        return self._report(name, latest["run"], "latest")

    def delete(self, name: str) -> None:
        """Remove the schedule, the runs, their records and files, and last the card."""
        name = fit(name)
        self._set_schedule(name, None)
        self._end_jobs(name)
        with suppress(NotFoundError):
            self._storage.remove([self._marker(name, self._card(name)["endpoint"])])
        home = self.places.monitor(name)
        for folder in self._storage.folders(home):
            self._storage.delete(f"{home}/{folder}")
        self._storage.remove([self._card_path(name)])

    def _lowered(self, resource: MonitorResource) -> dict[str, Any]:
        """The card, once the request that is inside the schedule is known to be good.

        Raises:
            SpecError: The service model does not allow the request.
        """
        from cloudml_aws.clients import verify

        card = lower(resource, self.places, self.clients.settings)
        verify(Plan((Call("sagemaker:CreateProcessingJob", analysing.once(card["job"], unique())),)))
        return card

    def _ship(self, name: str, card: Mapping[str, Any]) -> None:
        """Send the engine's files unless they are there, and the object without which no run can start.

        The description is written last: where it is, the folder is complete.
        """
        from cloudml.wheel import bootstrap, wheel

        told = self._description(name, card)
        if not self._storage.exists(told):
            files = analysing.files(card["description"], wheel(), bootstrap())
            for file in sorted(files, key=lambda file: file == analysing.DESCRIPTION):
                self._storage.write(f"{analysing.engine(name, self.places, card['engine'])}/{file}", files[file])
        self._storage.write(self._marker(name, card["endpoint"]), b"{}")

    def _set_schedule(self, name: str, wanted: Mapping[str, Any] | None) -> None:
        """Bring the schedule to what is wanted; none when that is None."""
        there = self._schedule(name)
        if wanted is None:
            if there is not None:
                with suppress(NotFoundError):
                    self.clients.send("scheduler:DeleteSchedule", {"Name": name})
            return
        if there is None:
            try:
                self.clients.send("scheduler:CreateSchedule", wanted)
            except (AlreadyExistsError, ConflictError):
                there = {}  # another was quicker; ours is the same, or comes later
        if there is not None and not schedules.same(wanted, there):
            self.clients.send("scheduler:UpdateSchedule", wanted)

    def _schedule(self, name: str) -> Mapping[str, Any] | None:
        try:
            return self.clients.send("scheduler:GetSchedule", {"Name": name})
        except NotFoundError:
            return None

    def _lacking(self, name: str, card: Mapping[str, Any]) -> str:
        """What is still to be sent; empty when nothing is."""
        if lacking := self._files_lacking(name, card):
            return lacking
        there, wanted = self._schedule(name), card["schedule"]
        if wanted is None:
            return "" if there is None else "an earlier schedule is still set"
        if there is None:
            return "its schedule is not set"
        return "" if schedules.same(wanted, there) else "its schedule is another one"

    def _files_lacking(self, name: str, card: Mapping[str, Any]) -> str:
        if not self._storage.exists(self._description(name, card)):
            return "the analyser's files are not in the bucket"
        if not self._storage.exists(self._marker(name, card["endpoint"])):
            return "the folder of captured requests is not prepared"
        return ""

    def _waited(self, job: str, progress: Progress) -> JobStatus:
        from cloudml.waiting import Waiter

        def seen(status: JobStatus) -> None:
            progress.advance(0, None, f"{job}: {status.state}")

        return Waiter(*POLL_S, sleep=self.clients.sleep).until_over(self._job, job, seen=seen)

    def _job(self, job: str) -> JobStatus:
        return lift_job(self.clients.send("sagemaker:DescribeProcessingJob", {"ProcessingJobName": job}))

    def _end_jobs(self, name: str) -> None:
        """Stop the runs that are under way, and remove the records of all."""
        from cloudml.progress import SILENT

        begins = f"{analysing.stem(name)}-"
        found = self.clients.pages("sagemaker:ListProcessingJobs", {"NameContains": begins}, "ProcessingJobSummaries")
        for job in [one["ProcessingJobName"] for one in found if one["ProcessingJobName"].startswith(begins)]:
            with suppress(NotFoundError):
                if not self._job(job).state.over:
                    self.clients.send("sagemaker:StopProcessingJob", {"ProcessingJobName": job})
                    self._waited(job, SILENT)
                self.clients.send("sagemaker:DeleteProcessingJob", {"ProcessingJobName": job})

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
            raise NotFoundError(f"there is no monitor `{name}`", operation="s3:GetObject", code=error.code) from error
        return card

    def _card_path(self, name: str) -> str:
        return f"{self.places.monitor(name)}/{CARD}"

    def _description(self, name: str, card: Mapping[str, Any]) -> str:
        return f"{analysing.engine(name, self.places, card['engine'])}/{analysing.DESCRIPTION}"

    def _marker(self, name: str, endpoint: str) -> str:
        """The monitor's object among the captured requests."""
        return f"{self.places.capture(endpoint)}/_{name}"


def text(card: Mapping[str, Any]) -> bytes:
    """The card as it lies in the bucket."""
    return json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False).encode()


def unique() -> str:
    """Some letters and digits that no other run has."""
    from uuid import uuid4

    return uuid4().hex[:8]


def failed(name: str, status: JobStatus) -> RunFailedError:
    """The error for a run whose job did not succeed."""
    said = "".join(f"\n    {line}" for line in status.tail)
    reason = f": {status.reason}" if status.reason else ""
    return RunFailedError(
        f"the run `{status.name}` of monitor `{name}` ended as {status.state}{reason}{said}",
        hint=f"its log is in CloudWatch, group /aws/sagemaker/ProcessingJobs, stream {status.name}/…",
        status=status,
    )
