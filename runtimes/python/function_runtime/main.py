"""Puts the server together and runs it until it is told to stop."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping

import uvicorn
import uvloop

from .app import App
from .call import bind_bottle
from .export import Exporter
from .load import load_handler, report_load_failure
from .logs import set_up_logs
from .metrics import Metrics
from .outgoing import trace_outgoing
from .settings import Settings, SettingsError, read_settings
from .tracing import Tracer

SPAN_FLUSH_SECONDS = 2
# Longer than the idle time of the proxies in front: the side that may send must not find it closed.
KEEP_ALIVE_SECONDS = 95


def main(env: Mapping[str, str]) -> int:
    try:
        settings = read_settings(env)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return error.code
    set_up_logs(settings.log_format)
    bind_bottle(settings.body_limit)
    exporter = None
    if settings.collector:
        try:
            service = ".".join(filter(None, (settings.function_name, settings.namespace)))
            exporter = Exporter(settings.collector, service)
        except ValueError as error:
            print(f"{error}; nothing is recorded", file=sys.stderr)
    tracer = Tracer(exporter.add if exporter else None)
    trace_outgoing(tracer)
    metrics = Metrics()
    try:
        # In the main thread and before anything listens: modules may expect the one, /healthz the other.
        handler = load_handler(settings.directory, settings.module, settings.handler)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        # Never healthy: the pod crash-loops and the former revision keeps serving.
        report_load_failure(error, settings.directory, settings.module, settings.termination_log, env)
        return 1
    code = uvloop.run(serve(settings, handler, tracer, metrics))
    if exporter:
        exporter.stop(SPAN_FLUSH_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of handlers that hang must not hold the end up.
    os._exit(code)


async def serve(settings: Settings, handler: Callable, tracer: Tracer, metrics: Metrics) -> int:
    try:
        listener = socket.create_server(("", settings.port), backlog=2048, reuse_port=False)
    except OSError as error:
        print(f"listen on port {settings.port} (FUNC_PORT): {error.strerror}", file=sys.stderr)
        return 1
    app = App(settings, handler, tracer, metrics)
    # What is loaded stays: no collection has to walk over it again.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(
        app, http="httptools", ws="none", proxy_headers=False, lifespan="off", interface="asgi3", loop="none", access_log=False,
        log_config=None, server_header=False, timeout_keep_alive=KEEP_ALIVE_SECONDS)
    await Server(config, app, settings.drain).serve([listener])
    return 0


class Server(uvicorn.Server):
    """A pod gets SIGTERM while its address is still being removed from the cluster's proxies, so the server goes on
    accepting for the drain time: closing at once would refuse calls on every rollout.
    """

    def __init__(self, config: uvicorn.Config, app: App, drain: float):
        super().__init__(config)
        self._app, self._drain = app, drain
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: object) -> None:
        if self._app.closing:
            return
        self._app.closing = True
        print("Shutting down..")
        # Ctrl-C: nobody routes to a developer's machine.
        drain = self._drain if sig == signal.SIGTERM else 0
        self._loop.call_soon_threadsafe(self._loop.call_later, drain, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
