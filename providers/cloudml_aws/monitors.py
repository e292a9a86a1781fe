"""Monitors: `cloudml.clouds.monitors`, run by processing jobs and started by EventBridge Scheduler."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from cloudml.capabilities import Level
from cloudml.clouds import engine, monitors, settling
from cloudml.clouds.monitors import CardMonitors
from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError
from cloudml.plan import Call, Note, Plan
from cloudml.progress import SILENT
from cloudml.status import JobState, JobStatus
from cloudml_aws import analysing, schedules
from cloudml_aws.names import fit, native
from cloudml_aws.states import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cloudml.resources import MonitorResource
    from cloudml_aws.clients import Clients
    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

CREATE = "sagemaker:CreateProcessingJob"


def lower(resource: MonitorResource, places: Places, settings: AwsSettings) -> dict[str, Any]:
    """The card: all that a run needs, as it is sent.

    Raises:
        UnsupportedError: The scheduler cannot say the schedule.
    """
    name = native(resource.identity)
    told = analysing.description(resource)
    job = analysing.request(resource, name, engine.mark(told), places, settings)
    schedule = None
    if cron := resource.spec.schedule:
        said = schedules.expression(cron, f"{resource.identity.resource}.schedule")
        schedule = schedules.lower(name, said, job, settings)
    return monitors.card(resource, fit(resource.endpoint), told, job, schedule)


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


class AwsMonitors(CardMonitors):
    """Monitors in the bucket, run by processing jobs."""

    __slots__ = ()
    PUT: ClassVar[str] = "s3:PutObject"
    clients: Clients
    places: Places

    def lower(self, resource: MonitorResource) -> dict[str, Any]:
        """The card: all that a run needs."""
        return lower(resource, self.places, self.clients.settings)

    def notes(self, resource: MonitorResource) -> Iterator[Note]:
        """What runs where."""
        return notes(resource)

    def native(self, name: str) -> str:
        """The name as AWS takes it."""
        return fit(name)

    def schedule_calls(self, card: Mapping[str, Any]) -> tuple[Call, ...]:
        """The one request of EventBridge Scheduler."""
        return (Call("scheduler:CreateSchedule", card["schedule"]),) if card["schedule"] else ()

    def check(self, card: Mapping[str, Any]) -> None:
        """Whether the request that is inside the schedule is a good one.

        Raises:
            SpecError: The service model does not allow the request.
        """
        from cloudml_aws.clients import verify

        verify(Plan((Call(CREATE, analysing.once(card["job"], engine.new_run())),)))

    def start(self, card: Mapping[str, Any], run: str, since: datetime | None, until: datetime | None) -> str:
        """Start a processing job; its name."""
        body = analysing.once(card["job"], run, since, until)
        job = str(body["ProcessingJobName"])
        self.clients.send(CREATE, body)
        settling.seen(lambda: self.job(job), self.clients.sleep)
        return job

    def job(self, job: str) -> JobStatus:
        """How a run's processing job stands."""
        return lift_job(self.clients.send("sagemaker:DescribeProcessingJob", {"ProcessingJobName": job}))

    def end_jobs(self, name: str) -> None:
        """Stop the runs that are under way, and remove the records of all."""
        begins = f"{analysing.stem(name)}-"
        found = self.clients.pages("sagemaker:ListProcessingJobs", {"NameContains": begins}, "ProcessingJobSummaries")
        for job in [one["ProcessingJobName"] for one in found if one["ProcessingJobName"].startswith(begins)]:
            with suppress(NotFoundError):
                if not self.job(job).state.over:
                    self.clients.send("sagemaker:StopProcessingJob", {"ProcessingJobName": job})
                    self.waited(job, SILENT)
                self.clients.send("sagemaker:DeleteProcessingJob", {"ProcessingJobName": job})

    def schedule(self, name: str) -> Mapping[str, Any] | None:
        """The schedule at EventBridge Scheduler."""
        try:
            return self.clients.send("scheduler:GetSchedule", {"Name": name})
        except NotFoundError:
            return None

    def set_schedule(self, name: str, wanted: Mapping[str, Any] | None) -> None:
        """Bring the schedule to what is wanted; none when that is None."""
        there = self.schedule(name)
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

    def same(self, wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
        """Whether the schedule that is set is the wanted one."""
        return schedules.same(wanted, there)

    def where(self, job: str) -> str:
        """Where the log of a run is found."""
        return f"its log is in CloudWatch, group /aws/sagemaker/ProcessingJobs, stream {job}/…"
