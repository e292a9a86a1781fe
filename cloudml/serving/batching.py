"""Joining requests that wait at the same time into one call of the model.

Requests that came with one look at the sockets go in together, up to the limit of rows, as soon as the model is free.
Those that come while it is busy wait, and whatever waits when it is free again is the next call. Only after a call that
joined several does the next one wait for as many to come back, no longer than the limit: a lone request is never held
up.

A call runs in a thread, so that a slow model holds up nobody's health. A model without code of the user's
(`Model.steady`) takes a time that its last calls tell; as long as that is short, it is called on the loop itself: a
thread, and the fight of two threads for the interpreter, would take longer than the call.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass
from cloudml.runtime.answering import predict
from cloudml.runtime.model import PredictionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudml.runtime.model import Model
    from cloudml.serving.config import Limits
    from cloudml.serving.metrics import Sheet

SHORT_S = 0.005
"""A call on the loop may take so long. A thread may keep the loop from running for as long: `sys.getswitchinterval`."""
FORGOTTEN = 0.9
"""What the next call leaves of a long one, the first of all among them."""


class QueueFullError(Exception):
    """Too many requests wait already."""


class LateError(Exception):
    """The model did not answer in time."""


@dataclass(slots=True, eq=False)
class Member:
    """One request that waits: *work* is how it is run alone, *due* when its caller is told that it took too long."""

    work: Callable[[], Any]
    rows: int
    joins: bool
    instances: list[Any]
    due: float
    answer: asyncio.Future[Any]


class Pace:
    """How long calls take, by the power of two of their rows: the longest of late."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def took(self, rows: int, seconds: float) -> None:
        size = rows.bit_length()
        self._seconds[size] = max(seconds, self._seconds.get(size, 0) * FORGOTTEN)

    def of(self, rows: int) -> float:
        """Seconds of a call of so many rows; infinite before one of about as many has shown it."""
        return self._seconds.get(rows.bit_length(), math.inf)

    def short(self, rows: int) -> bool:
        """Whether a call of so many rows will not be noticed."""
        return self.of(rows) < SHORT_S


class Batcher:
    """The queue in front of a model, and the threads behind it. All methods are called on the loop.

    Args:
        model: What answers.
        limits: How many rows are joined, how long they may wait, how many threads run.
        sheet: Where calls and those that wait are counted.
    """

    def __init__(self, model: Model, limits: Limits, sheet: Sheet) -> None:
        self._model, self._limits, self._sheet = model, limits, sheet
        self._patience = limits.time.total_seconds()
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="predict")
        self._pace = Pace()
        self._waiting: deque[Member] = deque()
        self._running: list[list[Member]] = []
        self._expected = 1
        self._looks = False
        self._timer: asyncio.TimerHandle | None = None
        self._clock: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def predict(self, instances: list[Any], parameters: dict[str, Any] | None) -> list[Any]:
        """A prediction for each instance; see `cloudml.runtime.answering.predict`.

        Raises:
            QueueFullError: Too many wait already.
            LateError: It took too long.
        """
        joins = self._model.joins and not parameters and 0 < len(instances) < self._limits.batch_rows
        work = lambda: predict(self._model, instances, parameters)  # noqa: E731  it is a value of the member
        found: list[Any] = await self._submit(work, len(instances), joins=joins, instances=instances)
        return found

    async def call(self, work: Callable[[], Any]) -> Any:
        """What *work* gives, in one of the threads, joined with nothing.

        Raises:
            QueueFullError: Too many wait already.
            LateError: It took too long.
        """
        return await self._submit(work, 1, joins=False, instances=[])

    def close(self) -> bool:
        """Let the threads end; what runs in them is not waited for. Whether nothing does."""
        for timer in (self._timer, self._clock):
            if timer is not None:
                timer.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not self._running

    def _submit(self, work: Callable[[], Any], rows: int, *, joins: bool, instances: list[Any]) -> asyncio.Future[Any]:
        waiting = self._waiting
        if len(waiting) >= self._limits.queue:
            raise QueueFullError
        loop = asyncio.get_running_loop()
        due = loop.time() + self._patience
        member = Member(work, rows, joins, instances, due, loop.create_future())
        waiting.append(member)
        self._sheet.waiting.set(len(waiting))
        if self._clock is None:
            self._clock = loop.call_at(due, self._expire)
        if not self._looks:
            self._looks = True
            loop.call_soon(self._look)
        return member.answer

    def _look(self) -> None:
        """Start a call if a thread is free and there is nothing to wait for."""
        self._looks = False
        while self._waiting and len(self._running) < self._limits.threads:
            if not self._worth_waiting():
                self._start()
                continue
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._patience_for_others(), self._enough)
            break
        self._sheet.waiting.set(len(self._waiting))

    def _worth_waiting(self) -> bool:
        """Whether as many are likely to come as were joined last, and would fit in."""
        if len(self._waiting) >= self._expected or not self._waiting[0].joins:
            return False
        return sum(member.rows for member in self._waiting) < self._limits.batch_rows

    def _patience_for_others(self) -> float:
        """Seconds to wait for others: not longer than the call that is saved, where that is known."""
        longest = self._limits.batch_wait.total_seconds()
        return min(longest, self._pace.of(self._expected)) if self._model.steady else longest

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
        rows = sum(member.rows for member in members)
        self._sheet.batch_rows.observe(rows)
        if self._model.steady and self._pace.short(rows):
            self._finish(members, *timed(self._model, members))
            return
        self._running.append(members)
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._pool, timed, self._model, members)
        running.add_done_callback(lambda done: self._back(members, done))

    def _back(self, members: list[Member], done: asyncio.Future[tuple[list[Any], float]]) -> None:
        self._running.remove(members)
        self._finish(members, *done.result())
        self._look()

    def _finish(self, members: list[Member], outcomes: list[Any], seconds: float) -> None:
        self._pace.took(sum(member.rows for member in members), seconds)
        self._expected = len(members)
        for member, outcome in zip(members, outcomes, strict=True):
            if member.answer.done():  # its caller has gone, or its time was up
                continue
            if isinstance(outcome, Failure):
                member.answer.set_exception(outcome.error)
            else:
                member.answer.set_result(outcome)

    def _expire(self) -> None:
        """Tell those who wait too long; one clock for all of them, since all wait equally long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        held = [member for members in (*self._running, self._waiting) for member in members if not member.answer.done()]
        for member in held:
            if member.due <= now:
                member.answer.set_exception(LateError())
        due = min((member.due for member in held if member.due > now), default=None)
        self._clock = None if due is None else loop.call_at(due, self._expire)


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


def timed(model: Model, members: Sequence[Member]) -> tuple[list[Any], float]:
    """What each member gets, and the seconds of processor that it took, without waiting for the interpreter."""
    began = time.thread_time()
    outcomes = run(model, members)
    return outcomes, time.thread_time() - began


def run(model: Model, members: Sequence[Member]) -> list[Any]:
    """What each member gets: its predictions, or its own failure. One bad member spoils none of the others."""
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
