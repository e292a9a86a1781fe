"""Waiting for what a cloud has accepted to be seen, or to be gone. Time passes by the clients' own sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cloudml.errors import ConflictError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Seen = TypeVar("Seen")
FIRST_S = 1.0
LONGEST_S = 10.0
SEEN_S = 120.0
"""How long what was just made may stay unseen: reads of the control plane, lists above all, lag behind writes."""
GONE_S = 1800.0
"""How long an endpoint may take to let its machines go."""


def pauses(limit_s: float) -> Iterator[float]:
    """Pauses in seconds, each longer than the one before, *limit_s* together."""
    pause, left = FIRST_S, limit_s
    while left > 0:
        yield pause
        left -= pause
        pause = min(2 * pause, LONGEST_S)


def seen(look: Callable[[], Seen], sleep: Callable[[float], None]) -> Seen:
    """What *look* gives, once it no longer says that nothing is there.

    Raises:
        NotFoundError: Nothing was there for `SEEN_S` seconds.
    """
    for pause in pauses(SEEN_S):
        try:
            return look()
        except NotFoundError:
            sleep(pause)
    return look()


def sent(send: Callable[[], Seen], heard: Callable[[], Seen | None]) -> Seen:
    """What *send* gives, which would make a second one; where no answer came it is sent again if it was not heard.

    Args:
        send: Sends the one request.
        heard: What the first one made, once it is seen; None when it made nothing.

    Raises:
        UnavailableError: No answer came the second time either, and nothing was made.
    """
    try:
        return send()
    except UnavailableError:
        found = heard()
        if found is not None:
            return found
    try:
        return send()
    except UnavailableError:
        found = heard()
        if found is None:
            raise
        return found


def gone(look: Callable[[], object], what: str, sleep: Callable[[float], None]) -> None:
    """Return once *look* says that nothing is there.

    Raises:
        UnavailableError: It was there for `GONE_S` seconds.
    """
    for pause in pauses(GONE_S):
        try:
            look()
        except NotFoundError:
            return
        sleep(pause)
    raise UnavailableError(f"{what} is still there after {GONE_S:g} seconds", hint="run `cloudml down` again")


def free(send: Callable[[], object], sleep: Callable[[float], None]) -> None:
    """Send what a cloud refuses while the object is busy, until it is taken.

    Raises:
        ConflictError: It was busy for `GONE_S` seconds.
    """
    for pause in pauses(GONE_S):
        try:
            send()
        except ConflictError:
            sleep(pause)
        else:
            return
    send()
