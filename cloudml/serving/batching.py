"""Joining requests that wait at the same time into one call of the model.

A request that finds a free thread is run at once. Those that come while all threads are busy wait, and whatever waits
when one is free again goes in together, up to the limit of rows. Only after a call that joined several does the next
one wait for as many to come back, no longer than the limit: a lone request is never held up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml.runtime.answering import predict
from cloudml.runtime.model import PredictionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudml.runtime.model import Model
    from cloudml.serving.config import Limits


class QueueFullError(Exception):
    """Too many requests wait already."""


@dataclass(slots=True, eq=False)
class Member:
    """One request that waits: *work* is how it is run alone."""

    work: Callable[[], Any]
    rows: int
    joins: bool
    instances: list[Any]
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """The queue in front of a model, and the threads behind it.

    Args:
        model: What answers.
        limits: How many rows are joined, how long they may wait, how many threads run.
        observe: Told of every call: how many rows it had.
    """

    def __init__(self, model: Model, limits: Limits, observe: Callable[[int], None]) -> None:
        self._model, self._limits, self._observe = model, limits, observe
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="predict")
        self._waiting: deque[Member] = deque()
        self._busy = 0
        self._expected = 1
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def predict(self, instances: list[Any], parameters: dict[str, Any] | None) -> list[Any]:
        """A prediction for each instance; see `cloudml.runtime.answering.predict`.

        Raises:
            QueueFullError: Too many wait already.
        """
        joins = self._model.joins and not parameters and 0 < len(instances) < self._limits.batch_rows
        work = lambda: predict(self._model, instances, parameters)  # noqa: E731  it is a value of the member
        found: list[Any] = await self._submit(Member(work, len(instances), joins, instances))
        return found

    async def call(self, work: Callable[[], Any]) -> Any:
        """What *work* gives, in one of the threads, joined with nothing.

        Raises:
            QueueFullError: Too many wait already.
        """
        return await self._submit(Member(work, 1, joins=False, instances=[]))

    def close(self) -> bool:
        """Let the threads end; what runs in them is not waited for. Whether nothing does."""
        if self._timer is not None:
            self._timer.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        return self._busy == 0

    async def _submit(self, member: Member) -> Any:
        if len(self._waiting) >= self._limits.queue:
            raise QueueFullError
        self._waiting.append(member)
        self._look()
        return await member.answer

    def _look(self) -> None:
        """Start a call if a thread is free and there is nothing to wait for."""
        while self._waiting and self._busy < self._limits.threads:
            if not self._worth_waiting():
                self._start()
                continue
            if self._timer is None:
                wait = self._limits.batch_wait.total_seconds()
                self._timer = asyncio.get_running_loop().call_later(wait, self._enough)
            return

    def _worth_waiting(self) -> bool:
        """Whether as many are likely to come as were joined last, and would fit in."""
        rows = sum(member.rows for member in self._waiting)
        return self._waiting[0].joins and len(self._waiting) < self._expected and rows < self._limits.batch_rows

    def _enough(self) -> None:
        """The wait for others is over."""
        self._timer, self._expected = None, 1
        self._look()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        members = taken(self._waiting, self._limits.batch_rows)
        if not members:
            return
        self._busy += 1
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._pool, run, self._model, members, self._observe)
        running.add_done_callback(lambda done: self._finish(members, done))

    def _finish(self, members: list[Member], done: asyncio.Future[list[Any]]) -> None:
        self._busy -= 1
        self._expected = len(members)
        for member, outcome in zip(members, done.result(), strict=True):
            if member.answer.done():  # its caller has gone, or its time was up
                continue
            if isinstance(outcome, Failure):
                member.answer.set_exception(outcome.error)
            else:
                member.answer.set_result(outcome)
        self._look()


@dataclass(frozen=True, slots=True)
class Failure:
    """What a member raised."""

    error: Exception


def taken(waiting: deque[Member], rows: int) -> list[Member]:
    """The members of the next call, taken off the queue: those that nobody waits for any more are dropped."""
    members: list[Member] = []
    total = 0
    while waiting:
        member = waiting[0]
        if member.answer.done():
            waiting.popleft()
            continue
        if members and not (member.joins and members[0].joins and total + member.rows <= rows):
            break
        members.append(waiting.popleft())
        total += member.rows
    return members


def run(model: Model, members: Sequence[Member], observe: Callable[[int], None]) -> list[Any]:
    """What each member gets: its predictions, or its own failure. One bad member spoils none of the others."""
    observe(sum(member.rows for member in members))
    if len(members) > 1:
        joined = [instance for member in members for instance in member.instances]
        outcome = _outcome(lambda: model.predict(joined))
        if not isinstance(outcome, Failure) and len(outcome) == len(joined):
            return _shared(outcome, members)
    return [_outcome(member.work) for member in members]


def _shared(predictions: list[Any], members: Sequence[Member]) -> list[Any]:
    shares, start = [], 0
    for member in members:
        shares.append(predictions[start : start + member.rows])
        start += member.rows
    return shares


def _outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (StopIteration, SystemExit) as error:  # neither may travel through a future
        return Failure(PredictionError(f"the model raised {type(error).__name__}: {error}"))
    except Exception as error:  # noqa: BLE001  a predictor may raise anything; the one who asked gets it
        return Failure(error)
