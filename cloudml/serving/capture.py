"""Recording requests and answers in Parquet, beside the requests and never in their way.

A row for each instance: event_id (the request's id), time, endpoint, version, row, and instance and prediction as JSON.
A file is written whole under a hidden name and then renamed: who lists the folder for `*.parquet` never sees half a
file. A process that is killed loses what came in the last interval of flushing, and nothing that a file has.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudml.runtime import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudml.serving.config import Capture

_log = logging.getLogger("cloudml.serving")
HELD_BYTES = 64 * 1024 * 1024
"""Requests of so many bytes may wait to be written."""


@dataclass(frozen=True, slots=True)
class Event:
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
        self._events: queue.Queue[Event | None] = queue.Queue(settings.queue)
        self._random = random.Random()  # noqa: S311  a sample, not a secret
        self._lock, self._held = threading.Lock(), 0
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._write_all, name="capture", daemon=True)
        self._thread.start()

    def chosen(self) -> bool:
        """Whether the next request falls in the sample."""
        return self._random.random() < self._settings.share

    def offer(self, event_id: str, size: int, instances: Sequence[Any], predictions: Sequence[Any]) -> None:
        """Record a request; it is dropped when the writer cannot keep up."""
        event = Event(event_id, time.time_ns() // 1000, size, instances, predictions)
        if self._held > HELD_BYTES or not self._put(event):
            self._dropped(1)

    def _put(self, event: Event) -> bool:
        try:
            self._events.put_nowait(event)
        except queue.Full:
            return False
        self._hold(event.size)
        return True

    def _hold(self, size: int) -> None:
        with self._lock:
            self._held += size

    def close(self) -> None:
        """Write what is left."""
        self._events.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        import pyarrow.parquet  # noqa: F401  heavy: read in this thread, before the first request is there

        over = False
        while not over:
            events, over = self._collected()
            if events:
                self._write(events)

    def _collected(self) -> tuple[list[Event], bool]:
        """The events of the next file, and whether they are the last. Waits for the first of them."""
        events: list[Event] = []
        rows, until = 0, float("inf")
        while rows < self._settings.rows:
            left = until - time.monotonic()
            try:
                event = self._events.get(timeout=None if left == float("inf") else max(left, 0))
            except queue.Empty:
                break
            if event is None:
                return events, True
            self._hold(-event.size)
            if not events:
                until = time.monotonic() + self._settings.flush.total_seconds()
            events.append(event)
            rows += len(event.instances)
        return events, False

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

    rows = [
        (event, row, instance, prediction)
        for event in events
        for row, (instance, prediction) in enumerate(zip(event.instances, event.predictions, strict=True))
    ]
    count = len(rows)
    columns = {
        "event_id": pa.array([event.event_id for event, *_ in rows], pa.string()),
        "time": pa.array([event.time for event, *_ in rows], pa.timestamp("us", tz="UTC")),
        "endpoint": pa.array([facts["endpoint"]] * count, pa.string()),
        "version": pa.array([facts["version"]] * count, pa.string()),
        "row": pa.array([row for _, row, *_ in rows], pa.int32()),
        "instance": pa.array([codec.dumps(instance).decode("ascii") for *_, instance, _ in rows], pa.string()),
        "prediction": pa.array([codec.dumps(prediction).decode("ascii") for *_, prediction in rows], pa.string()),
    }
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}-{uuid.uuid4().hex[:8]}.parquet"
    hidden = folder / f".{name}.part"
    parquet.write_table(pa.table(columns), hidden, compression="zstd")
    hidden.replace(folder / name)
