"""What a handler returned, as an HTTP response: Bottle's rules (contract/functions.md 6.7)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain
from typing import Any

import bottle

from .call import Call

JSON = (b"content-type", b"application/json")
HTML = (b"content-type", b"text/html; charset=UTF-8")
ANY_ORIGIN = (b"access-control-allow-origin", b"*")
# What the server itself decides about how a response is sent.
_OWN = frozenset((b"content-length", b"transfer-encoding", b"connection"))
_CHUNK_BYTES = 64 << 10


class Answer:
    """Either a body, or a stream of parts of one."""

    __slots__ = ("status", "headers", "body", "stream")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"",
                 stream: Iterator[bytes] | AsyncIterator[Any] | None = None):
        self.status, self.headers, self.body, self.stream = status, headers, body, stream


def quick_answer(result: Any, call: Call) -> Answer | None:
    """The answer to what runs no user code and can't block; None for all else."""
    kind = type(result)
    if kind is str:
        body, content_type = result.encode(), HTML
    elif kind is dict:
        body, content_type = json.dumps(result).encode(), JSON
    elif kind is bytes:
        body, content_type = result, HTML
    elif result is None:
        body, content_type = b"", HTML
    else:
        return None
    if call.used_response is not None:
        return _with_response(call.used_response, body, content_type)
    return Answer(200, [content_type, ANY_ORIGIN], body)


def full_answer(result: Any, call: Call) -> Answer:
    """Raises TypeError for what is none of Bottle's types."""
    answer = quick_answer(result, call)
    if answer is not None:
        return answer
    if isinstance(result, bottle.HTTPError):
        return _with_response(result, _error_page(result), HTML)
    if isinstance(result, bottle.BaseResponse):
        return _of_body(result.body, result, call)
    return _of_body(result, call.used_response, call)


def error_answer(status: int, text: str) -> Answer:
    """Bottle's error page, of an error that the server found."""
    error = bottle.HTTPError(status, text)
    return _with_response(error, _error_page(error), HTML)


def plain_answer(status: int, text: str) -> Answer:
    return Answer(status, [(b"content-type", b"text/plain; charset=utf-8"), ANY_ORIGIN], text.encode())


def failure_answer() -> Answer:
    return Answer(500, [HTML, ANY_ORIGIN], b"Internal server error")


def _of_body(body: Any, response: bottle.BaseResponse | None, call: Call) -> Answer:
    content_type = _content_type_of(body)
    if not isinstance(body, dict) and hasattr(body, "__aiter__"):
        return _with_response(response, b"", content_type, stream=body)
    if isinstance(body, dict):
        return _with_response(response, json.dumps(body).encode(), JSON)
    if not body:
        return _with_response(response, b"", content_type)
    charset = response.charset if response is not None else "UTF-8"
    if isinstance(body, (list, tuple)) and isinstance(body[0], (str, bytes)):
        body = body[0][:0].join(body)
    if isinstance(body, str):
        return _with_response(response, body.encode(charset), content_type)
    if isinstance(body, (bytes, bytearray, memoryview)):
        return _with_response(response, bytes(body), content_type)
    if hasattr(body, "read"):
        body = _chunks_of(body)
    return _of_iterable(body, response, content_type, charset, call)


def _of_iterable(body: Iterable, response: bottle.BaseResponse | None, content_type: tuple[bytes, bytes], charset: str,
                 call: Call) -> Answer:
    try:
        parts = iter(body)
    except TypeError:
        raise _unsupported(body) from None
    # The first part tells what the others are; an error before it can still be said.
    first = next((part for part in parts if part), b"")
    if isinstance(first, bottle.BaseResponse):
        return full_answer(first, call)
    if isinstance(first, str):
        stream = (part.encode(charset) if isinstance(part, str) else part for part in chain([first], parts))
    elif isinstance(first, bytes):
        stream = chain([first], parts)
    else:
        raise _unsupported(first)
    return _with_response(response, b"", content_type, stream=_closing(stream, body) if first else None)


def _closing(parts: Iterator[bytes], source: Any) -> Iterator[bytes]:
    try:
        yield from parts
    finally:
        if hasattr(source, "close"):
            source.close()


def _chunks_of(file: Any) -> Iterator[bytes]:
    try:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
    finally:
        if hasattr(file, "close"):
            file.close()


def _unsupported(value: Any) -> TypeError:
    return TypeError(f"the handler returned {type(value).__name__}, which can't be sent; "
                     "return str, bytes, a dict, an iterable of str or bytes, or a bottle.HTTPResponse")


def _content_type_of(body: Any) -> tuple[bytes, bytes]:
    """Of a response of another library, as of requests, the type goes on to the caller."""
    headers = getattr(body, "headers", None)
    if headers is not None and hasattr(headers, "get"):
        value = headers.get("content-type")
        if isinstance(value, str):
            return (b"content-type", value.encode("latin-1", "replace"))
    return HTML


def _with_response(response: bottle.BaseResponse | None, body: bytes, content_type: tuple[bytes, bytes],
                   stream: Any = None) -> Answer:
    if response is None:
        return Answer(200, [content_type, ANY_ORIGIN], body, stream)
    headers = []
    has_type = "Content-Type" in response
    for name, value in response.headerlist:
        name = name.lower().encode("latin-1")
        if name in _OWN or name == b"content-type" and not has_type:
            continue
        headers.append((name, value.encode("latin-1")))
    status = response.status_code
    if status in (204, 304):
        body, stream = b"", None
    elif not has_type:
        headers.append(content_type)
    if not any(name == ANY_ORIGIN[0] for name, _ in headers):
        headers.append(ANY_ORIGIN)
    return Answer(status, headers, body, stream)


def _error_page(error: bottle.HTTPError) -> bytes:
    return bottle.template(bottle.ERROR_PAGE_TEMPLATE, e=error, template_settings={"name": "__ERROR_PAGE_TEMPLATE"}).encode()
