"""Monitors: `cloudml.clouds.monitors`, run by custom jobs and started by Cloud Scheduler."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from cloudml.capabilities import Level
from cloudml.clock import moment
from cloudml.clouds import engine, monitors
from cloudml.clouds.monitors import CardMonitors
from cloudml.errors import AlreadyExistsError, ConflictError, InvalidRequestError, NotFoundError, UnavailableError
from cloudml.plan import Call, Note, Plan
from cloudml.progress import SILENT
from cloudml.records import dataclass
from cloudml.status import JobStatus
from cloudml_gcp import analysing, finding, running, schedules
from cloudml_gcp.jobs import CANCEL, DELETE, GONE_S, TAIL
from cloudml_gcp.names import fit, native
from cloudml_gcp.states import native_state, reason
from cloudml_gcp.wire import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cloudml.resources import MonitorResource
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.logs import GcpLogs
    from cloudml_gcp.places import Places
    from cloudml_gcp.settings import GcpSettings

PAGE = 100
SET = "cloudscheduler:CreateJob"


def lower(resource: MonitorResource, places: Places, settings: GcpSettings) -> dict[str, Any]:
    """The card: all that a run needs, as it is sent.

    Raises:
        UnsupportedError: The scheduler cannot say the schedule.
    """
    name = native(resource.identity)
    told = analysing.description(resource, name, places)
    job = analysing.request(resource, name, engine.mark(told), places, settings)
    schedule = None
    if cron := resource.spec.schedule:
        said = schedules.expression(cron, f"{resource.identity.resource}.schedule")
        schedule = schedules.lower(name, said, job, settings)
    return monitors.card(resource, fit(resource.endpoint), told, job, schedule)


def notes(resource: MonitorResource, settings: GcpSettings) -> Iterator[Note]:
    """What runs where, and what the schedule was translated to."""
    path = resource.identity.resource
    machine = analysing.machine(path).machine.name
    yield Note(f"{path}.checks", f"the monitoring engine runs as a custom job on {machine}, over what was captured")
    for note in analysing.image(path, settings).notes[1:]:
        yield Note(f"{path}.checks", note.text, note.level)
    if cron := resource.spec.schedule:
        said = schedules.expression(cron, f"{path}.schedule")
        yield Note(f"{path}.schedule", f"Cloud Scheduler: {said}, in UTC", Level.NATIVE)


def lift_job(job: Mapping[str, Any], tail: tuple[str, ...]) -> JobStatus:
    """How a run's custom job stands."""
    return JobStatus(
        resource="",
        name=str(job["name"]),
        project="",
        hash="",
        state=native_state(job),
        reason=reason(job),
        created=moment(job.get("createTime")),
        ended=moment(job.get("endTime")),
        native=dict(job),
        tail=tail,
    )


@dataclass(frozen=True, slots=True)
class GcpMonitors(CardMonitors):
    """Monitors in the bucket, run by custom jobs."""

    PUT: ClassVar[str] = "storage:Put"
    clients: Clients
    places: Places
    logs: GcpLogs

    def lower(self, resource: MonitorResource) -> dict[str, Any]:
        """The card: all that a run needs."""
        return lower(resource, self.places, self.clients.settings)

    def notes(self, resource: MonitorResource) -> Iterator[Note]:
        """What runs where."""
        return notes(resource, self.clients.settings)

    def native(self, name: str) -> str:
        """The name as Google Cloud takes it."""
        return fit(name)

    def schedule_calls(self, card: Mapping[str, Any]) -> tuple[Call, ...]:
        """The one request of Cloud Scheduler."""
        return (self._set(card["schedule"]),) if card["schedule"] else ()

    def check(self, card: Mapping[str, Any]) -> None:
        """Whether the request that is inside the schedule is a good one.

        Raises:
            SpecError: The contract does not allow the request.
        """
        from cloudml_gcp.clients import verify

        verify(Plan((self._start(analysing.once(card["job"], engine.new_run())),)))

    def start(self, card: Mapping[str, Any], run: str, since: datetime | None, until: datetime | None) -> str:
        """Start a custom job; Vertex AI's name of it. Where no answer came, it is looked for by its label."""
        call = self._start(analysing.once(card["job"], run, since, until))
        try:
            return str(self.clients.send(call.operation, call.body)["name"])
        except UnavailableError:
            for job in self._listed(f"labels.{analysing.RUN}={run.lower()}"):
                return str(job["name"])
            raise

    def job(self, job: str) -> JobStatus:
        """How a run's custom job stands."""
        found = self.clients.send(finding.GET, {"name": job})
        state = native_state(found)
        return lift_job(found, self.logs.tail_of_job(job, TAIL) if state.over and not state.good else ())

    def end_jobs(self, name: str) -> None:
        """Stop the runs that are under way, and remove the records of all."""
        for job in [str(one["name"]) for one in self._listed(f"labels.{analysing.MONITOR}={name}")]:
            with suppress(NotFoundError):
                if not self.job(job).state.over:
                    with suppress(ConflictError, InvalidRequestError):  # it has ended
                        self.clients.send(CANCEL, {"name": job})
                    self.waited(job, SILENT)
                operations.waited(self.clients, self.clients.send(DELETE, {"name": job}), DELETE, GONE_S)

    def schedule(self, name: str) -> Mapping[str, Any] | None:
        """The schedule at Cloud Scheduler."""
        try:
            return self.clients.send("cloudscheduler:GetJob", {"name": schedules.name(name, self.clients.settings)})
        except NotFoundError:
            return None

    def set_schedule(self, name: str, wanted: Mapping[str, Any] | None) -> None:
        """Bring the schedule to what is wanted; none when that is None."""
        there = self.schedule(name)
        if wanted is None:
            if there is not None:
                with suppress(NotFoundError):
                    self.clients.send("cloudscheduler:DeleteJob", {"name": there["name"]})
            return
        if there is None:
            call = self._set(wanted)
            try:
                self.clients.send(call.operation, call.body)
            except AlreadyExistsError:
                there = {}  # another was quicker; ours is the same, or comes later
        if there is not None and not schedules.same(wanted, there):
            self.clients.send("cloudscheduler:UpdateJob", {"job": wanted})

    def same(self, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
        """Whether the schedule that is set is the wanted one."""
        return schedules.same(wanted, there)

    def where(self, job: str) -> str:
        """Where the log of a run is found."""
        return f"its log is in Cloud Logging: resource.labels.job_id={job.rpartition('/')[2]}"

    def _listed(self, condition: str) -> Iterator[dict[str, Any]]:
        body = {"parent": self.clients.settings.parent, "filter": condition, "pageSize": PAGE}
        return self.clients.pages(finding.LIST, body, "customJobs")

    def _start(self, job: Mapping[str, Any]) -> Call:
        return Call(running.CREATE, {"parent": self.clients.settings.parent, "customJob": job})

    def _set(self, schedule: Mapping[str, Any]) -> Call:
        return Call(SET, {"parent": self.clients.settings.parent, "job": schedule})
