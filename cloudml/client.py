"""The SDK's door to a target: specs in, statuses out.

A name is the one in the project, ``train``, which means the newest version, or the provider's full name. A spec that is
handed in joins the project of this client under its name, so that later specs can refer to it; what it refers to, and
the client has not seen, is looked up at the target.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cloudml.errors import InvalidRequestError, NotFoundError, RunFailedError, SettingsError, UnsupportedError
from cloudml.graph import service
from cloudml.progress import SILENT
from cloudml.records import dataclass
from cloudml.spelling import nearest
from cloudml.status import (
    Answer,
    DatasetStatus,
    EndpointStatus,
    JobStatus,
    ModelStatus,
    MonitorReport,
    MonitorStatus,
    Status,
    Statuses,
)
from cloudml.waiting import follow, telling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from cloudml.capabilities import Capability
    from cloudml.events import Listener
    from cloudml.progress import Progress
    from cloudml.seam import Provider
    from cloudml.serving.local import Local
    from cloudml.session import Session
    from cloudml.specs import AnySpec, DatasetSpec, EndpointSpec, JobSpec, ModelSpec, MonitorSpec
    from cloudml.targets import Target

S = TypeVar("S", bound=Status)


class Client:
    """The nouns at a target: datasets, jobs, models, endpoints, monitors, logs."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.datasets = Datasets(self, "datasets")
        self.jobs = Jobs(self, "jobs")
        self.models = Models(self, "models")
        self.endpoints = Endpoints(self, "endpoints")
        self.monitors = Monitors(self, "monitors")
        self.logs = Logs(self)

    @property
    def target(self) -> Target:
        return self.session.target

    @property
    def provider(self) -> Provider:
        return self.session.provider

    @property
    def project(self) -> str:
        return self.session.spec.project

    def native(self) -> Any:
        """The vendor's own client, set up for the target.

        Raises:
            UnsupportedError: There is none.
        """
        plugin = self.target.plugin
        if plugin.native is None:
            raise UnsupportedError(f"{plugin.title} has no client of a vendor", path=self.target.name)
        return plugin.native(self.target.settings)

    def require(self, capability: Capability) -> None:
        """Go on only if the provider has *capability*.

        Raises:
            UnsupportedError: It has not; the message says why.
        """
        plugin = self.target.plugin
        support = plugin.capabilities[capability]
        if not support:
            raise UnsupportedError(
                f"{plugin.title}: {support.reason}", path=capability.key, capability=capability, support=support
            )

    def __repr__(self) -> str:
        return f"Client(project={self.project!r}, target={self.target.name!r}, provider={self.target.plugin.name!r})"

    def _repr_html_(self) -> str:
        from cloudml.notebook import table

        return table(
            "Client", ("project", "target", "provider"), [(self.project, self.target.name, self.target.plugin.title)]
        )

    def adopt(self, section: str, spec: AnySpec) -> str:
        """Let *spec* join the project of this client; its reference."""
        known = {**getattr(self.session.spec, section), spec.name: spec}
        project = self.session.spec.model_copy(update={section: known})
        self.session = replace(self.session, spec=project)
        return f"{section}.{spec.name}"


