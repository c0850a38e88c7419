"""Metrics of the Function, in the registry that user code adds its own to (contract/functions.md 6.3)."""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
# Those of prometheus-client, which dashboards know, and OpenTelemetry's advice for http.server.request.duration.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class Histogram:
    """Counted in the first bucket that it fits; they are summed up when somebody reads them. The library's own takes
    longer than all else that the server does of a call; this one belongs to one thread, and needs no lock.
    """

    __slots__ = ("_bounds", "_counts", "count", "sum", "failures")

    def __init__(self, bounds: tuple[float, ...]):
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.count = self.failures = 0
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.count += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, int]]:
        below, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            buckets.append((bound, below))
        return buckets


class Metrics:
    """All methods belong to the loop's thread."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self):
        self._calls: dict[str, Histogram] = {}
        self._requests: dict[tuple[str, int], Histogram] = {}
        REGISTRY.register(self)

    def call(self, method: str, seconds: float, failed: bool) -> None:
        """A call of the handler: once for each event."""
        calls = self._calls.get(method)
        if calls is None:
            calls = self._calls.setdefault(_label(method), Histogram(_BUCKETS))
        calls.observe(seconds)
        if failed:
            calls.failures += 1

    def request(self, method: str, status: int, seconds: float) -> None:
        requests = self._requests.get((method, status))
        if requests is None:
            requests = self._requests.setdefault((_label(method), status), Histogram(_BUCKETS))
        requests.observe(seconds)

    def render(self) -> bytes:
        return generate_latest(REGISTRY)

    def collect(self) -> Iterator[Metric]:
        duration = HistogramMetricFamily("function_duration_seconds", "Duration of user function in seconds", labels=["method"])
        calls = CounterMetricFamily("function_calls_total", "Number of calls to user function", labels=["method"])
        failures = CounterMetricFamily("function_failures_total", "Number of exceptions in user function", labels=["method"])
        for method, of_method in self._calls.items():
            duration.add_metric([method], of_method.buckets(), of_method.sum)
            calls.add_metric([method], of_method.count)
            failures.add_metric([method], of_method.failures)
        requests = HistogramMetricFamily("http_server_request_duration_seconds", "Duration of HTTP server requests",
                                         labels=["http_request_method", "http_response_status_code", "url_scheme"])
        for (method, status), of_status in self._requests.items():
            requests.add_metric([method, str(status), "http"], of_status.buckets(), of_status.sum)
        yield from (duration, calls, failures, requests)


def _label(method: str) -> str:
    """What a client calls a method must not make a series each."""
    return method if method in _METHODS else "_OTHER"
