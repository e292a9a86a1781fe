"""`up`: bring every resource to what the project says, in the graph's order, in parallel where it allows.

Written once over the seam. Nothing is remembered between two calls: what is there is read from the provider, so that an
`up` that was killed anywhere is finished by the next, and two at the same moment meet at the same names.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import field, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from cloudml.errors import (
    AlreadyExistsError,
    AuthenticationError,
    CloudMLError,
    GateError,
    PermissionDeniedError,
    ProviderError,
    RunFailedError,
)
from cloudml.events import Event, Happened
from cloudml.graph import Action, Step, judge, leans_on, present, service
from cloudml.records import dataclass
from cloudml.resources import EndpointResource, JobResource, ModelResource
from cloudml.specs.references import owner, part
from cloudml.status import JobStatus, Status
from cloudml.waiting import StoppedError, Waiter, elapsed, telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cloudml.events import Listener
    from cloudml.progress import Progress
    from cloudml.seam import Provider

PARALLEL = 8
"""So many resources are worked on at once; the provider's own limits come on top."""

SMOKE = b'{"instances": []}'
"""A request that every model answers with no predictions: routing, sign-in and server are tried, no row is made up."""


SENDS = frozenset({Action.CREATE, Action.REPLACE, Action.UPDATE, Action.FINISH})
ENDS = frozenset({Action.REPLACE, Action.UPDATE})
"""What would be done next to a resource for which everything was sent: it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """What `up` brought into being.

    Attributes:
        target: Where.
        statuses: Reference to what is there now.
        reused: References of what was there before.
        metrics: ``jobs.evaluate.auc`` to its value.
    """

    target: str
    statuses: Mapping[str, Status]
    reused: frozenset[str]
    metrics: Mapping[str, float]

    def __repr__(self) -> str:
        return f"UpResult({self._title()})"

    def _title(self) -> str:
        made = len(self.statuses) - len(self.reused)
        return f"on {self.target}: {made} brought into being, {len(self.reused)} reused"

    def _repr_html_(self) -> str:
        from cloudml.notebook import table

        rows = [(one, now.state, now.name, getattr(now, "url", "")) for one, now in self.statuses.items()]
        metrics = [(name, f"{value:g}", "", "") for name, value in self.metrics.items()]
        return table(self._title(), ("resource", "state", "name", "address"), [*rows, *metrics])

    def as_json(self) -> dict[str, Any]:
        """As in the last line of `up --json`."""
        return {
            "target": self.target,
            "resources": {reference: self._brief(reference, one) for reference, one in self.statuses.items()},
            "metrics": dict(self.metrics),
        }

    def _brief(self, reference: str, status: Status) -> dict[str, Any]:
        said = {"state": str(status.state), "name": status.name}
        for key in ("url", "version", "uri"):
            if value := getattr(status, key, ""):
                said[key] = value
        return {**said, "reused": reference in self.reused}


@dataclass(frozen=True, slots=True)
class Up:
    """One run of `up` over the steps of a plan.

    Attributes:
        provider: Where.
        waiter: How to wait there.
        listener: Told of everything that happens; called from several threads.
        done: Reference to what is there now, filled as it goes.
        reused: References of what was there before.
    """

    provider: Provider
    waiter: Waiter
    listener: Listener
    done: dict[str, Status] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)

    def run(self, steps: tuple[Step, ...], target: str) -> UpResult:
        """Carry out *steps*.

        What does not lean on a step that failed is still carried out; then the first failure is raised.

        Raises:
            GateError: A model's requirement is not met.
            RunFailedError: A job failed, or an endpoint cannot start.
            ProviderError: The provider said no.
            StoppedError: The waiter was stopped.
        """
        with self.provider.working() if self.provider.working else nullcontext():
            failures = self._carry_out({step.reference: step for step in steps})
        if failures:
            raise failures[0]
        metrics = {f"{reference}.{name}": value for reference, name, value in self._metrics()}
        return UpResult(target=target, statuses=dict(self.done), reused=frozenset(self.reused), metrics=metrics)

    def _carry_out(self, steps: Mapping[str, Step]) -> list[BaseException]:
        """Every step once those it leans on are done; the failures, the first one first."""
        order = TopologicalSorter(
            {
                reference: tuple(one for one in leans_on(step.resource.spec) if one in steps)
                for reference, step in steps.items()
            }
        )
        order.prepare()
        self.waiter.stopped.clear()
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="cloudml-up") as pool:
            try:
                failures = self._in_order(order, lambda reference: pool.submit(self._step, steps[reference]))
            except BaseException:
                self.waiter.stopped.set()
                raise
        for reference in steps:
            if reference not in self.done and reference not in failures:
                self.listener(Event(event=Happened.SKIPPED, resource=reference))
        return list(failures.values())

    def _in_order(
        self, order: TopologicalSorter[str], start: Callable[[str], Future[None]]
    ) -> Mapping[str, BaseException]:
        """Start what is ready, and mark what is done, until nothing more can be started; reference to failure."""
        failures: dict[str, BaseException] = {}
        running: dict[Future[None], str] = {}
        while order.is_active():
            running |= {start(reference): reference for reference in order.get_ready()}
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                reference = running.pop(future)
                if error := future.exception():
                    failures[reference] = error
                else:
                    order.done(reference)
        return failures

    def _step(self, step: Step) -> None:
        began = time.monotonic()
        reference = step.reference
        try:
            there = present(self.provider, step.resource)
            action, why = judge(step.resource, there)
            step = replace(step, action=action, why=why)
            self.say(Happened.STARTED, step, began, message=why)
            status, reused = self._bring(step, there, began)
        except CloudMLError as error:
            if not isinstance(error, StoppedError):
                self.say(Happened.FAILED, step, began, message=error.message)
            raise
        self.done[reference] = status
        if reused:
            self.reused.add(reference)
        self.say(Happened.FINISHED, step, began, state=str(status.state), details={"reused": reused})

    def _bring(self, step: Step, status: Status | None, began: float) -> tuple[Status, bool]:
        """What is there in the end, and whether it was there before; *status* is what is there now."""
        step = self._gated(step)
        started, sent = False, set[str]()
        while True:
            action, why = judge(step.resource, status)
            if action is Action.REUSE and status is not None:
                self._smoke(step)
                return status, not started
            if action is Action.WAIT and status is not None:
                status = self._wait(step, began)
                action, why = judge(step.resource, status)
                started = started or action is not Action.REUSE
            if status is not None and ((started and action in ENDS) or (action is Action.FINISH and why in sent)):
                raise failed(step, status)
            if action in SENDS:
                self._send(step, action, began)
                started = True
                if action is Action.FINISH:
                    sent.add(why)
                status = present(self.provider, step.resource)

    def _send(self, step: Step, action: Action, began: float) -> None:
        nouns = service(self.provider, step.resource.identity.section)
        try:
            if action in {Action.UPDATE, Action.FINISH}:
                nouns.update(step.resource)
            elif step.resource.identity.section in {"datasets", "jobs"}:
                nouns.create(step.resource, self._progress(step, began))
            else:
                nouns.create(step.resource)
        except AlreadyExistsError:
            # Somebody else was quicker; the next look finds theirs.
            self.say(Happened.STATE, step, began, message="made by another `up` at the same moment")

    def _wait(self, step: Step, began: float) -> Status:
        nouns = service(self.provider, step.resource.identity.section)
        last = ""

        def seen(status: Status) -> None:
            nonlocal last
            if status.state != last:
                last = str(status.state)
                self.say(Happened.STATE, step, began, state=last, message=status.reason)

        status: Status = self.waiter.until_over(nouns.get, step.name, seen=seen, ends=telling(nouns))
        return status

    def _gated(self, step: Step) -> Step:
        """The step of a model with the numbers that its gate was judged by.

        Raises:
            GateError: A requirement is not met.
        """
        resource = step.resource
        if not isinstance(resource, ModelResource):
            return step
        metrics: dict[str, float] = {}
        for reference, threshold in resource.spec.require.items():
            value = self._metric(reference)
            if value is None or not threshold.met_by(value):
                raise unmet(step.reference, reference, value, str(threshold))
            metrics[reference] = value
        return replace(step, resource=replace(resource, metrics=metrics))

    def _metric(self, reference: str) -> float | None:
        status = self.done.get(owner(reference))
        value = status.metrics.get(part(reference)) if isinstance(status, JobStatus) else None
        return None if value is None or math.isnan(value) else value

    def _metrics(self) -> Iterator[tuple[str, str, float]]:
        for reference, status in self.done.items():
            if isinstance(status, JobStatus):
                for name, value in status.metrics.items():
                    yield reference, name, value

    def _smoke(self, step: Step) -> None:
        """An endpoint is up when it answers.

        Raises:
            RunFailedError: It did not.
            AuthenticationError: Nobody is signed in any more: the endpoint was not asked.
            PermissionDeniedError: Likewise, for want of a permission.
        """
        if not isinstance(step.resource, EndpointResource):
            return
        try:
            self.provider.endpoints.invoke(step.name, SMOKE, content_type="application/json", accept="application/json")
        except (AuthenticationError, PermissionDeniedError):
            raise
        except ProviderError as error:
            raise RunFailedError(
                f"`{step.reference}` is there, but did not answer a first request: {error.message}",
                hint=f"`cloudml endpoint logs {step.resource.identity.label}` shows what it printed",
            ) from error

    def _progress(self, step: Step, began: float) -> Progress:
        return Reporter(self, step, began)

    def say(self, happened: Happened, step: Step, began: float, **said: Any) -> None:
        self.listener(
            Event(
                event=happened,
                resource=step.reference,
                action=step.action,
                name=step.name,
                seconds=elapsed(began),
                **said,
            )
        )


@dataclass(frozen=True, slots=True)
class Reporter:
    """Progress of one step as events; also where a long transfer learns that it shall stop."""

    up: Up
    step: Step
    began: float

    def advance(self, done: int, total: int | None, label: str = "") -> None:
        """So many bytes of so many are there."""
        if self.up.waiter.stopped.is_set():
            raise StoppedError("interrupted", hint="`cloudml up` again goes on from here")
        self.up.say(Happened.PROGRESS, self.step, self.began, done=done, total=total, message=label)


def unmet(model: str, reference: str, value: float | None, threshold: str) -> GateError:
    """The error for a requirement that is not met."""
    found = "was never reported" if value is None else f"is {value:g}"
    return GateError(
        f"`{model}` requires `{reference}` {threshold}, and it {found}: nothing is registered or deployed",
        path=f"{model}.require.{reference}",
        value=value,
        threshold=threshold,
        hint="improve the model, or lower the requirement"
        if value is not None
        else f'report it: job.log_metric("{part(reference)}", value)',
    )


def failed(step: Step, status: Status) -> RunFailedError:
    """The error for work that ended badly, with its own last lines."""
    tail = "".join(f"\n    {line}" for line in getattr(status, "tail", ())[-20:])
    reason = f": {status.reason}" if status.reason else ""
    verb = "differs from the project after the update" if status.state.good else f"ended as {status.state}"
    hint = f"`cloudml job logs {step.resource.identity.label}` shows all it printed"
    return RunFailedError(
        f"`{step.reference}` {verb}{reason}{tail}",
        hint=hint if isinstance(step.resource, JobResource) else "mend the cause and run `cloudml up` again",
        status=status,
    )
