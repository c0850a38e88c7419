"""The ASGI application: a request in, the handler's answer out, counted and traced."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from time import perf_counter
from typing import Any

import bottle

from .answer import ANY_ORIGIN, Answer, error_answer, failure_answer, full_answer, plain_answer, quick_answer
from .body import BadRequest, Disconnected, TooLarge, read_body
from .budget import Budget
from .call import Call
from .current import CALL
from .deadlines import Deadlines
from .event import Event, events_of
from .logs import log_error
from .metrics import Metrics
from .publisher import Publisher
from .settings import Settings
from .tracing import ERROR, INTERNAL, SERVER, Span, Tracer, extract
from .workers import Workers

CLOSE = (b"connection", b"close")
# Who calls more often has traces enough, and pays with answers for what the collector would drop.
RECORDED_PER_SECOND = 1000


class App:
    """Belongs to the loop that runs when it is made."""

    def __init__(self, settings: Settings, handler: Callable, tracer: Tracer, metrics: Metrics):
        loop = asyncio.get_running_loop()
        self.closing = False  # has callers make a new connection for their next request
        self._handler = handler
        self._in_loop = inspect.iscoroutinefunction(handler)
        self._tracer, self._metrics = tracer, metrics
        self._recorded = Budget(RECORDED_PER_SECOND)
        self._publisher = Publisher(settings.publisher)
        self._workers = Workers(loop, settings.threads)
        self._deadlines = Deadlines(loop, settings.timeout)
        self._body_limit = settings.body_limit
        self._log_requests = settings.log_requests
        self._context = {
            "function-name": settings.function_name,
            "namespace": settings.namespace,
            "timeout": settings.timeout,
            "runtime": settings.runtime,
            "memory-limit": settings.memory_limit,
        }
        self._own = {"/healthz": self._healthz, "/metrics": self._show_metrics, "/favicon.ico": self._favicon}

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        method = scope["method"]
        own = self._own.get(scope["path"])
        if own is not None and method in ("GET", "HEAD"):
            await self._send(own(), send)
            return
        if method == "OPTIONS":
            await self._send(_preflight(scope), send)
            return
        began = perf_counter()
        call = Call(scope, asyncio.current_task())
        CALL.set(call)
        if self._tracer.records and self._recorded.take():
            caller, is_remote = extract(call.headers)
            call.span = self._tracer.child(method, SERVER, caller, is_remote)
        status = await self._serve(call, receive, send)
        if status is None:
            return  # nobody was there any more
        self._metrics.request(method, status, perf_counter() - began)
        if call.span is not None:
            _end_span(call, status)
        if self._log_requests:
            client = (scope.get("client") or ("-",))[0]
            print(f'{client} "{method} {scope["path"]} HTTP/{scope["http_version"]}" {status}')

    async def _serve(self, call: Call, receive: Callable, send: Callable) -> int | None:
        self._deadlines.start(call)
        try:
            try:
                call.body = await read_body(call.headers, receive, self._body_limit)
                answer = await self._answer(call, events_of(call, self._tracer, self._publisher))
            except BadRequest as error:
                answer = plain_answer(400, str(error))
            except TooLarge:
                answer = error_answer(413, f"The body is larger than {self._body_limit} bytes (FUNC_MEMFILE_MAX)")
            except Disconnected:
                return None
            except asyncio.CancelledError:
                if not call.timed_out:
                    raise
                call.task.uncancel()
                answer = error_answer(408, "Timeout while processing the function")
        finally:
            self._deadlines.end(call)
        if answer.stream is None:
            await self._send(answer, send)
        else:
            await self._stream(call, answer, send)
        return answer.status

    async def _answer(self, call: Call, events: list[Event]) -> Answer:
        """What the last event's call returns, or the first one's that fails: the sender can't take back a part of
        a batch, and sends all of it again.
        """
        answer = Answer(200, [ANY_ORIGIN])
        for event in events:
            answer, failed = await self._invoke(call, event)
            if failed:
                break
        return answer

    async def _invoke(self, call: Call, event: Event) -> tuple[Answer, bool]:
        began = perf_counter()
        span = None
        if call.span is not None:
            span = call.inner = self._tracer.child("userFunction", INTERNAL, call.span.context)
        failed = True
        try:
            answer = await self._run(call, event)
            failed = answer.status >= 500
        except asyncio.CancelledError as error:
            if call.timed_out:
                if span is not None:
                    span.set_status(ERROR, "timeout")
                raise
            # Nobody else cancels a call: the handler did.
            call.task.uncancel()
            answer = _failure(error, span)
        except (Exception, SystemExit) as error:
            answer = _failure(error, span)
        finally:
            self._metrics.call(call.scope["method"], perf_counter() - began, failed)
            if span is not None:
                span.end()
        return answer, failed

    async def _run(self, call: Call, event: Event) -> Answer:
        context = self._context.copy()  # what one call does to it is not the next one's
        try:
            if self._in_loop:
                result = await self._handler(event, context)
            else:
                result = await self._workers.run(call, self._run_blocking, call, event, context)
                if type(result) is Answer:
                    return result
                if inspect.isawaitable(result):
                    result = await result
        except bottle.HTTPResponse as response:
            result = response
        answer = quick_answer(result, call)
        if answer is None:
            if hasattr(result, "__aiter__"):
                result = await _peeked(result)
            # It may run a generator of the user's.
            answer = await self._workers.run(call, full_answer, result, call)
        return answer

    def _run_blocking(self, call: Call, event: Event, context: dict) -> Any:
        try:
            result = self._handler(event, context)
        except bottle.HTTPResponse as response:
            result = response
        if inspect.isawaitable(result) or hasattr(result, "__aiter__"):
            return result
        return full_answer(result, call)

    async def _send(self, answer: Answer, send: Callable) -> None:
        headers, body = answer.headers, answer.body
        if answer.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(body)))
        if self.closing:
            headers.append(CLOSE)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, call: Call, answer: Answer, send: Callable) -> None:
        """A stream that breaks off closes the connection: its reader must not take it for complete."""
        if self.closing:
            answer.headers.append(CLOSE)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        try:
            async for part in self._parts(call, answer.stream):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except Exception as error:
            log_error(error)
            raise StreamBroken from None
        await send({"type": "http.response.body", "body": b""})

    async def _parts(self, call: Call, stream: Any) -> AsyncIterator[bytes]:
        if hasattr(stream, "__aiter__"):
            async for part in stream:
                yield part.encode() if isinstance(part, str) else part
            return
        end = object()
        while (part := await self._workers.run(call, next, stream, end)) is not end:
            if part:
                yield part

    def _healthz(self) -> Answer:
        return Answer(200, [(b"content-type", b"text/html; charset=UTF-8")], b"OK")

    def _show_metrics(self) -> Answer:
        return Answer(200, [(b"content-type", self._metrics.content_type.encode())], self._metrics.render())

    def _favicon(self) -> Answer:
        return Answer(204, [])


def _failure(error: BaseException, span: Span | None) -> Answer:
    log_error(error)
    if span is not None:
        span.fail(error)
    return failure_answer()


class StreamBroken(Exception):
    """Was logged; the server ends the connection."""


async def _peeked(stream: Any) -> AsyncIterator[Any]:
    """The stream, after its first part: an error before that can still be said."""
    parts = aiter(stream)
    first = await anext(parts, b"")

    async def whole() -> AsyncIterator[Any]:
        yield first
        async for part in parts:
            yield part

    return whole()


def _preflight(scope: dict) -> Answer:
    """Browsers may call a Function from anywhere; their preflight never reaches user code."""
    headers = [ANY_ORIGIN]
    for name, value in scope["headers"]:
        if name == b"access-control-request-method":
            headers.append((b"access-control-allow-methods", value))
        elif name == b"access-control-request-headers":
            headers.append((b"access-control-allow-headers", value))
    return Answer(200, headers)


def _end_span(call: Call, status: int) -> None:
    scope, span = call.scope, call.span
    span.attributes = {
        "http.request.method": scope["method"],
        "http.response.status_code": status,
        "network.protocol.version": scope["http_version"],
        "server.address": call.header(b"host"),
        "url.path": scope["path"],
        "url.scheme": scope["scheme"],
        "user_agent.original": call.header(b"user-agent"),
    }
    if status >= 500:
        span.set_status(ERROR)
    span.end()
