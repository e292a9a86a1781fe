"""What the server counts, and how Prometheus reads it. Counting is arithmetic; the text is made when asked for.

All numbers lie in one memory that forked processes share: each worker adds to cells of its own, so nobody locks, and
whichever worker is asked adds up the cells of all.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from cloudml.runtime.answering import CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Cells = memoryview[float]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
STATUSES = (200, 300, 307, *CODES)
"""Those that are told apart; another one counts as its hundred."""
OTHER = "other"
"""The route of a request that none was found for."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_CELL_BYTES = 8


class Histogram:
    """How often a value fell at or below each bound, and above the last; in the last cell their sum."""

    def __init__(self, bounds: Sequence[float], cells: Cells) -> None:
        self.bounds, self.cells = bounds, cells

    def observe(self, value: float) -> None:
        cells = self.cells
        cells[bisect_left(self.bounds, value)] += 1
        cells[-1] += value


class Gauge:
    """A number that goes up and down."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells

    def add(self, value: float) -> None:
        self.cells[0] += value

    def set(self, value: float) -> None:
        self.cells[0] = value


class Sheet:
    """The numbers of one worker.

    Attributes:
        seconds: From the body to the answer, requests of predictions only.
        batch_rows: Rows in each call of the model.
        in_flight: Requests of predictions that are not answered yet.
        waiting: Those of them that wait for the model.
        dropped: Recorded requests that could not be written.
        load_seconds: How long the model took to load.
    """

    def __init__(self, cells: Cells, places: dict[tuple[str, int], int]) -> None:
        self.requests, self._places = cells[: len(places)], places
        rest = iter(_parts(cells[len(places) :], (len(SECONDS) + 2, len(ROWS) + 2, 1, 1, 1, 1)))
        self.seconds = Histogram(SECONDS, next(rest))
        self.batch_rows = Histogram(ROWS, next(rest))
        self.in_flight, self.waiting, self.dropped, self.load_seconds = map(Gauge, rest)

    def answered(self, route: str, status: int) -> None:
        """Count an answer."""
        place = self._places.get((route, status))
        if place is None:
            place = self._places[route if (route, 200) in self._places else OTHER, _told_apart(status)]
        self.requests[place] += 1

    def ended(self) -> None:
        """Its worker is gone, and so are the requests that it had in hand; what it has counted stays."""
        self.in_flight.set(0)
        self.waiting.set(0)


class Metrics:
    """The numbers of all workers since the server began.

    Args:
        routes: Those that are told apart.
        workers: How many count.
    """

    def __init__(self, routes: Sequence[str] = (), workers: int = 1) -> None:
        told = [(route, status) for route in (*dict.fromkeys(routes), OTHER) for status in STATUSES]
        self._places = {one: place for place, one in enumerate(told)}
        width = len(told) + len(SECONDS) + 2 + len(ROWS) + 2 + 4
        cells = memoryview(mmap.mmap(-1, width * workers * _CELL_BYTES)).cast("d")
        self.sheets = [Sheet(part, self._places) for part in _parts(cells, (width,) * workers)]

    def text(self) -> bytes:
        """The text that Prometheus scrapes."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self))
        return generate_latest(registry)

    def requests(self) -> list[tuple[str, int, float]]:
        """Route, status and how many, of those that there were."""
        columns = zip(*(sheet.requests for sheet in self.sheets), strict=True)
        counts = zip(self._places, map(sum, columns), strict=True)
        return sorted((route, status, count) for (route, status), count in counts if count)

    def added(self, cells: Callable[[Sheet], Cells]) -> list[float]:
        """Some cells of every sheet, added up."""
        return [sum(column) for column in zip(*(cells(sheet) for sheet in self.sheets), strict=True)]


def buckets(bounds: Sequence[float], counts: Sequence[float]) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound, as Prometheus has them."""
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))


def _parts(cells: Cells, sizes: Sequence[int]) -> Iterator[Cells]:
    start = 0
    for size in sizes:
        yield cells[start : start + size]
        start += size


def _told_apart(status: int) -> int:
    return next((one for one in (status, status // 100 * 100) if one in STATUSES), STATUSES[-1])


class _Collector:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        now = self._metrics
        requests = CounterMetricFamily("cloudml_requests", "Requests answered.", labels=("route", "status"))
        for route, status, count in now.requests():
            requests.add_metric((route, str(status)), count)
        yield requests
        for name, text, bounds, cells in HISTOGRAMS:
            *counts, total = now.added(cells)
            yield HistogramMetricFamily(name, text, buckets=buckets(bounds, counts), sum_value=total)
        dropped, in_flight, waiting = (
            now.added(lambda sheet: getattr(sheet, name).cells)[0]  # noqa: B023  called before the next
            for name in ("dropped", "in_flight", "waiting")
        )
        load = max(sheet.load_seconds.cells[0] for sheet in now.sheets)
        yield CounterMetricFamily("cloudml_capture_dropped", "Requests that were not recorded.", value=dropped)
        yield GaugeMetricFamily("cloudml_requests_in_flight", "Requests not answered yet.", value=in_flight)
        yield GaugeMetricFamily("cloudml_requests_waiting", "Requests that wait for the model.", value=waiting)
        yield GaugeMetricFamily("cloudml_model_load_seconds", "Time the model took to load.", value=load)


HISTOGRAMS: tuple[tuple[str, str, Sequence[float], Callable[[Sheet], Cells]], ...] = (
    (
        "cloudml_request_seconds",
        "Time to answer a request for predictions.",
        SECONDS,
        lambda sheet: sheet.seconds.cells,
    ),
    ("cloudml_batch_rows", "Rows in a call of the model.", ROWS, lambda sheet: sheet.batch_rows.cells),
)
