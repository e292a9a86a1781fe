"""Azure ML's descriptions of jobs -> our statuses. Pure; a word that no table knows is UNKNOWN, which is never over.

Azure ML's own status decides whether a job is over; why it ended, the record that the driver left says, and the error
of the run's details.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cloudml.clock import moment
from cloudml.records import dataclass
from cloudml.runtime.record import Record
from cloudml.status import JobState, JobStatus
from cloudml_azure import names
from cloudml_azure.errors import FAILURES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

STATES: Mapping[str, JobState] = {
    "NotStarted": JobState.QUEUED,
    "Starting": JobState.QUEUED,
    "Provisioning": JobState.QUEUED,
    "Preparing": JobState.QUEUED,
    "Queued": JobState.QUEUED,
    "Running": JobState.RUNNING,
    "Finalizing": JobState.RUNNING,
    "CancelRequested": JobState.STOPPING,
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "Canceled": JobState.CANCELLED,
    "NotResponding": JobState.RUNNING,
    "Paused": JobState.QUEUED,
    "Unknown": JobState.UNKNOWN,
}
"""JobStatus. NotResponding is a machine that was not heard of lately: the job may come back."""
REASONS: Mapping[str, str] = {
    "Preparing": "its image is prepared, which takes minutes the first time",
    "NotResponding": "its machine was not heard of lately",
    "Paused": "somebody paused it",
    "Canceled": "cancelled",
}
LATE = re.compile(r"time ?(out|d out|limit)|longer than its limit|exceeded.*(time|duration|limit)", re.IGNORECASE)
"""In what Azure ML says of a job that it ended because its time was up."""
EXIT_CODE = re.compile(r"exit(?:ed)?(?: with)?(?: status)? code[ :]*(-?\d+)", re.IGNORECASE)
IMAGE = re.compile(r"image build|ImageBuild|building the image|failed to build", re.IGNORECASE)
QUOTA = re.compile(r"quota|OutOfQuota", re.IGNORECASE)
CAPACITY = re.compile(r"capacity|AllocationFailed|no .*machine", re.IGNORECASE)
ADVICE = (
    (IMAGE, FAILURES["ImageBuildFailure"]),
    (QUOTA, FAILURES["OutOfQuota"]),
    (CAPACITY, f"{FAILURES['OutOfCapacity']}, region or no `spot`"),
)
"""In what Azure ML says of a job that failed before its script began -> what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a job besides Azure ML's description.

    Attributes:
        name: The job's name in the project's alphabet; attempts after the first have names of their own.
        parameters: What its script was given.
        outputs: Output to its address.
        metrics: What Azure ML's own record of numbers holds, where the driver left none.
        record: What the driver left; None while the job runs.
        tail: The last lines of its log, where the driver left none.
        error: The error of the run's details.
    """

    name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    record: Record | None = None
    tail: tuple[str, ...] = ()
    error: Mapping[str, Any] = field(default_factory=dict)


def status(description: Mapping[str, Any]) -> str:
    """Azure ML's own word for where the job stands."""
    return str(description.get("properties", {}).get("status", ""))


def native_state(description: Mapping[str, Any]) -> JobState:
    """Where a job stands by Azure ML's own words."""
    return STATES.get(status(description), JobState.UNKNOWN)


def state(description: Mapping[str, Any], told: Told) -> JobState:
    """Where a job stands: the driver knows when it ended the script because its time was up, and else Azure ML says."""
    found = native_state(description)
    if not found.over or found.good:
        return found
    by_driver = told.record is not None and told.record.state == JobState.TIMED_OUT
    by_azure = (told.record is None or not told.record.ended) and LATE.search(_message(told.error))
    return JobState.TIMED_OUT if by_driver or by_azure else found


def lift(description: Mapping[str, Any], told: Told) -> JobStatus:
    """The status in a description."""
    record = told.record or Record("")
    found, tags = state(description, told), names.ours(description)
    name, said = told.name or str(description["name"]), _reason(description, told.error)
    started, ended = _span(description, record)
    return JobStatus(
        resource=tags.get("cloudml-resource", f"jobs.{name}"),
        name=name,
        project=tags.get("cloudml-project", ""),
        hash=tags.get("cloudml-hash", ""),
        state=found,
        reason="" if found.good else _why(found, said, record),
        created=moment(description.get("systemData", {}).get("createdAt")),
        updated=moment(description.get("systemData", {}).get("lastModifiedAt")),
        native=dict(description),
        metrics=record.metrics or told.metrics,
        outputs=told.outputs or _outputs(description),
        parameters=told.parameters,
        exit_code=_exit_code(found, said, record),
        tail=tuple(record.tail.splitlines()) or told.tail,
        started=started,
        ended=ended,
    )


def _span(description: Mapping[str, Any], record: Record) -> tuple[datetime | None, datetime | None]:
    """When the script began and ended; both from the driver, or both from Azure ML."""
    if record.started and record.ended:
        return moment(record.started), moment(record.ended)
    said = description.get("properties", {}).get("properties") or {}
    return moment(said.get("StartTimeUtc")), moment(said.get("EndTimeUtc"))


def _message(error: Mapping[str, Any]) -> str:
    """The words of a run's error, which stand one object deeper in run details."""
    inner = error.get("error", error)
    return str(inner.get("message") or inner.get("code") or "") if isinstance(inner, dict) else str(inner or "")


def _reason(description: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    """Azure ML's own reason, in its words where it has some."""
    return _message(error) or REASONS.get(status(description), "")


def _why(found: JobState, said: str, record: Record) -> str:
    if found.over and record.reason:
        return record.reason
    advice = next((text for pattern, text in ADVICE if pattern.search(said)), "")
    return f"{said} ({advice})" if advice and found is JobState.FAILED else said


def _outputs(description: Mapping[str, Any]) -> dict[str, str]:
    """The outputs of a job that cloudml did not start."""
    given = description.get("properties", {}).get("outputs") or {}
    return {name: str(one["uri"]) for name, one in given.items() if isinstance(one, dict) and one.get("uri")}


def _exit_code(found: JobState, said: str, record: Record) -> int | None:
    if record.exit_code is not None or not found.over:
        return record.exit_code
    match = EXIT_CODE.search(said)
    return int(match[1]) if match else 0 if found.good else None
