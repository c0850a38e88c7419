"""Metrics of the Function, in the registry that user code adds its own to (contract/functions.md 6.3)."""

from prometheus_client import REGISTRY, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
# OpenTelemetry's advice for http.server.request.duration.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Metrics:
    content_type = CONTENT_TYPE_LATEST

    def __init__(self):
        self._duration = Histogram("function_duration_seconds", "Duration of user function in seconds", ["method"])
        self._calls = Counter("function_calls_total", "Number of calls to user function", ["method"])
        self._failures = Counter("function_failures_total", "Number of exceptions in user function", ["method"])
        self._requests = Histogram(
            "http_server_request_duration_seconds", "Duration of HTTP server requests",
            ["http_request_method", "http_response_status_code", "url_scheme"], buckets=_BUCKETS)
        self._of_method: dict[str, tuple] = {}
        self._of_status: dict[tuple[str, int], Histogram] = {}

    def call(self, method: str, seconds: float, failed: bool) -> None:
        """A call of the handler: once for each event."""
        metrics = self._of_method.get(method)
        if metrics is None:
            label = _label(method)
            metrics = (self._calls.labels(label), self._duration.labels(label), self._failures.labels(label))
            if method == label:
                self._of_method[method] = metrics
        metrics[0].inc()
        metrics[1].observe(seconds)
        if failed:
            metrics[2].inc()

    def request(self, method: str, status: int, seconds: float) -> None:
        histogram = self._of_status.get((method, status))
        if histogram is None:
            label = _label(method)
            histogram = self._requests.labels(label, str(status), "http")
            if method == label:
                self._of_status[method, status] = histogram
        histogram.observe(seconds)

    def render(self) -> bytes:
        return generate_latest(REGISTRY)


def _label(method: str) -> str:
    """What a client calls a method must not make a series each."""
    return method if method in _METHODS else "_OTHER"