@dataclass(frozen=True, slots=True)
class Noun(Generic[S]):
    """What all nouns have: list, get, delete."""

    client: Client
    section: str

    def list(self) -> Statuses[S]:
        """All of the project at the target, the newest first."""
        found = tuple(self._service.list(self.client.project))
        return Statuses(sorted(found, key=lambda one: one.created.timestamp() if one.created else 0.0, reverse=True))

    def get(self, name: str) -> S:
        """The newest version of *name*, or the one of that full name.

        Raises:
            NotFoundError: There is none; names those that are near.
        """
        status: S = self._service.get(self.full(name))
        return status

    def delete(self, name: str) -> str:
        """Remove one, by its name in the project (the newest version) or its full name; no error if it is gone.

        Returns:
            The full name of what was removed; empty when nothing was there.
        """
        try:
            full = self.full(name)
        except NotFoundError:
            return ""
        self._service.delete(full)
        return full

    @property
    def _service(self) -> Any:
        return service(self.client.provider, self.section)

    def full(self, name: str) -> str:
        """The provider's full name for a name of the project."""
        there = self.list()
        labels = {one.resource.partition(".")[2]: one for one in reversed(there)}
        if any(one.name == name for one in there):
            return name
        if name in labels:
            newest = self.client.session.newest(f"{self.section}.{name}", there)
            return newest.name if newest else labels[name].name
        guess = nearest(name, [*labels, *(one.name for one in there)])
        hint = f"did you mean `{guess}`?" if guess else f"`cloudml {self.section[:-1]} list` shows what there is"
        raise NotFoundError(f"no {self.section[:-1]} `{name}` of project `{self.client.project}` there", hint=hint)

    def _bring(self, spec: AnySpec | str, listener: Listener | None = None) -> Any:
        """Bring a spec, or what the project calls so, and what it leans on, into being."""
        from cloudml.events import silent

        reference = f"{self.section}.{spec}" if isinstance(spec, str) else self.client.adopt(self.section, spec)
        self._known(reference)
        result = self.client.session.up((reference,), listener or silent)
        return result.statuses[reference]

    def _known(self, reference: str) -> None:
        if reference not in dict(self.client.session.spec.resources()):
            known = tuple(getattr(self.client.session.spec, self.section))
            guess = nearest(reference.partition(".")[2], known)
            raise SettingsError(
                f"the project has no `{reference}`; it has {', '.join(known) or 'none'}",
                hint=f"did you mean `{guess}`?" if guess else f"add it under `{self.section}:` in cloudml.yaml",
            )


class Datasets(Noun[DatasetStatus]):
    """Files, versioned by content."""

    def push(self, spec: DatasetSpec | str, listener: Listener | None = None) -> DatasetStatus:
        """Send what is not there yet; only changed files travel."""
        status: DatasetStatus = self._bring(spec, listener)
        return status


