from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloudml.errors import UnavailableError, WaitTimeoutError
from cloudml.status import JobState, JobStatus, LogPage
from cloudml.waiting import PATIENCE_S, StoppedError, Waiter, follow

if TYPE_CHECKING:
    import threading


def status(state: JobState) -> JobStatus:
    return JobStatus(resource="jobs.train", name="p-train-1", project="p", hash="1", state=state)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def waiter(clock: Clock) -> Waiter:
    return Waiter(1.0, 4.0, sleep=clock)


def test_waiting_ends_when_the_state_is_over_and_tells_every_look() -> None:
    clock, seen = Clock(), []
    states = iter([JobState.QUEUED, JobState.RUNNING, JobState.STOPPING, JobState.UNKNOWN, JobState.CANCELLED])
    ended = waiter(clock).until_over(lambda _: status(next(states)), "x", seen=lambda one: seen.append(one.state))
    assert ended.state is JobState.CANCELLED
    assert seen == [JobState.QUEUED, JobState.RUNNING, JobState.STOPPING, JobState.UNKNOWN, JobState.CANCELLED]


def test_pauses_grow_up_to_the_longest() -> None:
    clock = Clock()
    left = iter([JobState.RUNNING] * 6 + [JobState.SUCCEEDED])
    waiter(clock).until_over(lambda _: status(next(left)), "x")
    assert clock.slept == [1.0, 1.5, 2.25, 3.375, 4.0, 4.0]


class Told:
    """Jobs whose end is told: each wait passes in no time, unless nobody tells any more."""

    def __init__(self, tells: bool = True) -> None:
        self.tells = tells
        self.waited: list[float] = []

    def wait_for_end(self, name: str, seconds: float, stopped: threading.Event) -> bool:
        self.waited.append(seconds)
        return self.tells


def test_where_the_end_is_told_pauses_are_longer_and_the_longest_once_it_runs() -> None:
    clock, ends = Clock(), Told()
    left = iter([JobState.QUEUED] * 2 + [JobState.RUNNING] * 2 + [JobState.SUCCEEDED])
    waiter(clock).until_over(lambda _: status(next(left)), "x", ends=ends)
    assert (ends.waited, clock.slept) == ([1.0, 3.0, 4.0, 4.0], [])


def test_where_nobody_tells_the_end_pauses_grow_as_ever() -> None:
    clock, ends = Clock(), Told(tells=False)
    left = iter([JobState.RUNNING] * 3 + [JobState.SUCCEEDED])
    waiter(clock).until_over(lambda _: status(next(left)), "x", ends=ends)
    assert clock.slept == [1.0, 1.5, 2.25]


def test_an_end_that_is_told_is_not_waited_for_longer_than_our_patience() -> None:
    ends = Told()
    with pytest.raises(WaitTimeoutError):
        waiter(Clock()).until_over(lambda _: status(JobState.RUNNING), "x", timeout=timedelta(seconds=0.001), ends=ends)
    assert max(ends.waited) <= 0.001


def test_our_patience_ends_with_its_own_error() -> None:
    with pytest.raises(WaitTimeoutError, match="0:00:05"):
        waiter(Clock()).until_over(lambda _: status(JobState.RUNNING), "x", timeout=timedelta(seconds=5))


def test_a_service_that_comes_back_is_waited_for() -> None:
    answers = iter([UnavailableError("down"), UnavailableError("down"), status(JobState.SUCCEEDED)])

    def get(_: str) -> JobStatus:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert waiter(Clock()).until_over(get, "x").state is JobState.SUCCEEDED


def test_a_service_that_stays_away_is_given_up_after_two_minutes() -> None:
    clock = Clock()

    def get(_: str) -> JobStatus:
        raise UnavailableError("down")

    with pytest.raises(UnavailableError):
        waiter(clock).until_over(get, "x")
    assert PATIENCE_S - 8 <= sum(clock.slept) <= PATIENCE_S


def test_a_stopped_waiter_stops_at_once() -> None:
    stopped = Waiter(3600.0, 3600.0)
    stopped.stopped.set()
    for ends in (None, Told()):
        with pytest.raises(StoppedError):
            stopped.until_over(lambda _: status(JobState.RUNNING), "x", ends=ends)


def test_following_reads_what_was_printed_before_the_end_was_seen() -> None:
    lines = ["one", "two", "three", "four"]
    over = iter([False, True])

    class Logs:
        def read(self, section: str, name: str, cursor: str) -> LogPage:
            start = int(cursor or 0)
            page = tuple(lines[start : start + 2])
            return LogPage(lines=page, cursor=str(start + len(page)))

    assert list(follow(Logs(), "jobs", "x", waiter(Clock()), lambda: next(over))) == lines
