"""What the server counts, and how Prometheus reads it. Counting is arithmetic; the text is made when asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """How often a value fell at or below each bound, and above the last."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus has them."""
        names = [*(str(float(bound)) for bound in self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


@dataclass(slots=True)
class Metrics:
    """What has been counted since the server began.

    Attributes:
        requests: By route and status.
        seconds: From the first byte to the answer, requests of predictions only.
        batch_rows: Rows in each call of the model.
        in_flight: Requests of predictions that are not answered yet.
        waiting: Those of them that wait for the model.
        dropped: Recorded requests that could not be written.
        load_seconds: How long the model took to load.
    """

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    batch_rows: Histogram = field(default_factory=lambda: Histogram(ROWS))
    in_flight: int = 0
    waiting: int = 0
    dropped: int = 0
    load_seconds: float = 0.0

    def text(self) -> bytes:
        """The text that Prometheus scrapes."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self))
        return generate_latest(registry)


class _Collector:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        now = self._metrics
        requests = CounterMetricFamily("cloudml_requests", "Requests answered.", labels=("route", "status"))
        for (route, status), count in sorted(now.requests.items()):
            requests.add_metric((route, str(status)), count)
        yield requests
        for name, text, histogram in (
            ("cloudml_request_seconds", "Time to answer a request for predictions.", now.seconds),
            ("cloudml_batch_rows", "Rows in a call of the model.", now.batch_rows),
        ):
            yield HistogramMetricFamily(name, text, buckets=histogram.buckets(), sum_value=histogram.sum)
        yield CounterMetricFamily("cloudml_capture_dropped", "Requests that were not recorded.", value=now.dropped)
        yield GaugeMetricFamily("cloudml_requests_in_flight", "Requests not answered yet.", value=now.in_flight)
        yield GaugeMetricFamily("cloudml_requests_waiting", "Requests that wait for the model.", value=now.waiting)
        yield GaugeMetricFamily("cloudml_model_load_seconds", "Time the model took to load.", value=now.load_seconds)
