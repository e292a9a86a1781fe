"""What a provider says: closed sets of states, and the native answer kept beside them.

A state that a provider reports and its table does not know becomes UNKNOWN, which is never over: waiting goes on, and
the native word is kept in `native`.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar

from cloudml.records import dataclass
from cloudml.states import JobState, State, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "REPORT_MARK",
    "Answer",
    "CheckResult",
    "DatasetStatus",
    "EndpointStatus",
    "JobState",
    "JobStatus",
    "LogPage",
    "ModelStatus",
    "MonitorReport",
    "MonitorStatus",
    "State",
    "Status",
    "Statuses",
    "Verdict",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is known of one object at a provider.

    Attributes:
        resource: What it is in the project, ``jobs.train``.
        name: What the provider calls it, ``flights-train-3fa9c1d2e4``.
        project: Whose it is.
        hash: The content that it was made from; empty when the provider could not say.
        state: Where it stands.
        reason: Why, when it failed or is not ready.
        created: When it was asked for, in UTC.
        updated: When its state last changed, in UTC.
        native: The provider's own answer.
    """

    resource: str
    name: str
    project: str
    hash: str
    state: JobState | State
    reason: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    native: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        from cloudml.notebook import status_html

        return status_html(self)


S = TypeVar("S", bound=Status)


class Statuses(tuple[S, ...]):
    """Several objects, as `list` gives them: a tuple that a notebook shows as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from cloudml.notebook import table

        rows = ((one.resource, one.name, one.state, one.reason.partition("\n")[0]) for one in self)
        return table(f"{len(self)} there", ("resource", "name", "state", "reason"), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetStatus(Status):
    """A version of a dataset.

    Attributes:
        uri: Where jobs of this provider read it.
        files: How many files.
        bytes: Their size together.
    """

    state: State
    uri: str = ""
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus(Status):
    """A run of a job.

    Attributes:
        metrics: The last value of each number that the script reported.
        outputs: Where each output lies.
        parameters: What the script was given.
        exit_code: The script's; None while it runs.
        tail: Its last log lines.
        started: When the script began, in UTC.
        ended: When it ended, in UTC.
    """

    state: JobState
    metrics: Mapping[str, float] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    tail: tuple[str, ...] = ()
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus(Status):
    """A registered version of a model.

    Attributes:
        version: The provider's number for it.
        uri: Where its files lie.
        metrics: The numbers that its gate was judged by.
    """

    state: State
    version: str = ""
    uri: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus(Status):
    """An endpoint.

    Attributes:
        url: Where it answers.
        model: The provider's name of the model version that answers now.
        instances: How many machines answer now.
    """

    state: State
    url: str = ""
    model: str = ""
    instances: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorStatus(Status):
    """A monitor.

    Attributes:
        endpoint: The provider's name of the endpoint that it watches.
        schedule: Its cron expression; empty when it runs only when asked.
        verdict: What its last run found; None before the first.
        ran: When that was, in UTC.
    """

    state: State
    endpoint: str = ""
    schedule: str = ""
    verdict: Verdict | None = None
    ran: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One comparison: *value* of *metric* on *column* against *max*; value None where it is not defined."""

    column: str
    metric: str
    value: float | None
    max: float
    violated: bool


REPORT_MARK = '<meta name="generator" content="cloudml">'
"""In the head of every report's page: one that was written beside the code is known by it, and is no code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReport:
    """What one monitor run found.

    Attributes:
        rows: Captured rows that were compared.
        baseline_rows: Rows of the baseline.
        ran: When, in UTC.
        html: The report as a page, or where it lies; empty when nothing was compared.
    """

    monitor: str
    state: Verdict
    rows: int
    baseline_rows: int
    checks: tuple[CheckResult, ...]
    ran: datetime | None = None
    html: str = field(default="", repr=False)

    @property
    def violations(self) -> tuple[CheckResult, ...]:
        return tuple(check for check in self.checks if check.violated)

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        from cloudml.notebook import report_html

        return report_html(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint answered.

    Attributes:
        status: The HTTP status, 2xx.
        body: As it came.
        content_type: Its media type.
        model: The model version that answered, when the provider says.
    """

    status: int
    body: bytes
    content_type: str
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some lines of a log.

    Attributes:
        lines: Without line ends.
        cursor: Hand it back to read on from here.
    """

    lines: tuple[str, ...]
    cursor: str
