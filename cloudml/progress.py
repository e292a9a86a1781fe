"""How a long transfer tells how far it is."""

from __future__ import annotations

from threading import Event, Lock
from typing import TYPE_CHECKING, Protocol

from cloudml.errors import CloudMLError

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress(Protocol):
    """Somebody who looks on.

    An exception raised by `advance` stops the transfer and reaches who began it; the next try goes on from there.
    """

    def advance(self, done_bytes: int, total_bytes: int | None, label: str, /) -> None:
        """So many bytes of so many are there; None while nobody knows. Called by one thread at a time."""
        ...


class Silent:
    def advance(self, done_bytes: int, total_bytes: int | None, label: str, /) -> None:
        """Nobody looks on."""


SILENT: Progress = Silent()


class Meter:
    """Adds up what several threads have done, and stops them all when one has failed."""

    def __init__(self, progress: Progress, total_bytes: int | None, label: str) -> None:
        self._progress = progress
        self._total_bytes = total_bytes
        self.label = label
        self._done_bytes = 0
        self._lock = Lock()
        self._stopped = Event()

    def add(self, count: int) -> None:
        """So many bytes more.

        Raises:
            CloudMLError: The transfer was stopped meanwhile.
        """
        if self._stopped.is_set():
            raise CloudMLError(f"{self.label} was stopped", hint="the next try goes on from here")
        with self._lock:
            self._done_bytes += count
            self._progress.advance(self._done_bytes, self._total_bytes, self.label)

    def stop(self) -> None:
        self._stopped.set()


class Once:
    """A meter's view of one content that may have to be read again: each of its bytes counts once.

    Threads may share it, and each reading.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._told = 0
        self._lock = Lock()

    def again(self) -> Callable[[int], None]:
        """Counts the bytes of a reading from the beginning."""
        at = 0

        def add(count: int) -> None:
            nonlocal at
            with self._lock:
                at += count
                new = self._reached(at)
            self._meter.add(new)

        return add

    def all(self, size: int) -> None:
        """All of its *size* bytes are there, whoever has brought them."""
        with self._lock:
            new = self._reached(size)
        self._meter.add(new)

    def _reached(self, at: int) -> int:
        """How many bytes have not counted yet, up to there."""
        new = max(0, at - self._told)
        self._told += new
        return new
