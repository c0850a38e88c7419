"""Traces: W3C and B3 headers in and out, spans for a collector (no package of the distribution does it).

The objects that handlers meet have the methods of OpenTelemetry's API.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import getrandbits
from typing import Any

from .current import CALL

INTERNAL, SERVER, CLIENT = 1, 2, 3  # SpanKind of OTLP
OK, ERROR = 1, 2  # StatusCode of OTLP

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_CARRIERS = frozenset((b"traceparent", b"b3", b"x-b3-traceid", b"x-b3-sampled", b"x-b3-flags", b"baggage"))
_B3_TRACE = re.compile(r"(?:[0-9a-f]{16}){1,2}")
_B3_SPAN = re.compile(r"[0-9a-f]{16}")

# The span that the running code is in, if that isn't its call's.
_ACTIVE: ContextVar[Span | None] = ContextVar("active", default=None)


class SpanContext:
    __slots__ = ("trace_id_hex", "span_id_hex", "sampled", "state", "baggage", "recorded")

    def __init__(self, trace_id: str, span_id: str, sampled: bool, state: str | None = None, baggage: str | None = None):
        self.trace_id_hex, self.span_id_hex, self.sampled = trace_id, span_id, sampled
        self.state, self.baggage = state, baggage
        self.recorded = True

    @property
    def trace_id(self) -> int:
        return int(self.trace_id_hex, 16)

    @property
    def span_id(self) -> int:
        return int(self.span_id_hex, 16)

    @property
    def trace_flags(self) -> int:
        return int(self.sampled)

    @property
    def is_valid(self) -> bool:
        return True

    @property
    def is_remote(self) -> bool:
        return False


def new_trace_id() -> str:
    return f"{getrandbits(128) or 1:032x}"


def new_span_id() -> str:
    return f"{getrandbits(64) or 1:016x}"


def extract(headers: dict[bytes, bytes]) -> tuple[SpanContext, bool]:
    """The caller's context, W3C before B3, and whether it has one; if not, that of a new trace."""
    if _CARRIERS.isdisjoint(headers):
        return SpanContext(new_trace_id(), new_span_id(), True), False
    baggage = _text(headers, b"baggage")
    found = _TRACEPARENT.fullmatch(_text(headers, b"traceparent") or "")
    if found and found[1] != "ff" and found[2].strip("0") and found[3].strip("0"):
        return SpanContext(found[2], found[3], int(found[4], 16) & 1 == 1, _text(headers, b"tracestate"), baggage), True
    trace, span = _text(headers, b"x-b3-traceid"), _text(headers, b"x-b3-spanid")
    sampled = "1" if _text(headers, b"x-b3-flags") == "1" else _text(headers, b"x-b3-sampled")
    if b"b3" in headers:
        parts = (_text(headers, b"b3") or "").split("-")
        if len(parts) == 1:
            sampled = parts[0]
        else:
            trace, span, sampled = parts[0], parts[1], parts[2] if len(parts) > 2 else None
    is_sampled = (sampled or "1").lower() not in ("0", "false")
    trace, span = (trace or "").lower(), (span or "").lower()
    if _B3_TRACE.fullmatch(trace) and _B3_SPAN.fullmatch(span) and trace.strip("0") and span.strip("0"):
        return SpanContext(trace.zfill(32), span, is_sampled, None, baggage), True
    return SpanContext(new_trace_id(), new_span_id(), is_sampled, None, baggage), False


def inject(context: SpanContext) -> dict[str, str]:
    headers = {
        "traceparent": f"00-{context.trace_id_hex}-{context.span_id_hex}-{'01' if context.sampled else '00'}",
        "x-b3-traceid": context.trace_id_hex,
        "x-b3-spanid": context.span_id_hex,
        "x-b3-sampled": "1" if context.sampled else "0",
    }
    if context.state:
        headers["tracestate"] = context.state
    if context.baggage:
        headers["baggage"] = context.baggage
    return headers


