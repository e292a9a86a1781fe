"""Requests that wait together share a call; nobody pays for another's mistake, and a lone one never waits."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml.runtime.answering import predict
from cloudml.runtime.model import Model, PredictionError
from cloudml.runtime.refusal import BadRequest
from cloudml.serving.batching import SHORT_S, Batcher, Pace, QueueFullError
from cloudml.serving.config import Limits
from cloudml.serving.metrics import Metrics

LONG = timedelta(seconds=30)
"""A wait that no test could sit out."""


class Gate(Model):
    """Doubles numbers. A call with "hold" goes on only when it is let; every call is written down."""

    kind = "gate"

    def __init__(self) -> None:
        self.calls: list[list[object]] = []
        self.held, self.go = threading.Event(), threading.Event()

    def predict(self, instances, parameters=None):
        self.calls.append(list(instances))
        if "hold" in instances:
            self.held.set()
            assert self.go.wait(20)
        if "bug" in instances:
            raise RuntimeError
        if "short" in instances:
            return []
        return [value if value == "hold" else 2 * int(value) for value in instances]


async def waiting(batcher: Batcher, count: int) -> None:
    """Go on when so many wait."""
    for _ in range(10_000):
        if batcher.waiting == count:
            return
        await asyncio.sleep(0)
    pytest.fail(f"{batcher.waiting} wait, not {count}")


def batched(*requests, model: Gate | None = None, parameters=None, **limits):
    """What each of *requests* gets, all of which come while the model is busy with another; and the calls after it."""
    model = model or Gate()

    async def ask():
        batcher = Batcher(model, Limits(batch_wait=LONG, **limits), Metrics().sheets[0])
        first = asyncio.create_task(batcher.predict(["hold"], None))
        await asyncio.to_thread(model.held.wait, 20)
        asked = [asyncio.create_task(batcher.predict(list(rows), parameters)) for rows in requests]
        await waiting(batcher, len(requests))
        model.go.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        await first
        assert batcher.close()
        return answers

    return asyncio.run(ask()), model.calls[1:]


def test_requests_that_wait_together_share_a_call() -> None:
    answers, calls = batched([1, 2], [3], [4])
    assert answers == [[2, 4], [6], [8]]
    assert calls == [[1, 2, 3, 4]]


def test_a_call_has_no_more_rows_than_allowed() -> None:
    answers, calls = batched([1, 2], [3, 4], [5], [6, 7, 8, 9, 10], batch_rows=4)
    assert answers == [[2, 4], [6, 8], [10], [12, 14, 16, 18, 20]]
    assert calls == [[1, 2, 3, 4], [5], [6, 7, 8, 9, 10]]


def test_one_row_at_a_time_joins_nothing() -> None:
    answers, calls = batched([1], [2], batch_rows=1)
    assert (answers, calls) == ([[2], [4]], [[1], [2]])


def test_parameters_keep_a_request_apart() -> None:
    answers, calls = batched([1], [2], parameters={"k": 1})
    assert (answers, calls) == ([[2], [4]], [[1], [2]])


def test_a_bad_request_spoils_no_other() -> None:
    answers, _ = batched([1], [2, "x"], ["bug"], ["short"], [5])
    assert (answers[0], answers[4]) == ([2], [10])
    assert isinstance(answers[1], BadRequest)
    assert answers[1].row == 1
    assert isinstance(answers[2], RuntimeError)
    assert isinstance(answers[3], PredictionError)


def test_a_lone_request_does_not_wait() -> None:
    async def ask():
        batcher = Batcher(Gate(), Limits(batch_wait=LONG), Metrics().sheets[0])
        return [await asyncio.wait_for(batcher.predict([number], None), 20) for number in range(20)]

    assert asyncio.run(ask()) == [[2 * number] for number in range(20)]


def test_after_a_joined_call_the_next_waits_for_as_many_and_not_for_ever() -> None:
    model = Gate()

    async def ask():
        batcher = Batcher(model, Limits(batch_wait=timedelta(milliseconds=100)), Metrics().sheets[0])
        first = asyncio.create_task(batcher.predict(["hold"], None))
        await asyncio.to_thread(model.held.wait, 20)
        asked = [asyncio.create_task(batcher.predict([number], None)) for number in (1, 2)]
        await waiting(batcher, 2)
        model.go.set()
        await asyncio.gather(first, *asked)
        one = asyncio.create_task(batcher.predict([3], None))
        await asyncio.sleep(0)
        two = asyncio.create_task(batcher.predict([4], None))
        await asyncio.gather(one, two)
        began = time.monotonic()
        await batcher.predict([5], None)
        return time.monotonic() - began

    waited = asyncio.run(ask())
    assert model.calls[1:] == [[1, 2], [3, 4], [5]]
    assert waited >= 0.1


def test_the_queue_has_an_end() -> None:
    answers, _ = batched(*([number] for number in range(3)), queue=3)
    assert answers == [[0], [2], [4]]

    async def ask():
        model = Gate()
        batcher = Batcher(model, Limits(queue=1), Metrics().sheets[0])
        first = asyncio.create_task(batcher.predict(["hold"], None))
        await asyncio.to_thread(model.held.wait, 20)
        second = asyncio.create_task(batcher.predict([1], None))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await batcher.predict([2], None)
        assert not batcher.close()
        model.go.set()
        await first
        second.cancel()

    asyncio.run(ask())


def test_who_has_gone_is_not_predicted() -> None:
    model = Gate()

    async def ask():
        batcher = Batcher(model, Limits(), Metrics().sheets[0])
        first = asyncio.create_task(batcher.predict(["hold"], None))
        await asyncio.to_thread(model.held.wait, 20)
        gone, stays = (asyncio.create_task(batcher.predict([number], None)) for number in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.go.set()
        await asyncio.gather(first, stays)

    asyncio.run(ask())
    assert model.calls == [["hold"], [2]]


def test_two_threads_run_two_calls_at_once() -> None:
    model = Gate()

    async def ask():
        batcher = Batcher(model, Limits(threads=2), Metrics().sheets[0])
        first = asyncio.create_task(batcher.predict(["hold"], None))
        await asyncio.to_thread(model.held.wait, 20)
        assert await asyncio.wait_for(batcher.predict([1], None), 20) == [2]
        model.go.set()
        await first

    asyncio.run(ask())


class Quick(Gate):
    """A model that computes and nothing else, and tells in which thread."""

    steady = True

    def predict(self, instances, parameters=None):
        self.calls.append([threading.current_thread()])
        return [value if isinstance(value, list) else 2 * int(value) for value in instances]


def test_a_steady_model_whose_calls_are_short_is_called_on_the_loop() -> None:
    model = Quick()

    async def ask():
        batcher = Batcher(model, Limits(), Metrics().sheets[0])
        batcher._pace.took(64, 1.0)
        answers = [await batcher.predict([number], None) for number in range(3)]
        return [*answers, await batcher.predict(list(range(40)), None)]

    *answers, many = asyncio.run(ask())
    here = threading.current_thread()
    assert answers == [[0], [2], [4]]
    assert many == [2 * number for number in range(40)]
    assert [call == [here] for call in model.calls] == [False, True, True, False]


def test_a_long_call_is_forgotten_only_little_by_little() -> None:
    pace = Pace()
    assert not pace.short(1)
    pace.took(1, 2 * SHORT_S)
    pace.took(1, 0.0)
    assert not pace.short(1)
    for _ in range(10):
        pace.took(1, 0.0)
    assert pace.short(1)
    assert not pace.short(2)


class Picky(Model):
    """Refuses what is no number, fails at 13, and gives one prediction too many to whom it sees a 14."""

    steady = True

    def predict(self, instances, parameters=None):
        if 13 in instances:
            raise RuntimeError
        return [-int(value) for value in instances] + [0] * (14 in instances)


REQUESTS = st.lists(st.lists(st.integers(10, 16) | st.just("x"), min_size=1, max_size=3), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(REQUESTS, st.sampled_from([1, 2, 64]))
def test_whoever_is_joined_gets_what_it_would_get_alone(requests, rows) -> None:
    model = Picky()

    def alone(instances):
        try:
            return predict(model, instances)
        except Exception as error:  # noqa: BLE001  whatever it is, the other way has to give the same
            return error

    async def ask():
        batcher = Batcher(model, Limits(batch_rows=rows), Metrics().sheets[0])
        return await asyncio.gather(*(batcher.predict(list(one), None) for one in requests), return_exceptions=True)

    said = lambda found: (type(found), str(found))  # noqa: E731
    assert [*map(said, asyncio.run(ask()))] == [said(alone(one)) for one in requests]
