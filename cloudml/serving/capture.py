"""Recording requests and answers in Parquet, beside the requests and never in their way.

A row for each instance: event_id (the request's id), time, endpoint, version, row, and instance and prediction as JSON.
A file is written whole under a hidden name and then renamed: who lists the folder for `*.parquet` never sees half a
file. A process that is killed loses what came in the last interval of flushing, and nothing that a file has.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudml.runtime import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudml.serving.config import Capture

_log = logging.getLogger("cloudml.serving")
HELD_BYTES = 64 * 1024 * 1024
"""Requests of so many bytes may wait to be written."""
LOOK_S = 0.1
"""The writer takes what waits so often, while a file is open: waking it for every request would cost more than that."""
PAUSE_S, PAUSE_ROWS = 0.0005, 32
"""The writer lets others have the interpreter after so many rows: it would keep it for as long as it may."""


class Event(NamedTuple):
    """A request that was answered.

    Attributes:
        time: Microseconds since 1970, UTC.
        size: Bytes that it came in, about what it holds of memory.
    """

    event_id: str
    time: int
    size: int
    instances: Sequence[Any]
    predictions: Sequence[Any]


class Recorder:
    """A bounded queue, and the thread that writes what comes out of it.

    Args:
        settings: Where, how much, how often.
        endpoint: The endpoint's name, in every row.
        version: The model's version, in every row.
        dropped: Told how many requests could not be recorded.
    """

    def __init__(self, settings: Capture, endpoint: str, version: str, dropped: Callable[[int], None]) -> None:
        assert settings.folder is not None
        self._folder, self._settings, self._dropped = settings.folder, settings, dropped
        self._facts = {"endpoint": endpoint, "version": version}
        self._events: deque[Event] = deque()
        self._random = random.Random()  # noqa: S311  a sample, not a secret
        self._offered, self._taken = 0, 0  # bytes; each is written by one thread only
        self._wanted, self._closing = threading.Event(), threading.Event()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write_all, name="capture", daemon=True)
        self._thread.start()

    def chosen(self) -> bool:
        """Whether the next request falls in the sample."""
        return self._settings.share >= 1 or self._random.random() < self._settings.share

    def offer(self, event_id: str, size: int, instances: Sequence[Any], predictions: Sequence[Any]) -> None:
        """Record a request; it is dropped when the writer cannot keep up. One thread offers."""
        events = self._events
        if len(events) >= self._settings.queue or self._offered - self._taken > HELD_BYTES:
            self._dropped(1)
            return
        self._offered += size
        events.append(Event(event_id, time.time_ns() // 1000, size, instances, predictions))
        if not self._wanted.is_set():
            self._wanted.set()

    def close(self) -> None:
        """Write what is left."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()

    def _write_all(self) -> None:
        import pyarrow.parquet  # noqa: F401  heavy: read in this thread, before the first request is there

        while not (self._closing.is_set() and not self._events):
            self._wanted.wait()
            self._wanted.clear()
            events = self._collected()
            if events:
                self._write(events)
            if self._events:
                self._wanted.set()

    def _collected(self) -> list[Event]:
        """The events of the next file: what comes until it has its rows, or its time is over."""
        events: list[Event] = []
        rows, until = 0, time.monotonic() + self._settings.flush.total_seconds()
        while rows < self._settings.rows:
            while self._events and rows < self._settings.rows:
                event = self._events.popleft()
                self._taken += event.size
                events.append(event)
                rows += len(event.instances)
            left = until - time.monotonic()
            if left <= 0 or self._closing.is_set():
                break
            self._closing.wait(min(left, LOOK_S))
        return events

    def _write(self, events: Sequence[Event]) -> None:
        try:
            write(self._folder, events, self._facts)
        except (OSError, ValueError, TypeError) as error:  # a full disk, a value of no JSON: serving goes on
            self._dropped(len(events))
            _log.error("%d requests could not be recorded: %s", len(events), error)


def write(folder: Any, events: Sequence[Event], facts: dict[str, str]) -> None:
    """Write one file of events."""
    import pyarrow as pa
    from pyarrow import parquet

    ids, times, numbers, instances, predictions = rows_of(events)
    columns = {
        "event_id": pa.array(ids, pa.string()),
        "time": pa.array(times, pa.timestamp("us", tz="UTC")),
        "endpoint": pa.repeat(pa.scalar(facts["endpoint"], pa.string()), len(ids)),
        "version": pa.repeat(pa.scalar(facts["version"], pa.string()), len(ids)),
        "row": pa.array(numbers, pa.int32()),
        "instance": pa.array(instances, pa.string()),
        "prediction": pa.array(predictions, pa.string()),
    }
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-{uuid.uuid4().hex[:8]}.parquet"
    hidden = folder / f".{name}.part"
    parquet.write_table(pa.table(columns), hidden, compression="zstd")
    hidden.replace(folder / name)


def rows_of(events: Sequence[Event]) -> tuple[list[str], list[int], list[int], list[str], list[str]]:
    """Id, time and number of each row, its instance and prediction as JSON."""
    ids: list[str] = []
    times: list[int] = []
    numbers: list[int] = []
    instances: list[str] = []
    predictions: list[str] = []
    due = PAUSE_ROWS
    for event in events:
        count = len(event.instances)
        ids += [event.event_id] * count
        times += [event.time] * count
        numbers += range(count)
        instances += map(codec.written, event.instances)
        predictions += map(codec.written, event.predictions)
        if len(ids) >= due:
            due = len(ids) + PAUSE_ROWS
            time.sleep(PAUSE_S)
    return ids, times, numbers, instances, predictions
