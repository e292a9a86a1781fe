"""Many small pieces of work at once, all of them or an error."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


def nothing() -> None:
    """Nobody needs to hear of the end."""


def each(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, stop: Callable[[], None] = nothing
) -> list[Result]:
    """Results in the order of *items*; the first error ends it: the rest is dropped, what runs is told by *stop*."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [future.result() for future in futures]
