"""A project at a target: the one place where a spec, its content, a provider and the graph come together."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from cloudml.errors import AlreadyExistsError
from cloudml.events import silent
from cloudml.graph import Action, Builder, Step, judge, leans_on, needed, present, service, steps
from cloudml.identity import Contents
from cloudml.records import dataclass
from cloudml.resources import VERSIONED, Identity, JobResource
from cloudml.seam import Context
from cloudml.waiting import Waiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cloudml.down import DownResult
    from cloudml.events import Listener
    from cloudml.progress import Progress
    from cloudml.seam import Provider, RunsInProcess
    from cloudml.specs import ProjectSpec
    from cloudml.status import JobStatus, Status
    from cloudml.storage import DigestCache
    from cloudml.targets import Target
    from cloudml.up import UpResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPlan:
    """What `up` would do.

    Attributes:
        target: Where.
        provider: By which provider.
        steps: One for each resource, those leaned on first.
    """

    target: str
    provider: str
    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that would do something."""
        return tuple(step for step in self.steps if step.action is not Action.REUSE)

    def __repr__(self) -> str:
        return f"ProjectPlan({self._title()})"

    def _title(self) -> str:
        number = Counter(str(step.action) for step in self.steps)
        return f"on {self.target}: " + (
            ", ".join(f"{count} to {action}" for action, count in number.items()) or "nothing"
        )

    def _repr_html_(self) -> str:
        from cloudml.notebook import table

        rows = ((one.reference, one.action, one.why, "; ".join(note.text for note in one.notes)) for one in self.steps)
        return table(self._title(), ("resource", "action", "why", "notes"), rows)

    def as_json(self) -> dict[str, Any]:
        """As `plan --json` prints it."""
        return {"target": self.target, "provider": self.provider, "steps": [_brief(step) for step in self.steps]}


def _brief(step: Step) -> dict[str, Any]:
    return {
        "resource": step.reference,
        "action": str(step.action),
        "why": step.why,
        "name": step.name,
        "requests": [{"operation": call.operation, "body": dict(call.body)} for call in step.plan.calls],
        "notes": [{"path": note.path, "text": note.text, "level": str(note.level)} for note in step.notes],
    }


@dataclass(frozen=True)
class Session:
    """A project at a target.

    Attributes:
        spec: The project.
        root: Its folder.
        target: Where.
        provider: Connected.
    """

    spec: ProjectSpec
    root: Path
    target: Target
    provider: Provider
    stopped: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def open(cls, spec: ProjectSpec, root: Path, target: Target) -> Session:
        """Connect; nothing is sent yet."""
        context = Context(root=root, project=spec.project)
        return cls(spec, root, target, target.plugin.connect(target.settings, context))

    @cached_property
    def waiter(self) -> Waiter:
        plugin = self.target.plugin
        return Waiter(*plugin.poll_s, sleep=self.provider.sleep, stopped=self.stopped)

    @cached_property
    def cache(self) -> DigestCache:
        from cloudml.storage import DigestCache

        return DigestCache(self.root / ".cloudml" / "cache" / "digests.db")

    def plan(self, only: Iterable[str] = (), *, look: bool = True) -> ProjectPlan:
        """What `up` would do for *only* and what it leans on; for everything when that is empty.

        Args:
            only: References, ``jobs.train``.
            look: Whether to ask the provider what is there.

        Raises:
            UnsupportedError: The provider cannot honour a field.
            SpecError: A file is missing or cannot be read.
        """
        return ProjectPlan(
            target=self.target.name, provider=self.target.plugin.name, steps=self._steps(tuple(only), look=look)
        )

    def up(self, only: Iterable[str] = (), listener: Listener = silent) -> UpResult:
        """Bring *only* and what it leans on into being; everything when that is empty. See `cloudml.up.Up.run`."""
        from cloudml.up import Up

        plan = self._verified(self._steps(tuple(only), look=False))
        return Up(self.provider, self.waiter, listener).run(plan, self.target.name)

    def status(self) -> tuple[Status, ...]:
        """All that the project has at the target, also what the file no longer mentions."""
        from cloudml.down import everything

        return tuple(everything(self.provider, self.spec.project))

    def down(self, listener: Listener = silent) -> DownResult:
        """Remove all that the project has at the target. See `cloudml.down.down`."""
        from cloudml.down import down

        return down(self.provider, self.spec.project, self.target.name, listener)

    def builder(self, only: Iterable[str] = ()) -> Builder:
        """Makes the resources of *only*, with the content of the files as they are now."""
        contents = Contents(self.spec, self.root, self.target.plugin.name, self._known(only), self.cache)
        return Builder(contents, self.provider)

    def submit(self, reference: str, progress: Progress) -> JobStatus:
        """Start that job unless one with the same content is there; what it leans on must be there already."""
        resource, jobs = self._job(reference), self.provider.jobs
        found = present(self.provider, resource)
        if found is None or judge(resource, found)[0] is Action.REPLACE:
            with suppress(AlreadyExistsError):  # somebody else was quicker, with the same content
                return jobs.create(resource, progress)
        return jobs.get(resource.identity.name)

    def in_process(self, reference: str) -> JobStatus:
        """Run that job in this process, and what it leans on as usual; the provider must be able to."""
        specs = dict(self.spec.resources())
        before = tuple(one for one in leans_on(specs[reference]) if one in specs)
        if before:
            self.up(before)
        jobs = cast("RunsInProcess", self.provider.jobs)
        return jobs.run_in_process(self._job(reference))

    def _job(self, reference: str) -> JobResource:
        (step,) = self._verified(steps(self.builder((reference,)), self.target.plugin, (reference,), look=False))
        assert isinstance(step.resource, JobResource)
        return step.resource

    def _steps(self, only: tuple[str, ...], *, look: bool) -> tuple[Step, ...]:
        order = needed(self.spec, only)
        return steps(self.builder(order), self.target.plugin, order, look=look)

    def _verified(self, found: tuple[Step, ...]) -> tuple[Step, ...]:
        """The steps, once the provider has held every one of them against the vendor's contract."""
        if verify := self.provider.verify:
            for step in found:
                verify(step.plan)
        return found

    def _known(self, only: Iterable[str]) -> Mapping[str, Identity]:
        """Identities, from the provider, of what *only* leans on and the project does not describe."""
        specs = dict(self.spec.resources())
        foreign = {one for reference in only for one in leans_on(specs[reference]) if one not in specs}
        return {reference: _identity(found) for reference in foreign if (found := self.newest(reference))}

    def newest(self, reference: str, there: Iterable[Status] | None = None) -> Status | None:
        """The newest usable object behind a reference at the target; among *there*, if that was just listed."""
        section = reference.partition(".")[0]
        listed = service(self.provider, section).list(self.spec.project) if there is None else there
        found = [one for one in listed if one.resource == reference]
        good = [one for one in found if one.state.good] if section in VERSIONED else found
        return max(good or found, key=_age, default=None)


def _age(status: Status) -> float:
    return status.created.timestamp() if status.created else 0.0


def _identity(status: Status) -> Identity:
    return Identity(project=status.project, resource=status.resource, hash=status.hash)