class Jobs(Noun[JobStatus]):
    """Scripts that run to an end."""

    def submit(self, spec: JobSpec | str, progress: Progress = SILENT) -> JobStatus:
        """Start a job once what it leans on is there, and return; a job with the same content is not started again.

        Raises:
            UnsupportedError: The provider cannot honour a field.
            RunFailedError: What it leans on failed.
        """
        from cloudml.graph import leans_on

        reference = f"jobs.{spec}" if isinstance(spec, str) else self.client.adopt("jobs", spec)
        self._known(reference)
        specs = dict(self.client.session.spec.resources())
        before = tuple(one for one in leans_on(specs[reference]) if one in specs)
        if before:
            self.client.session.up(before)
        return self.client.session.submit(reference, progress)

    def run(self, spec: JobSpec | str, listener: Listener | None = None) -> JobStatus:
        """Start a job and what it leans on, and wait for its end.

        Raises:
            RunFailedError: It did not succeed; the error has its last lines.
        """
        status: JobStatus = self._bring(spec, listener)
        return status

    def run_in_process(self, spec: JobSpec | str) -> JobStatus:
        """Run a job in this process, where breakpoints work; what it leans on runs as usual.

        Raises:
            UnsupportedError: The provider's jobs run elsewhere.
        """
        from cloudml.capabilities import Capability

        self.client.require(Capability.JOB_IN_PROCESS)
        reference = f"jobs.{spec}" if isinstance(spec, str) else self.client.adopt("jobs", spec)
        self._known(reference)
        return self.client.session.in_process(reference)

    def wait(self, name: str, *, timeout: timedelta | None = None) -> JobStatus:
        """The job's status once it is over.

        Raises:
            WaitTimeoutError: It is not over after *timeout*; it goes on.
            RunFailedError: It did not succeed.
        """
        jobs = self._service
        status: JobStatus = self.client.session.waiter.until_over(
            jobs.get, self.full(name), timeout=timeout, ends=telling(jobs)
        )
        if not status.state.good:
            raise RunFailedError(f"job `{name}` ended as {status.state}: {status.reason}", status=status)
        return status

    def cancel(self, name: str) -> None:
        """Ask a job to stop; no error if it is over. Returns before it has stopped."""
        self._service.cancel(self.full(name))

    def logs(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """The lines that a job printed; with *follow*, also those to come, until it is over."""
        return _lines(self, name, follow=follow)


class Models(Noun[ModelStatus]):
    """Registered versions."""

    def register(self, spec: ModelSpec | str, listener: Listener | None = None) -> ModelStatus:
        """Register a job's output as a version, once its requirements are met.

        Raises:
            GateError: A requirement is not met.
        """
        status: ModelStatus = self._bring(spec, listener)
        return status


class Endpoints(Noun[EndpointStatus]):
    """Models that answer."""

    def deploy(self, spec: EndpointSpec | str, listener: Listener | None = None) -> EndpointStatus:
        """Bring an endpoint up, or move it to another model, and wait until it answers.

        Raises:
            RunFailedError: It cannot start; what answered before still does.
        """
        status: EndpointStatus = self._bring(spec, listener)
        return status

    def invoke(self, name: str, instances: Sequence[Any], parameters: Any = None) -> list[Any]:
        """A prediction for each of *instances*, in their order.

        Raises:
            InvalidRequestError: The model refused a row; the message says which and why.
            UnavailableError: No answer, or the model failed.
        """
        body: dict[str, Any] = {"instances": list(instances)}
        if parameters is not None:
            body["parameters"] = parameters
        answer = self.invoke_raw(name, json.dumps(body).encode(), "application/json", "application/json")
        predictions = json.loads(answer.body).get("predictions")
        if not isinstance(predictions, list):
            raise InvalidRequestError(f"endpoint `{name}` answered without `predictions`", operation="invoke")
        return predictions

    def invoke_raw(self, name: str, body: bytes, content_type: str, accept: str) -> Answer:
        """One request as it stands, sent once."""
        answer: Answer = self._service.invoke(self.full(name), body, content_type=content_type, accept=accept)
        return answer

    def in_process(self, name: str) -> Local:
        """The model that an endpoint serves, loaded into this process: call it without a socket, step into its code.

        Raises:
            UnsupportedError: The provider's models cannot be loaded here.
        """
        from cloudml.capabilities import Capability

        self.client.require(Capability.ENDPOINT_IN_PROCESS)
        model: Local = self._service.local_model(self.full(name))
        return model

    def logs(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """The lines that an endpoint printed; with *follow*, also those to come."""
        return _lines(self, name, follow=follow)


class Monitors(Noun[MonitorStatus]):
    """Comparisons of traffic with a baseline."""

    def create(self, spec: MonitorSpec | str, listener: Listener | None = None) -> MonitorStatus:
        """Bring a monitor, and what it leans on, into being."""
        status: MonitorStatus = self._bring(spec, listener)
        return status

    def run(
        self,
        name: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: Progress = SILENT,
    ) -> MonitorReport:
        """Compare now. Times are aware; the monitor's own window counts when *since* is None."""
        report: MonitorReport = self._service.run(self.full(name), since=since, until=until, progress=progress)
        return report

    def report(self, name: str) -> MonitorReport:
        """What the last run found.

        Raises:
            NotFoundError: The monitor has not run.
        """
        report: MonitorReport = self._service.report(self.full(name))
        return report


@dataclass(frozen=True, slots=True)
class Logs:
    """What jobs and endpoints print, by their references."""

    client: Client

    def read(self, reference: str, *, follow: bool = False) -> Iterator[str]:
        """The lines of ``jobs.train`` or ``endpoints.delay``; with *follow*, also those to come."""
        section, _, name = reference.partition(".")
        if section not in {"jobs", "endpoints"}:
            raise SettingsError(f"`{reference}` prints nothing", hint="name a job, `jobs.train`, or an endpoint")
        noun = self.client.jobs if section == "jobs" else self.client.endpoints
        return noun.logs(name, follow=follow)


def _lines(noun: Jobs | Endpoints, name: str, *, follow: bool) -> Iterator[str]:
    full = noun.full(name)
    session = noun.client.session
    get = service(session.provider, noun.section).get
    over = (lambda: noun.section == "jobs" and get(full).state.over) if follow else (lambda: True)
    return _follow(session.provider.logs, noun.section, full, session.waiter, over)


_follow = follow


def connect(target: str = "local", *, project: str = "default", root: Path | str = ".") -> Client:
    """A client for a target without a project file: `local`, or one that the environment describes.

    With a cloudml.yaml in *root*, its targets and resources are known.

    Raises:
        SettingsError: No such target, or its settings are missing or wrong.
        ProviderNotFoundError: Its provider is not installed.
    """
    from pathlib import Path

    from cloudml import targets
    from cloudml.session import Session
    from cloudml.specs import ProjectSpec

    folder = Path(root).absolute()
    if (folder / "cloudml.yaml").is_file() and project == "default":
        from cloudml.project import load

        return load(folder).client(target)
    spec = ProjectSpec(project=project)
    return Client(Session.open(spec, folder, targets.resolve(spec, target)))
