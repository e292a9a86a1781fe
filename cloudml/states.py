"""Closed sets of states; apart from what else a status says, since a process that runs one job needs no more."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. STOPPING is not over: machines may still be billed."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def over(self) -> bool:
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.TIMED_OUT, JobState.CANCELLED}

    @property
    def good(self) -> bool:
        return self is JobState.SUCCEEDED


class State(StrEnum):
    """Where a dataset, model, endpoint or monitor stands."""

    CREATING = "creating"
    UPDATING = "updating"
    READY = "ready"
    UNFINISHED = "unfinished"
    """What was sent is in place, and more is to be sent before it is as asked; `up` sends it."""
    FAILED = "failed"
    DELETING = "deleting"
    UNKNOWN = "unknown"

    @property
    def over(self) -> bool:
        return self in {State.READY, State.UNFINISHED, State.FAILED}

    @property
    def good(self) -> bool:
        return self is State.READY


class Verdict(StrEnum):
    """What a monitor run found."""

    OK = "ok"
    VIOLATED = "violated"
    NO_DATA = "no_data"
