"""Vertex AI's descriptions of jobs -> our statuses. Pure; a word that no table knows is UNKNOWN, which is never over.

Vertex AI's own state decides whether a job is over; why it ended, its error and the record that the driver left say.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cloudml.clock import moment
from cloudml.records import dataclass
from cloudml.runtime.record import Record
from cloudml.status import JobState, JobStatus
from cloudml_gcp import names
from cloudml_gcp.errors import CAPACITY, NUMBERS, QUOTA

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

STATES: Mapping[str, JobState] = {
    "JOB_STATE_UNSPECIFIED": JobState.UNKNOWN,
    "JOB_STATE_QUEUED": JobState.QUEUED,
    "JOB_STATE_PENDING": JobState.QUEUED,
    "JOB_STATE_RUNNING": JobState.RUNNING,
    "JOB_STATE_SUCCEEDED": JobState.SUCCEEDED,
    "JOB_STATE_FAILED": JobState.FAILED,
    "JOB_STATE_CANCELLING": JobState.STOPPING,
    "JOB_STATE_CANCELLED": JobState.CANCELLED,
    "JOB_STATE_PAUSED": JobState.UNKNOWN,
    "JOB_STATE_EXPIRED": JobState.TIMED_OUT,
    "JOB_STATE_UPDATING": JobState.RUNNING,
    "JOB_STATE_PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
}
"""JobState of the contract."""
REASONS: Mapping[str, str] = {
    "JOB_STATE_EXPIRED": "Vertex AI's time limit was reached",
    "JOB_STATE_CANCELLED": "stopped",
    "JOB_STATE_QUEUED": "it waits for machines",
    "JOB_STATE_PENDING": "its machines are being prepared",
}
EXHAUSTED = "RESOURCE_EXHAUSTED"
ADVICE = "the region has no such machine free now: run it again later, or choose another machine, region, or no `spot`"
WAITED = re.compile(r"not provisioned within|max(imum)?[ _]wait", re.IGNORECASE)
"""In what a job says that was given up after its longest wait."""
NONE_CAME = f"no machine came for as long as `max_wait` of the target says: {ADVICE}; or ask for more quota"
EXIT_CODE = re.compile(r"exited with a non-zero status of (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a job besides Vertex AI's description.

    Attributes:
        card: What was written when it was made; empty where cloudml did not make it.
        record: What the driver left; None while the job runs.
        tail: The last lines of its log, where the driver left none.
    """

    card: Mapping[str, Any] = field(default_factory=dict)
    record: Record | None = None
    tail: tuple[str, ...] = ()


def native_state(job: Mapping[str, Any]) -> JobState:
    """Where a job stands by Vertex AI's own word."""
    return STATES.get(str(job.get("state", "")), JobState.UNKNOWN)


def state(job: Mapping[str, Any], record: Record | None) -> JobState:
    """Where a job stands: the driver knows when it ended the script because its time was up."""
    found = native_state(job)
    timed_out = record is not None and record.state == JobState.TIMED_OUT and found.over and not found.good
    return JobState.TIMED_OUT if timed_out else found


def name_of(job: Mapping[str, Any]) -> str:
    """Our name of a job; Vertex AI's number for one that cloudml did not make."""
    return str(job.get("labels", {}).get(names.ID) or str(job.get("name", "")).rpartition("/")[2])


def lift(job: Mapping[str, Any], told: Told) -> JobStatus:
    """The status in a description."""
    record, name = told.record or Record(""), name_of(job)
    tags = told.card.get("tags") or names.tags(job.get("labels", {}))
    found = state(job, told.record)
    why = reason(job)
    started, ended = _span(job, record)
    return JobStatus(
        resource=tags.get(names.RESOURCE, f"jobs.{name}"),
        name=name,
        project=tags.get(names.PROJECT, ""),
        hash=tags.get(names.HASH, ""),
        state=found,
        reason="" if found.good else _why(found, why, record),
        created=moment(job.get("createTime")),
        updated=moment(job.get("updateTime")),
        native=dict(job),
        metrics=record.metrics,
        outputs=told.card.get("outputs", {}),
        parameters=told.card.get("parameters", {}),
        exit_code=_exit_code(found, why, record),
        tail=tuple(record.tail.splitlines()) or told.tail,
        started=started,
        ended=ended,
    )


def reason(job: Mapping[str, Any]) -> str:
    """Vertex AI's own reason, in its words where it has some."""
    error = job.get("error") or {}
    said, word = str(error.get("message", "")), str(job.get("state", ""))
    if CAPACITY.search(said):
        return f"{said} ({ADVICE})"
    if WAITED.search(said):
        return f"{said} ({NONE_CAME})"
    if NUMBERS.get(int(error.get("code") or 0)) == EXHAUSTED:
        return f"{said} ({QUOTA})"
    if STATES.get(word) is JobState.QUEUED:
        return f"{REASONS[word]}, since {job.get('createTime', 'it was made')}"
    return said if native_state(job) is JobState.FAILED else REASONS.get(word, said)


def _why(found: JobState, said: str, record: Record) -> str:
    return record.reason if found.over and record.reason else said


def _span(job: Mapping[str, Any], record: Record) -> tuple[datetime | None, datetime | None]:
    """When the script began and ended; both from the driver, or both from Vertex AI."""
    if record.started and record.ended:
        return moment(record.started), moment(record.ended)
    return moment(job.get("startTime")), moment(job.get("endTime"))


def _exit_code(found: JobState, said: str, record: Record) -> int | None:
    if record.exit_code is not None or not found.over:
        return record.exit_code
    match = EXIT_CODE.search(said)
    return int(match[1]) if match else 0 if found.good else None
