"""SageMaker's descriptions of jobs -> our statuses. Pure; a word that no table knows is UNKNOWN, which is never over.

SageMaker's own status decides whether a job is over; what happens meanwhile, and why it stopped, its second status and
the record that the driver left say.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cloudml.clock import moment
from cloudml.records import dataclass
from cloudml.runtime.record import Record
from cloudml.status import JobState, JobStatus
from cloudml_aws.errors import CAPACITY
from cloudml_aws.kinds import TRAINING, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

STATES: Mapping[str, JobState] = {
    "InProgress": JobState.RUNNING,
    "Stopping": JobState.STOPPING,
    "Stopped": JobState.CANCELLED,
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "Deleting": JobState.UNKNOWN,
}
"""TrainingJobStatus and ProcessingJobStatus."""
DELETING = "Deleting"
SECONDARY: Mapping[str, JobState] = {
    "Starting": JobState.QUEUED,
    "Pending": JobState.QUEUED,
    "LaunchingMLInstances": JobState.QUEUED,
    "PreparingTrainingStack": JobState.QUEUED,
    "Interrupted": JobState.QUEUED,
    "Restarting": JobState.QUEUED,
    "Downloading": JobState.RUNNING,
    "DownloadingTrainingImage": JobState.RUNNING,
    "Training": JobState.RUNNING,
    "Updating": JobState.RUNNING,
    "Uploading": JobState.RUNNING,
    "Stopping": JobState.STOPPING,
    "Stopped": JobState.CANCELLED,
    "MaxRuntimeExceeded": JobState.TIMED_OUT,
    "MaxWaitTimeExceeded": JobState.TIMED_OUT,
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
}
"""SecondaryStatus of a training job."""
REASONS: Mapping[str, str] = {
    "MaxRuntimeExceeded": "SageMaker's time limit was reached",
    "MaxWaitTimeExceeded": "no spot machine was free for long enough",
    "Stopped": "stopped",
    "Interrupted": "the spot machine was taken away; the job waits for another",
}
ADVICE = "AWS has no such machine free now: run it again later, or choose another machine, region or no `spot`"
LATE = re.compile(r"max(imum)? ?runtime", re.IGNORECASE)
"""In what SageMaker says of a processing job that it stopped, which has no second status."""
EXIT_CODE = re.compile(r"exit code:? *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a job besides SageMaker's description.

    Attributes:
        tags: Its tags.
        parameters: What its script was given.
        outputs: Output to its address.
        record: What the driver left; None while the job runs.
        tail: The last lines of its log, where the driver left none.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    record: Record | None = None
    tail: tuple[str, ...] = ()


def native_state(kind: Kind, description: Mapping[str, Any]) -> JobState:
    """Where a job stands by SageMaker's own words, in a description or a summary."""
    primary = STATES.get(kind.status(description), JobState.UNKNOWN)
    second = SECONDARY.get(description.get("SecondaryStatus", ""), JobState.UNKNOWN)
    if primary is JobState.RUNNING and kind is TRAINING:
        return second if second in {JobState.QUEUED, JobState.STOPPING} else primary
    if primary is JobState.CANCELLED and (second is JobState.TIMED_OUT or LATE.search(_reason(kind, description))):
        return JobState.TIMED_OUT
    return primary


def state(kind: Kind, description: Mapping[str, Any], record: Record | None) -> JobState:
    """Where a job stands: the driver knows when it ended the script because its time was up."""
    found = native_state(kind, description)
    timed_out = record is not None and record.state == JobState.TIMED_OUT and found.over and not found.good
    return JobState.TIMED_OUT if timed_out else found


def lift(kind: Kind, description: Mapping[str, Any], told: Told) -> JobStatus:
    """The status in a description, or in a summary, which says less."""
    record = told.record or Record("")
    found = state(kind, description, told.record)
    name, said = kind.name(description), _reason(kind, description)
    started, ended = _span(kind, description, record)
    return JobStatus(
        resource=told.tags.get("cloudml-resource", f"jobs.{name}"),
        name=name,
        project=told.tags.get("cloudml-project", ""),
        hash=told.tags.get("cloudml-hash", ""),
        state=found,
        reason="" if found.good else _why(found, said, record),
        created=moment(description.get("CreationTime")),
        updated=moment(description.get("LastModifiedTime")),
        native=dict(description),
        metrics=record.metrics or _metrics(description),
        outputs=told.outputs or _model(description),
        parameters=told.parameters,
        exit_code=_exit_code(found, said, record),
        tail=tuple(record.tail.splitlines()) or told.tail,
        started=started,
        ended=ended,
    )


def _span(kind: Kind, description: Mapping[str, Any], record: Record) -> tuple[datetime | None, datetime | None]:
    """When the script began and ended; both from the driver, or both from SageMaker."""
    if record.started and record.ended:
        return moment(record.started), moment(record.ended)
    verb = kind.noun.removesuffix("Job")
    return moment(description.get(f"{verb}StartTime")), moment(description.get(f"{verb}EndTime"))


def _reason(kind: Kind, description: Mapping[str, Any]) -> str:
    """SageMaker's own reason, in its words where it has some."""
    second = str(description.get("SecondaryStatus") or kind.status(description))
    return str(description.get("FailureReason") or description.get("ExitMessage") or REASONS.get(second, ""))


def _why(found: JobState, said: str, record: Record) -> str:
    if CAPACITY.search(said):
        return f"{said} ({ADVICE})"
    return record.reason if found.over and record.reason else said


def _metrics(description: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that SageMaker found in the log."""
    return {one["MetricName"]: float(one["Value"]) for one in description.get("FinalMetricDataList", ())}


def _model(description: Mapping[str, Any]) -> dict[str, str]:
    """The model of a training job that cloudml did not start."""
    uri = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    return {"model": str(uri)} if uri else {}


def _exit_code(found: JobState, said: str, record: Record) -> int | None:
    if record.exit_code is not None or not found.over:
        return record.exit_code
    match = EXIT_CODE.search(said)
    return int(match[1]) if match else 0 if found.good else None
