"""The seam: what a provider offers. One small Protocol per noun, a record that holds them, and a plugin.

Everything that can be derived (waiting, following logs, `up`, `down`) is written once in the core over these verbs.

The rules, which tests/conformance holds every provider to:

- `plan` is pure: it needs no network, no account and no SDK, and `create`/`update` send exactly what it returns.
- `create` of a name that exists raises AlreadyExistsError, also when two do it at once: one of them makes it.
- `create` of a name whose object failed or was cancelled makes it anew in its place, and only one of two that do.
- `create`, `update` and `cancel` return when the request was accepted; `get` tells how it goes on.
- What takes several requests with waiting between them (an endpoint, then its autoscaling) is UNFINISHED while the next
  one is to be sent: `update` with the same resource sends it. The reason says what is missing, and differs each time.
- `get` of what does not exist raises NotFoundError; `delete` of it is no error, and `delete` returns when it is gone.
- `list` gives every object of the project, in no given order, however many pages that takes.
- Names handed in are those of `Identity.name`; the provider fits them to its own alphabet and length.
- A native error becomes one of cloudml.errors by the provider's table, with its cause chained.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path
    from threading import Event

    from cloudml.capabilities import Capability, Support
    from cloudml.plan import Plan
    from cloudml.progress import Progress
    from cloudml.resources import (
        DatasetResource,
        EndpointResource,
        Identity,
        JobResource,
        ModelResource,
        MonitorResource,
    )
    from cloudml.serving.local import Local
    from cloudml.status import (
        Answer,
        DatasetStatus,
        EndpointStatus,
        JobStatus,
        LogPage,
        ModelStatus,
        MonitorReport,
        MonitorStatus,
    )

Settings = TypeVar("Settings")


class Datasets(Protocol):
    """Files in the provider's storage, versioned by content."""

    def uri(self, identity: Identity) -> str:
        """Where jobs will read this version; known before it is there."""
        ...

    def plan(self, resource: DatasetResource) -> Plan: ...

    def create(self, resource: DatasetResource, progress: Progress) -> DatasetStatus:
        """Send the files that are not there yet; returns when all are. Interrupted, the next call goes on."""
        ...

    def get(self, name: str) -> DatasetStatus: ...

    def list(self, project: str) -> Iterator[DatasetStatus]: ...

    def delete(self, name: str) -> None: ...


class Jobs(Protocol):
    """Scripts that run to an end."""

    def output(self, identity: Identity, output: str) -> str:
        """The URI of the folder in which this run leaves that output; known before it runs."""
        ...

    def plan(self, resource: JobResource) -> Plan: ...

    def create(self, resource: JobResource, progress: Progress) -> JobStatus: ...

    def get(self, name: str) -> JobStatus: ...

    def list(self, project: str) -> Iterator[JobStatus]: ...

    def cancel(self, name: str) -> None:
        """Ask the job to stop; no error if it has ended. Returns before it has."""
        ...

    def delete(self, name: str) -> None:
        """Remove the job and what it left behind; one that runs is stopped first."""
        ...


class RunsInProcess(Protocol):
    """What the jobs of a provider with Capability.JOB_IN_PROCESS can besides."""

    def run_in_process(self, resource: JobResource) -> JobStatus:
        """Run the script in the calling process, to its end."""
        ...


class TellsOfEnds(Protocol):
    """What jobs can besides where their end is told: who waits for it need not look so often."""

    def wait_for_end(self, name: str, seconds: float, stopped: Event) -> bool:
        """Let *seconds* pass, or less when the job ends or *stopped* is set; False, at once, where none would tell."""
        ...


class Models(Protocol):
    """Registered versions."""

    def plan(self, resource: ModelResource) -> Plan: ...

    def create(self, resource: ModelResource) -> ModelStatus: ...

    def get(self, name: str) -> ModelStatus: ...

    def list(self, project: str) -> Iterator[ModelStatus]: ...

    def delete(self, name: str) -> None: ...


