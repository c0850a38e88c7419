"""Sends spans to a collector, by OTLP over HTTP in its JSON form."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from functools import lru_cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from json.encoder import encode_basestring_ascii as quote
from typing import Any
from urllib.parse import urlsplit

from .outgoing import not_traced
from .tracing import Span

QUEUE = 2048
BATCH = 512
# A second, not five: who looks at a trace has just made the call.
INTERVAL_SECONDS = 1
TIMEOUT_SECONDS = 5
REPORT_SECONDS = 60
_SCOPE = "function-runtime-python"


class Exporter:
    """Has a queue, and a thread that empties it. What a queue that is full can't take is dropped and counted:
    a collector that is slow or down costs a call nothing.
    """

    def __init__(self, endpoint: str, service: str):
        self._url = urlsplit(endpoint)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ValueError(f"TRACE_COLLECTOR_ENDPOINT: {endpoint!r} is not an address as http://host:4318/v1/traces")
        resource = f'{{"attributes":[{_attributes({"service.name": service})}]}}'
        self._head = f'{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{{"scope":{{"name":"{_SCOPE}"}},"spans":['
        self._spans: deque[Span] = deque()
        self._dropped = 0
        self._reported = -REPORT_SECONDS
        self._wake = threading.Event()
        self._stopping = False
        self._connection: HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, name="span-exporter", daemon=True)
        self._thread.start()

    def add(self, span: Span) -> None:
        if len(self._spans) >= QUEUE:
            self._dropped += 1
        else:
            self._spans.append(span)

    def stop(self, seconds: float) -> None:
        """Sends what is there, for a while at most."""
        self._stopping = True
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(INTERVAL_SECONDS)
            self._send_all()

    def _send_all(self) -> None:
        while self._spans:
            batch = [self._spans.popleft() for _ in range(min(BATCH, len(self._spans)))]
            try:
                with not_traced():
                    self._post((self._head + ",".join(map(_encode, batch)) + "]}]}]}").encode())
            except (OSError, HTTPException, RuntimeError) as error:
                self._report(f"{len(batch)} spans are lost, send them to {self._url.netloc}: {error}")
            if not self._stopping:
                # Handlers come first: they share the interpreter.
                time.sleep(0.05)
        if self._dropped:
            self._report(f"{self._dropped} spans are lost: there were more than the queue of {QUEUE} takes")
            self._dropped = 0

    def _post(self, body: bytes) -> None:
        fresh = self._connection is None
        if fresh:
            kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
            self._connection = kind(self._url.hostname, self._url.port, timeout=TIMEOUT_SECONDS)
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            response.read()
        except (OSError, HTTPException):
            self._connection.close()
            self._connection = None
            if fresh:
                raise
            self._post(body)  # the collector closed a connection that was idle
            return
        if response.status >= 300:
            raise RuntimeError(f"it answered {response.status} {response.reason}")

    def _report(self, message: str) -> None:
        now = time.monotonic()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            print(f"tracing: {message}", file=sys.stderr)


def _encode(span: Span) -> str:
    """The one span; by hand where it is the same for all, since calls wait while this runs."""
    context = span.context
    parent = f',"parentSpanId":"{span.parent_id}"' if span.parent_id else ""
    state = f',"traceState":{quote(context.state)}' if context.state else ""
    events = ""
    if span.events:
        events = ',"events":[' + ",".join(
            f'{{"timeUnixNano":"{at}","name":{quote(name)},"attributes":[{_attributes(attributes)}]}}'
            for name, at, attributes in span.events) + "]"
    status = f',"status":{{"code":{span.status},"message":{quote(span.message)}}}' if span.status else ""
    return (f'{{"traceId":"{context.trace_id_hex}","spanId":"{context.span_id_hex}"{parent}{state},'
            f'"name":{quote(span.name)},"kind":{span.kind},'
            f'"startTimeUnixNano":"{span.start}","endTimeUnixNano":"{span.stop}",'
            f'"attributes":[{_attributes(span.attributes)}]{events}{status}}}')


def _attributes(attributes: dict[str, Any]) -> str:
    return ",".join([_key(key) + _value(value) + "}" for key, value in attributes.items() if value is not None])


@lru_cache(1000)
def _key(key: Any) -> str:
    return f'{{"key":{quote(str(key))},"value":'


def _value(value: Any) -> str:
    if type(value) is str:
        return f'{{"stringValue":{quote(value)}}}'
    if isinstance(value, bool):
        return f'{{"boolValue":{"true" if value else "false"}}}'
    if isinstance(value, int):
        return f'{{"intValue":"{value}"}}'
    if isinstance(value, float):
        return f'{{"doubleValue":{value if value - value == 0 else quote(str(value))}}}'
    if isinstance(value, (list, tuple)):
        return f'{{"arrayValue":{{"values":[{",".join(map(_value, value))}]}}}}'
    return f'{{"stringValue":{quote(str(value))}}}'
