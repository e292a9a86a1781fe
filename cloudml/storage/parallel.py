"""Many small pieces of work at once, all of them or an error."""

from __future__ import annotations

from collections import deque
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Condition, Event
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


def nothing() -> None:
    """Nobody needs to hear of the end."""


def each(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, stop: Callable[[], None] = nothing
) -> list[Result]:
    """Results in the order of *items*; the first error ends it: the rest is dropped, what runs is told by *stop*."""
    wanted = list(items)
    found: list[Any] = [None] * len(wanted)
    # All workers take from the same iterator; a future for each item would take longer than many a piece of work.
    places = iter(range(len(wanted)))
    over = Event()

    def some() -> None:
        for place in places:
            if over.is_set():
                return
            found[place] = work(wanted[place])

    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = [pool.submit(some) for _ in range(min(workers, len(wanted)))]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            over.set()
            stop()
            raise
        return found


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int, workers: int = 0
) -> Iterator[Result]:
    """Results in the order of *items*, each as soon as it is there.

    Args:
        work: What is to be done with each.
        items: Taken as there is room for them.
        ahead: So many pieces of work are under way, or wait for a worker or for their turn.
        workers: So many are under way at most; 0 for all of them.
    """
    with ThreadPoolExecutor(workers or ahead) as pool:
        under_way: deque[Future[Result]] = deque()
        try:
            for item in items:
                if len(under_way) == ahead:
                    yield under_way.popleft().result()
                under_way.append(pool.submit(work, item))
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class Room:
    """So many bytes of memory for all threads of a transfer together."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = Condition()

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        """Hold that many bytes, or all where there are less; wait until they are free."""
        taken = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= taken)
            self._free -= taken
        try:
            yield
        finally:
            with self._changed:
                self._free += taken
                self._changed.notify_all()
