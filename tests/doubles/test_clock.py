"""The clock of doubles."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from cloudml.doubles.clock import Clock, ClosedError

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    clock = Clock(START, pace=0)
    yield clock
    clock.close()


def test_time_stands_still_until_it_is_moved(clock):
    assert clock.now() == START
    clock.advance(90)
    assert clock.now() == datetime(2026, 3, 1, 12, 1, 30, tzinfo=UTC)


def test_what_is_due_happens_in_its_order_and_at_its_time(clock):
    seen = []
    for seconds in (30, 10, 20, 99):
        clock.at(seconds, lambda seconds=seconds: seen.append((seconds, clock.seconds())))
    clock.advance(40)
    assert seen == [(10, 10), (20, 20), (30, 30)]


def test_what_is_called_off_does_not_happen(clock):
    seen = []
    clock.at(10, lambda: seen.append("no"))()
    clock.advance(20)
    assert not seen


def test_a_worker_has_done_what_its_time_allows_when_advance_returns(clock):
    seen = []

    def work():
        for _ in range(3):
            clock.wait(10)
            seen.append(clock.seconds())

    clock.work(work)
    clock.advance(25)
    assert seen == [10, 20]
    clock.advance(25)
    assert seen == [10, 20, 30]


def test_what_a_worker_starts_is_due_in_the_same_advance(clock):
    seen = []

    def second():
        clock.wait(5)
        seen.append(clock.seconds())

    def first():
        clock.wait(10)
        clock.work(second)

    clock.work(first)
    clock.advance(20)
    assert seen == [15]


def test_a_wait_can_be_woken(clock):
    seen = []
    clock.work(lambda: seen.append(clock.wait(1000, key="job")))
    clock.advance(1)
    clock.wake("job")
    clock.advance(1)
    assert seen == [False]


def test_a_wait_whose_reason_has_gone_does_not_begin(clock):
    seen = []
    clock.work(lambda: seen.append(clock.wait(1000, unless=lambda: True)))
    clock.advance(0)
    assert seen == [False]


def test_a_sleeper_sees_what_real_work_does_meanwhile(clock):
    go, done = threading.Event(), []

    def work():
        with clock.real():
            go.wait()
            done.append(True)
            clock.happened()

    clock.work(work)
    go.set()
    while not done:
        clock.sleep(1)
    assert clock.seconds() >= 1


def test_time_that_passes_by_itself_does_what_is_due():
    clock, rung = Clock(START, pace=3600), threading.Event()
    clock.at(60, rung.set)
    assert rung.wait(10)
    clock.close()


def test_closing_ends_the_workers(clock):
    ended = []

    def work():
        try:
            clock.wait(1000)
        except ClosedError:
            ended.append(True)
            raise

    clock.work(work)
    clock.advance(1)
    clock.close()
    assert ended
    with pytest.raises(ClosedError):
        clock.work(work)
