"""How the server begins, endures and ends."""

import http.client
import socket
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from tests.running import serve, until


class Loading(unittest.TestCase):
    def test_source_that_cannot_be_loaded_ends_the_server_and_says_why(self):
        for module, reason, in_log in (
            ("syntax", "syntax.py:3: SyntaxError: ", "SyntaxError"),
            ("missing", "missing.py:2: ModuleNotFoundError: No module named 'not_installed'", "Traceback"),
            ("raises", "raises.py:2: RuntimeError: cannot log in as $DB_PASSWORD", "cannot log in as hunter2222"),
            ("absent", "absent.py: ModuleNotFoundError: No module named 'absent'", "Traceback"),
            ("nomain", "nomain.py: AttributeError: module nomain has no function main; define it", "Traceback"),
            ("exits", "exits.py:2: SystemExit: 0", "SystemExit"),
        ):
            with self.subTest(module):
                server = serve(self, module, DB_PASSWORD="hunter2222")
                self.assertEqual(server.exit_code(), 1)
                message = server.termination_log.read_text()
                self.assertTrue(message.startswith(reason), message)
                self.assertLessEqual(len(message.encode()), 1024)
                self.assertIn(in_log, server.output())

    def test_settings_that_are_missing_have_their_own_exit_codes(self):
        for env, code, text in (
            ({"MOD_NAME": None}, 1, "MOD_NAME have to be provided"),
            ({"MOD_NAME": "kubeless"}, 2, "MOD_NAME cannot be kubeless"),
            ({"FUNC_HANDLER": None}, 3, "FUNC_HANDLER have to be provided"),
        ):
            server = serve(self, "nomain", **env)
            self.assertEqual(server.exit_code(), code)
            self.assertIn(text, server.output())

    def test_another_handler_and_a_limit_that_is_no_number(self):
        server = serve(self, "nomain", FUNC_HANDLER="notMain", FUNC_TIMEOUT="soon").healthy()
        self.assertEqual(server.get("/").text, "x")
        self.assertIn('FUNC_TIMEOUT: "soon" is not a number', server.output())

    def test_a_port_that_is_taken_is_named(self):
        first = serve(self, "answers").healthy()
        second = serve(self, "answers", FUNC_PORT=str(first.port))
        self.assertEqual(second.exit_code(), 1)
        self.assertIn(f"listen on port {first.port} (FUNC_PORT)", second.output())


class Threads(unittest.TestCase):
    def test_that_hang_starve_neither_others_nor_the_health_check(self):
        server = serve(self, "blocker", CHERRYPY_NUMTHREADS="4", FUNC_TIMEOUT="1").healthy()
        with ThreadPoolExecutor(20) as pool:
            blocked = list(pool.map(lambda _: server.get("/block").status, range(20)))
        self.assertEqual(blocked, [408] * 20)
        began = time.monotonic()
        self.assertEqual(server.get("/").text, "quick")
        self.assertLess(time.monotonic() - began, 0.5)

    def test_all_busy_leave_the_health_check_quick(self):
        server = serve(self, "blocker", CHERRYPY_NUMTHREADS="2").healthy()
        for _ in range(5):
            threading.Thread(target=lambda: _ignore(lambda: server.get("/block")), daemon=True).start()
        for _ in range(20):
            began = time.monotonic()
            self.assertEqual(server.get("/healthz").status, 200)
            self.assertLess(time.monotonic() - began, 1)

    def test_run_blocking_handlers_side_by_side(self):
        server = serve(self, "answers").healthy()
        began = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            self.assertEqual(set(pool.map(lambda _: server.get("/slow").text, range(20))), {"slow answer"})
        self.assertLess(time.monotonic() - began, 2.5)


class Ending(unittest.TestCase):
    def test_an_idle_server_ends_at_once_without_a_drain_time(self):
        server = serve(self, "answers").healthy()
        server.terminate()
        self.assertEqual(server.exit_code(3), 0)
        self.assertIn("Shutting down..", server.output())

    def test_a_call_that_began_before_is_answered_and_its_connection_closed(self):
        for module in ("answers", "coroutines"):
            server = serve(self, module).healthy()
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.request("GET", "/slow")
            server.get("/metrics")  # connections are accepted in order
            server.terminate()
            response = connection.getresponse()
            self.assertEqual((response.read(), response.headers["connection"]), (b"slow answer", "close"))
            connection.close()
            self.assertEqual(server.exit_code(), 0)

    def test_no_call_fails_while_the_cluster_still_routes_to_a_server_that_drains(self):
        server = serve(self, "answers", FUNC_DRAIN_SECONDS="1").healthy()
        server.terminate()
        until(lambda: "Shutting down.." in server.output(), "the drain to begin")
        routed_until, calls = time.monotonic() + 0.5, 0
        while time.monotonic() < routed_until:
            response = server.get("/str")
            self.assertEqual((response.text, response.headers["connection"]), ("hello", "close"))
            calls += 1
        self.assertGreater(calls, 10)
        self.assertEqual(server.exit_code(), 0)


class Callers(unittest.TestCase):
    def test_that_speak_no_http_or_leave_disturb_nobody(self):
        server = serve(self, "echo").healthy()
        for text in (b"\x16\x03\x01nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                connection.recv(1000)
        self.assertEqual(server.get("/").status, 200)
        self.assertNotIn("Traceback", server.output())

    def test_responses_of_5_mb_leave_no_memory_behind(self):
        server = serve(self, "memory").healthy()
        connection = http.client.HTTPConnection("127.0.0.1", server.port)

        def call(times):
            for _ in range(times):
                connection.request("GET", "/")
                self.assertEqual(len(connection.getresponse().read()), 5_000_000)
            return int(server.get("/rss").text)

        call(50)
        before = call(50)
        after = call(300)
        connection.close()
        self.assertLess(after - before, 20 << 20)


def _ignore(work):
    try:
        work()
    except OSError:
        pass