class Span:
    """Recorded when it ends, if its trace is sampled and there is a collector."""

    __slots__ = ("name", "kind", "context", "parent_id", "start", "stop", "attributes", "events", "status", "message", "_export")

    def __init__(self, name: str, kind: int, context: SpanContext, parent_id: str, export: Callable[[Span], None] | None):
        self.name, self.kind, self.context, self.parent_id, self._export = name, kind, context, parent_id, export
        self.start = time.time_ns()
        self.stop = self.status = 0
        self.message = ""
        self.attributes: dict[str, Any] = {}
        self.events: list[tuple[str, int, dict[str, Any]]] | None = None

    def get_span_context(self) -> SpanContext:
        return self.context

    def is_recording(self) -> bool:
        return self._export is not None and not self.stop

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        self.attributes.update(attributes)

    def update_name(self, name: str) -> None:
        self.name = name

    def add_event(self, name: str, attributes: dict[str, Any] | None = None, timestamp: int | None = None) -> None:
        if self.events is None:
            self.events = []
        self.events.append((name, timestamp or time.time_ns(), dict(attributes or {})))

    def record_exception(self, exception: BaseException, attributes: dict[str, Any] | None = None,
                         timestamp: int | None = None, escaped: bool = False) -> None:
        self.add_event("exception", {
            "exception.type": type(exception).__qualname__,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            **(attributes or {}),
        }, timestamp)

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Takes OpenTelemetry's Status, its StatusCode, or the number of one."""
        code = getattr(status, "status_code", status)
        self.status = int(getattr(code, "value", code))
        self.message = description or getattr(status, "description", None) or ""

    def fail(self, exception: BaseException) -> None:
        self.record_exception(exception)
        self.set_status(ERROR, f"{type(exception).__name__}: {exception}")

    def end(self, end_time: int | None = None) -> None:
        if self.stop:
            return
        self.stop = end_time or time.time_ns()
        if self._export is not None:
            self._export(self)

    def __enter__(self) -> Span:
        return self

    def __exit__(self, _type: Any, error: BaseException | None, _traceback: Any) -> None:
        if error is not None:
            self.fail(error)
        self.end()


class Tracer:
    def __init__(self, export: Callable[[Span], None] | None):
        self._export = export

    @property
    def records(self) -> bool:
        return self._export is not None

    def start_span(self, name: str, context: Any = None, kind: Any = INTERNAL, attributes: dict[str, Any] | None = None,
                   links: Any = None, start_time: int | None = None, record_exception: bool = True,
                   set_status_on_exception: bool = True) -> Span:
        span = self.child(name, _kind(kind), current_context())
        if attributes:
            span.attributes.update(attributes)
        if start_time:
            span.start = start_time
        return span

    @contextmanager
    def start_as_current_span(self, name: str, *args: Any, end_on_exit: bool = True, **options: Any) -> Iterator[Span]:
        span = self.start_span(name, *args, **options)
        token = _ACTIVE.set(span)
        try:
            yield span
        except Exception as error:
            span.fail(error)
            raise
        finally:
            _ACTIVE.reset(token)
            if end_on_exit:
                span.end()

    def child(self, name: str, kind: int, parent: SpanContext | None, remote: bool = True) -> Span:
        if parent is not None and not parent.recorded:
            # Nobody will ever see this span: what is sent on continues the one that the caller sees.
            return Span(name, kind, parent, "", None)
        if parent is None:
            context, parent_id = SpanContext(new_trace_id(), new_span_id(), True), ""
        else:
            context = SpanContext(parent.trace_id_hex, new_span_id(), parent.sampled, parent.state, parent.baggage)
            parent_id = parent.span_id_hex if remote else ""
        return Span(name, kind, context, parent_id, self._export if context.sampled else None)


def current_context() -> SpanContext | None:
    """The context that code's requests and spans continue; None outside of a call."""
    span = _ACTIVE.get()
    if span is not None:
        return span.context
    call = CALL.get()
    return None if call is None else call.context


def _kind(kind: Any) -> int:
    """OpenTelemetry's SpanKind counts from 0, OTLP's from 1."""
    return kind.value + 1 if hasattr(kind, "value") else int(kind)


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
