from __future__ import annotations

from collections import Counter

import pytest

from cloudml.clouds.patience import Patience
from cloudml.errors import NotFoundError, ThrottledError, UnavailableError


def refusing(*errors: Exception):
    """What raises each of them in turn, and then answers; and how often it was asked."""
    asked, left = Counter(), list(errors)

    def send() -> str:
        asked["times"] += 1
        if left:
            raise left.pop(0)
        return "answer"

    return send, asked


def test_a_service_that_is_down_is_asked_after_growing_pauses() -> None:
    slept: list[float] = []
    send, _ = refusing(*[UnavailableError("down")] * 7)
    assert Patience().asked(send, lambda error: error.retryable, slept.append) == "answer"
    assert slept == [1, 2, 4, 8, 16, 30, 30]


def test_patience_ends_with_the_last_error() -> None:
    slept: list[float] = []
    send, asked = refusing(UnavailableError("first"), ThrottledError("second"))
    with pytest.raises(ThrottledError, match="second"):
        Patience(attempts=2).asked(send, lambda error: error.retryable, slept.append)
    assert (asked["times"], slept) == (2, [1])


def test_what_is_not_worth_another_request_is_asked_once() -> None:
    send, asked = refusing(NotFoundError("nothing"))
    with pytest.raises(NotFoundError):
        Patience().asked(send, lambda error: error.retryable, lambda _: None)
    assert asked["times"] == 1


def test_as_long_is_waited_as_the_service_wants() -> None:
    slept: list[float] = []
    error = ThrottledError("later")
    error.after_s = 17.0
    send, _ = refusing(error, ThrottledError("again"))
    Patience().asked(send, lambda error: error.retryable, slept.append)
    assert slept == [17, 2]
