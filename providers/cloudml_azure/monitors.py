"""Monitors: `cloudml.clouds.monitors`, run by command jobs and started by a job schedule of Azure ML."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from cloudml.capabilities import Level
from cloudml.clock import moment
from cloudml.clouds import engine, monitors, settling
from cloudml.clouds.monitors import CardMonitors
from cloudml.errors import NotFoundError
from cloudml.plan import Call, Note, Plan
from cloudml.progress import SILENT
from cloudml.records import dataclass
from cloudml.status import JobStatus
from cloudml_azure import analysing, finding, names, running, schedules
from cloudml_azure.jobs import CREATE
from cloudml_azure.places import datastore
from cloudml_azure.states import Told, lift, native_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cloudml.resources import MonitorResource
    from cloudml_azure.clients import Clients
    from cloudml_azure.logs import AzureLogs
    from cloudml_azure.places import Places
    from cloudml_azure.settings import AzureSettings

SCHEDULE = "Schedules_CreateOrUpdate"
TAIL = 12


def lower(resource: MonitorResource, places: Places, settings: AzureSettings) -> dict[str, Any]:
    """The card: all that a run needs, as it is sent.

    Raises:
        UnsupportedError: Azure ML cannot say the schedule.
    """
    name = names.native(resource.identity)
    told = analysing.description(resource)
    job = analysing.request(resource, name, engine.mark(told), places, settings)
    schedule = None
    if cron := resource.spec.schedule:
        trigger = schedules.trigger(cron, f"{resource.identity.resource}.schedule")
        schedule = schedules.lower(name, trigger, job, names.tags(resource.identity, settings))
    return monitors.card(resource, names.endpoint(resource.endpoint, settings), told, job, schedule)


def notes(resource: MonitorResource) -> Iterator[Note]:
    """What runs where, and what the schedule was translated to."""
    path = resource.identity.resource
    instance = analysing.machine(path).instance_type
    yield Note(f"{path}.checks", f"the monitoring engine runs as a command job on {instance}, over what was captured")
    if cron := resource.spec.schedule:
        said = schedules.shown(schedules.trigger(cron, f"{path}.schedule"))
        yield Note(f"{path}.schedule", f"a schedule of Azure ML: {said}, in UTC", Level.NATIVE)


def lift_job(said: Mapping[str, Any], error: Mapping[str, Any], tail: tuple[str, ...]) -> JobStatus:
    """How a run's job stands."""
    found = lift(said, Told(error=error, tail=tail))
    return JobStatus(
        resource="",
        name=found.name,
        project="",
        hash="",
        state=found.state,
        reason=found.reason,
        created=found.created,
        ended=moment(said.get("properties", {}).get("properties", {}).get("EndTimeUtc")),
        native=said,
        tail=found.tail,
    )


@dataclass(frozen=True, slots=True)
class AzureMonitors(CardMonitors):
    """Monitors in the container, run by command jobs."""

    PUT: ClassVar[str] = "Blobs_Put"
    clients: Clients
    places: Places
    logs: AzureLogs

    def lower(self, resource: MonitorResource) -> dict[str, Any]:
        """The card: all that a run needs."""
        return lower(resource, self.places, self.clients.settings)

    def notes(self, resource: MonitorResource) -> Iterator[Note]:
        """What runs where."""
        return notes(resource)

    def native(self, name: str) -> str:
        """The name as Azure takes it."""
        return names.fit(name)

    def schedule_calls(self, card: Mapping[str, Any]) -> tuple[Call, ...]:
        """The one request of a schedule."""
        return (Call(SCHEDULE, card["schedule"]),) if card["schedule"] else ()

    def check(self, card: Mapping[str, Any]) -> None:
        """Whether the request that starts a run is a good one.

        Raises:
            SpecError: The contract does not allow the request.
        """
        from cloudml_azure.clients import verify

        verify(Plan((Call(CREATE, analysing.once(card["job"], "run", engine.new_run())),)))

    def start(self, card: Mapping[str, Any], run: str, since: datetime | None, until: datetime | None) -> str:
        """Start a command job; its name."""
        running.ensure(self.clients, datastore(self.clients.settings))
        body = analysing.once(card["job"], card["job"]["displayName"], run, since, until)
        job = str(body["name"])
        self.clients.send(CREATE, body)
        settling.seen(lambda: self.job(job), self.clients.sleep)
        return job

    def job(self, job: str) -> JobStatus:
        """How a run's command job stands; of one that failed, with its last lines."""
        said = self.clients.send("Jobs_Get", {"name": job})
        state = native_state(said)
        if not state.over or state.good:
            return lift_job(said, {}, ())
        return lift_job(said, self.logs.details(job).get("error") or {}, self.logs.tail(job, TAIL))

    def end_jobs(self, name: str) -> None:
        """Stop the runs that are under way, and remove the records of all."""
        found = [str(one["name"]) for one in finding.listed(self.clients, f"{finding.MONITOR}={name}")]
        for job in found:
            with suppress(NotFoundError):
                if not self.job(job).state.over:
                    self.clients.send("Jobs_Cancel", {"name": job})
                    self.waited(job, SILENT)
                self.clients.send("Jobs_Delete", {"name": job})

    def schedule(self, name: str) -> Mapping[str, Any] | None:
        """The schedule at Azure ML; None when there is none, or it is going."""
        try:
            found = self.clients.send("Schedules_Get", {"name": name})
        except NotFoundError:
            return None
        return None if found["properties"].get("provisioningState") == "Deleting" else found

    def set_schedule(self, name: str, wanted: Mapping[str, Any] | None) -> None:
        """Bring the schedule to what is wanted; none when that is None."""
        there = self.schedule(name)
        if wanted is None:
            if there is not None:
                with suppress(NotFoundError):
                    settling.free(lambda: self.clients.send("Schedules_Delete", {"name": name}), self.clients.sleep)
                settling.gone(
                    lambda: self.clients.send("Schedules_Get", {"name": name}), f"schedule `{name}`", self.clients.sleep
                )
            return
        if there is None or not schedules.same(wanted, there):
            settling.free(lambda: self.clients.send(SCHEDULE, wanted), self.clients.sleep)
            settling.seen(lambda: self.clients.send("Schedules_Get", {"name": name}), self.clients.sleep)

    def same(self, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
        """Whether the schedule that is set is the wanted one."""
        return schedules.same(wanted, there)

    def where(self, job: str) -> str:
        """Where the log of a run is found."""
        return f"its log is in the studio, under Jobs, {job}"
