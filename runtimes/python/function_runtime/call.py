"""One request to the Function, and what its answer is to have besides the body."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import bottle

from .current import CALL
from .tracing import Span, SpanContext, extract

if TYPE_CHECKING:
    import asyncio


class Call:
    __slots__ = ("scope", "headers", "body", "task", "timed_out", "span", "inner", "_request", "_response", "_caller")

    def __init__(self, scope: dict, task: asyncio.Task):
        self.scope = scope
        # Of a header that was sent twice the last one counts, as in WSGI servers' single-valued headers.
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.body = b""
        self.task = task
        self.timed_out = False
        self.span: Span | None = None  # of the request
        self.inner: Span | None = None  # of the handler's call
        self._caller: SpanContext | None = None
        self._request = self._response = None

    @property
    def request(self) -> Request:
        if self._request is None:
            self._request = Request(self.scope, self.body)
        return self._request

    @property
    def response(self) -> bottle.BaseResponse:
        """Made when user code asks for it: most never do."""
        if self._response is None:
            self._response = bottle.BaseResponse()
        return self._response

    @property
    def used_response(self) -> bottle.BaseResponse | None:
        return self._response

    @property
    def context(self) -> SpanContext:
        """The trace that the call belongs to. If it isn't recorded, that is looked for when it is needed."""
        if self.inner is not None:
            return self.inner.context
        if self._caller is None:
            self._caller, _ = extract(self.headers)
            self._caller.recorded = self.span is not None
        return self._caller

    def expire(self) -> None:
        self.timed_out = True
        self.task.cancel()

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Request(bottle.BaseRequest):
    """Bottle's request. Its WSGI environment is made when something of it is read."""

    __slots__ = ("_scope", "_content", "_environ")

    def __init__(self, scope: dict, content: bytes):
        # Bottle's own way of setting attributes would make the environment.
        _SET_SCOPE(self, scope)
        _SET_CONTENT(self, content)
        _SET_ENVIRON(self, None)

    @property
    def environ(self) -> dict:
        if self._environ is None:
            environ = _environ(self._scope, self._content)
            environ["bottle.request"] = self
            _SET_ENVIRON(self, environ)
        return self._environ

    def copy(self) -> bottle.BaseRequest:
        return bottle.BaseRequest(self.environ.copy())


_SET_SCOPE, _SET_CONTENT, _SET_ENVIRON = Request._scope.__set__, Request._content.__set__, Request._environ.__set__


def _environ(scope: dict, content: bytes) -> dict:
    # WSGI has paths as bytes in latin-1.
    path = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    server = scope.get("server") or ("localhost", 80)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": "HTTP/" + scope["http_version"],
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(content),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = scope["client"][0], str(scope["client"][1])
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name == "CONTENT_TYPE":
            environ[name] = value
        elif name not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):  # the body was read: it has its length
            name = "HTTP_" + name
            separator = "; " if name == "HTTP_COOKIE" else ","
            environ[name] = f"{environ[name]}{separator}{value}" if name in environ else value
    return environ


def bind_bottle(body_limit: int) -> None:
    """Has bottle.request and bottle.response be those of the running call, in threads and coroutines alike."""
    bottle.BaseRequest.MEMFILE_MAX = body_limit
    bottle.LocalRequest.environ = property(lambda _: _call().request.environ)
    for name in ("_status_line", "_status_code", "_cookies", "_headers", "body"):
        setattr(bottle.LocalResponse, name, _of_response(name))


def _of_response(name: str) -> property:
    return property(lambda _: getattr(_call().response, name), lambda _, value: setattr(_call().response, name, value))


def _call() -> Call:
    call = CALL.get()
    if call is None:
        raise RuntimeError("Request context not initialized.")
    return call
