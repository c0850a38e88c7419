"""Requests that user code makes carry its trace on: all that end in http.client, as those of requests, urllib3
and urllib do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPConnection
from typing import Any

from .tracing import CLIENT, ERROR, Span, Tracer, current_context, inject

_OFF: ContextVar[bool] = ContextVar("off", default=False)


@contextmanager
def not_traced() -> Iterator[None]:
    token = _OFF.set(True)
    try:
        yield
    finally:
        _OFF.reset(token)


def trace_outgoing(tracer: Tracer) -> None:
    """Call once: it replaces methods of http.client.HTTPConnection."""
    put_request, put_header = HTTPConnection.putrequest, HTTPConnection.putheader
    end_headers, get_response = HTTPConnection.endheaders, HTTPConnection.getresponse

    def begin(self: HTTPConnection, method: str, url: str, *args: Any, **options: Any) -> None:
        self._trace_span, self._trace_sent = None, set()
        parent = None if _OFF.get() else current_context()
        if parent is not None:
            span = tracer.child(method, CLIENT, parent)
            span.attributes = {
                "http.request.method": method,
                "server.address": self.host,
                "server.port": self.port,
                # Without the query, which has secrets in it.
                "url.full": f"{'https' if self.default_port == 443 else 'http'}://{self.host}:{self.port}{url.partition('?')[0]}",
            }
            self._trace_span = span
        return put_request(self, method, url, *args, **options)

    def note(self: HTTPConnection, header: str | bytes, *values: Any) -> None:
        if getattr(self, "_trace_span", None) is not None:
            self._trace_sent.add((header.decode("latin-1") if isinstance(header, bytes) else header).lower())
        return put_header(self, header, *values)

    def carry(self: HTTPConnection, *args: Any, **options: Any) -> None:
        span: Span | None = getattr(self, "_trace_span", None)
        if span is None:
            return end_headers(self, *args, **options)
        for name, value in inject(span.context).items():
            # What user code set itself stays.
            if name not in self._trace_sent:
                put_header(self, name, value)
        try:
            return end_headers(self, *args, **options)
        except OSError as error:
            _fail(self, error)
            raise

    def finish(self: HTTPConnection, *args: Any, **options: Any) -> Any:
        try:
            response = get_response(self, *args, **options)
        except Exception as error:
            _fail(self, error)
            raise
        span: Span | None = getattr(self, "_trace_span", None)
        if span is not None:
            self._trace_span = None
            span.attributes["http.response.status_code"] = response.status
            if response.status >= 400:
                span.set_status(ERROR)
            span.end()
        return response

    HTTPConnection.putrequest, HTTPConnection.putheader = begin, note
    HTTPConnection.endheaders, HTTPConnection.getresponse = carry, finish


def _fail(connection: HTTPConnection, error: Exception) -> None:
    span = getattr(connection, "_trace_span", None)
    if span is not None:
        connection._trace_span = None
        span.fail(error)
        span.end()
