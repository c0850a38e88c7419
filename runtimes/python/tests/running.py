"""Starts the real server as a process, and things that it speaks to."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
# SERVER=dev.py runs the same tests on what developers run.
SERVER = os.environ.get("SERVER", "server.py")


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def type(self) -> str | None:
        return self.headers["content-type"]

    def json(self):
        return json.loads(self.body)


class Server:
    def __init__(self, module: str, **env: str | None):
        self.port = free_port()
        self.directory = tempfile.TemporaryDirectory()
        self.termination_log = Path(self.directory.name) / "termination-log"
        self.output_file = open(Path(self.directory.name) / "output", "w+")
        arguments = [str(ROOT / SERVER)]
        if SERVER == "dev.py":
            arguments += [str(FIXTURES), "--module", module, "--port", str(self.port)]
        settings = {
            "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(FIXTURES), "FUNC_PORT": str(self.port),
            "KUBELESS_INSTALL_VOLUME": str(FIXTURES), "MOD_NAME": module, "FUNC_HANDLER": "main",
            "TERMINATION_MESSAGE_PATH": str(self.termination_log), "FUNC_DRAIN_SECONDS": "0", **env,
        }
        self.process = subprocess.Popen(
            [sys.executable, *arguments], stdout=self.output_file, stderr=subprocess.STDOUT,
            env={name: value for name, value in settings.items() if value is not None}, cwd=self.directory.name)

    def healthy(self) -> "Server":
        def up() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.output()}")
            try:
                return self.get("/healthz").status == 200
            except OSError:
                return False
        until(up, lambda: f"a healthy server; it said:\n{self.output()}")
        return self

    def output(self) -> str:
        return Path(self.output_file.name).read_text()

    def request(self, method: str, path: str, body=None, headers=None) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Response:
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, body, content_type: str | None = None, **headers: str) -> Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type is not None:
            sent["Content-Type"] = content_type
        return self.request("POST", path, body, sent)

    def exit_code(self, seconds: float = 20) -> int:
        return self.process.wait(seconds)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process.poll() is None:
            # dev.py ends the server that it started, if it is asked to.
            self.process.terminate() if SERVER == "dev.py" else self.process.kill()
        self.process.wait()
        self.output_file.close()
        self.directory.cleanup()


class ServerCase(unittest.TestCase):
    """Tests on one server, of the fixture `module` with `env`."""

    module = "answers"
    env: dict[str, str] = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.module, **cls.env)
        cls.addClassCleanup(cls.server.stop)
        cls.server.healthy()


def serve(test: unittest.TestCase, module: str, **env: str | None) -> Server:
    server = Server(module, **env)
    test.addCleanup(server.stop)
    return server


class Sink:
    """An HTTP server that keeps what it was sent."""

    def __init__(self, test, status: int = 200, refuse: int = 0):
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        refused = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if len(refused) < refuse:
                    refused.append(body)
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                sink.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/sink"
        add = test.addClassCleanup if isinstance(test, type) else test.addCleanup
        add(self._server.server_close)
        add(self._server.shutdown)


def until(condition: Callable[[], bool], what: str | Callable[[], str], seconds: float = 15):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}")
        time.sleep(0.01)
    return value


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