class Endpoints(Protocol):
    """Models that answer."""

    def plan(self, resource: EndpointResource) -> Plan: ...

    def create(self, resource: EndpointResource) -> EndpointStatus: ...

    def update(self, resource: EndpointResource) -> EndpointStatus:
        """Move the endpoint to *resource*; what answered before goes on answering until the new one does.

        It also revives an endpoint that failed. An update that cannot be carried out leaves the old one answering, and
        its hash and the reason in the status.
        """
        ...

    def get(self, name: str) -> EndpointStatus: ...

    def list(self, project: str) -> Iterator[EndpointStatus]: ...

    def invoke(self, name: str, body: bytes, *, content_type: str, accept: str) -> Answer:
        """One request, sent once.

        Raises:
            InvalidRequestError: The model refused the rows; the message says which row and field.
            UnavailableError: No answer, or the model failed.
        """
        ...

    def delete(self, name: str) -> None: ...


class ServesInProcess(Protocol):
    """What the endpoints of a provider with Capability.ENDPOINT_IN_PROCESS can besides."""

    def local_model(self, name: str) -> Local:
        """The model behind an endpoint, loaded into the calling process."""
        ...


class Monitors(Protocol):
    """Comparisons of an endpoint's traffic with a baseline."""

    def plan(self, resource: MonitorResource) -> Plan: ...

    def create(self, resource: MonitorResource) -> MonitorStatus: ...

    def update(self, resource: MonitorResource) -> MonitorStatus: ...

    def get(self, name: str) -> MonitorStatus: ...

    def list(self, project: str) -> Iterator[MonitorStatus]: ...

    def run(self, name: str, *, since: datetime | None, until: datetime | None, progress: Progress) -> MonitorReport:
        """Compare now, and return when it is done; the monitor's window counts where *since* is None."""
        ...

    def report(self, name: str) -> MonitorReport:
        """What the last run found.

        Raises:
            NotFoundError: The monitor has not run.
        """
        ...

    def delete(self, name: str) -> None: ...


class Logs(Protocol):
    """What jobs and endpoints print."""

    def read(self, section: str, name: str, cursor: str) -> LogPage:
        """What was printed since *cursor*, oldest first; "" reads from the start. Nothing new gives no lines."""
        ...


@dataclass(frozen=True, slots=True)
class Provider:
    """A connected provider: one service per noun."""

    datasets: Datasets
    jobs: Jobs
    models: Models
    endpoints: Endpoints
    monitors: Monitors
    logs: Logs
    verify: Callable[[Plan], None] | None = None
    """Holds a plan against the vendor's own contract before any of it is sent; raises SpecError. May load an SDK."""
    sleep: Callable[[float], None] | None = None
    """How to let time pass between two looks, in seconds; a double with a clock of its own brings one."""
    working: Callable[[], AbstractContextManager[None]] | None = None
    """Entered by whoever does many things in a row, in several threads: what is dear to open stays open meanwhile."""
    double: Any = field(default=None, repr=False)
    """What answers in a rehearsal: its `requests`, `faults` and `clock`; None where a service does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that `provider check` looked at: credentials, permissions, quota, contract.

    Attributes:
        ok: True, False, or None where it could not be looked at.
    """

    group: str
    subject: str
    ok: bool | None
    text: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a provider may know of the caller's side.

    Attributes:
        root: The project's folder.
        project: The project's name.
    """

    root: Path
    project: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin(Generic[Settings]):
    """A provider before anyone connects: cheap to import, no SDK, no account.

    Attributes:
        name: As in `provider:` of a target.
        title: For people.
        settings: A pydantic model of what a target may say.
        capabilities: An answer to every Capability.
        connect: Makes the provider; sends nothing and imports no SDK, which each service does when it first sends.
        check: What `provider check` prints: credentials, permissions, quota apart.
        reads_state_without_sdk: Whether `plan` may look at what is there and still load no SDK.
        poll_s: The first and the longest pause between two looks at the same object, in seconds.
        extra: The extra of cloudml-adapters that installs what it needs; empty when nothing more is needed.
        native: Makes the vendor's own client for a target; None where there is none.
        rehearse: A provider that needs no account and leaves nothing behind: the double, provisioned with what the
            settings name.
    """

    name: str
    title: str
    settings: type[Settings]
    capabilities: Mapping[Capability, Support]
    connect: Callable[[Settings, Context], Provider]
    check: Callable[[Settings, Context], Iterator[Finding]]
    reads_state_without_sdk: bool = False
    poll_s: tuple[float, float] = (5.0, 30.0)
    extra: str = ""
    native: Callable[[Settings], Any] | None = field(default=None, repr=False)
    rehearse: Callable[[Settings, Context], AbstractContextManager[Provider]] | None = field(default=None, repr=False)
