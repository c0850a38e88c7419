"""Table 6.7 of the contract: what a caller gets for what a handler returns."""

import unittest

from tests.running import ServerCase, serve, until

HTML = "text/html; charset=UTF-8"
JSON = "application/json"


class Answers(ServerCase):
    module = "answers"
    env = {"FUNC_NAME": "shop", "SERVICE_NAMESPACE": "prod", "FUNC_RUNTIME": "python313", "FUNC_TIMEOUT": "2"}

    def test_a_caller_gets_what_the_handler_returned(self):
        for path, status, body, content_type in (
            ("str", 200, "hello", HTML),
            ("unicode", 200, "grüße", HTML),
            ("dict", 200, '{"a": 1}', JSON),
            ("empty-dict", 200, "{}", JSON),
            ("list", 200, "ab", HTML),
            ("tuple", 200, "ab", HTML),
            ("bytes-list", 200, "ab", HTML),
            ("generator", 200, "ab", HTML),
            ("async-generator", 200, "xy", HTML),
            ("slow-generator", 200, "abcde", HTML),
            ("int", 500, "Internal server error", HTML),
            ("true", 500, "Internal server error", HTML),
            ("int-list", 500, "Internal server error", HTML),
            ("dict-list", 500, "Internal server error", HTML),
            ("zero", 200, "", HTML),
            ("none", 200, "", HTML),
            ("empty-list", 200, "", HTML),
            ("file", 200, "file" * 50_000, HTML),
            ("response", 201, "made", "text/plain"),
            ("dict-response", 201, '{"a": 1}', JSON),
            ("subclass", 418, "tea", HTML),
            ("raised-response", 403, "no", HTML),
            ("no-content", 204, "", None),
            ("raise", 500, "Internal server error", HTML),
            ("failing-generator", 500, "Internal server error", HTML),
            ("exit", 500, "Internal server error", HTML),
            ("stop-iteration", 500, "Internal server error", HTML),
            ("extension-response", 202, '{"a": 1}', JSON),
            ("global-response", 200, "<path>/global-response</path>", "text/xml"),
            ("requests-response", 200, "proxied", "image/png"),
            ("coroutine", 200, "later", HTML),
        ):
            with self.subTest(path):
                response = self.server.get("/" + path)
                self.assertEqual((response.status, response.text, response.type), (status, body, content_type))
                self.assertEqual(response.headers["access-control-allow-origin"], "*")

    def test_bytes_are_sent_as_they_are(self):
        self.assertEqual(self.server.get("/bytes").body, b"\x00\xff")

    def test_a_string_has_a_length_and_a_generator_is_chunked(self):
        self.assertEqual(self.server.get("/str").headers["content-length"], "5")
        self.assertEqual(self.server.get("/generator").headers["transfer-encoding"], "chunked")

    def test_headers_and_cookies_are_the_handlers(self):
        self.assertEqual(self.server.get("/response").headers["x-own"], "yes")
        self.assertEqual(self.server.get("/extension-response").headers["x-own"], "yes")
        self.assertEqual(self.server.get("/global-response").headers["set-cookie"], "c=1")
        self.assertEqual(self.server.get("/own-origin").headers["access-control-allow-origin"], "https://a.example")

    def test_an_http_error_is_bottles_page(self):
        for path, status, text in (("http-error", 418, "I am &lt;b&gt;a&lt;/b&gt; teapot"),
                                   ("raised-error", 404, "nothing here"), ("abort", 401, "who are you")):
            with self.subTest(path):
                response = self.server.get("/" + path)
                self.assertEqual((response.status, response.type), (status, HTML))
                self.assertIn(text, response.text)
                self.assertIn("<title>Error: ", response.text)

    def test_a_redirect_leads_somewhere(self):
        response = self.server.get("/redirect", Host="shop.example")
        self.assertEqual((response.status, response.headers["location"]), (303, "http://shop.example/str"))

    def test_a_slower_handler_is_answered_for_with_408(self):
        response = self.server.get("/sleep")
        self.assertEqual((response.status, response.type), (408, HTML))
        self.assertIn("Timeout while processing the function", response.text)

    def test_a_stream_that_breaks_off_is_not_taken_for_complete(self):
        with self.assertRaises(Exception) as raised:
            self.server.get("/breaking-generator")
        self.assertIn("IncompleteRead", type(raised.exception).__name__)
        self.assertEqual(self.server.get("/str").status, 200)

    def test_every_method_reaches_the_handler(self):
        for method in ("POST", "PUT", "PATCH", "DELETE", "GET"):
            self.assertEqual(self.server.request(method, "/str").text, "hello", method)
        head = self.server.request("HEAD", "/str")
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (200, b"", "5"))

    def test_a_preflight_is_answered_without_the_handler(self):
        response = self.server.request("OPTIONS", "/raise", headers={
            "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-a, x-b"})
        self.assertEqual((response.status, response.body), (200, b""))
        self.assertEqual(response.headers["access-control-allow-methods"], "PUT")
        self.assertEqual(response.headers["access-control-allow-headers"], "x-a, x-b")
        plain = self.server.request("OPTIONS", "/raise")
        self.assertEqual((plain.status, plain.headers["access-control-allow-methods"]), (200, None))

    def test_the_servers_own_paths(self):
        health = self.server.get("/healthz")
        self.assertEqual((health.status, health.text, health.type), (200, "OK", HTML))
        self.assertIsNone(health.headers["access-control-allow-origin"])
        self.assertEqual(self.server.get("/favicon.ico").status, 204)
        self.assertIn("text/plain", self.server.get("/metrics").type)

    def test_the_context_is_that_of_the_function(self):
        expected = {"function-name": "shop", "namespace": "prod", "timeout": 2.0, "runtime": "python313", "memory-limit": None}
        self.assertEqual(self.server.get("/context").json(), expected)
        self.server.get("/spoil-context")
        self.assertEqual(self.server.get("/context").json(), expected)

    def test_an_error_is_in_the_log_and_not_in_the_answer(self):
        self.server.get("/raise")
        until(lambda: "ValueError: secret detail" in self.server.output() and "Traceback" in self.server.output(), "the stack")
        self.assertNotIn("secret", self.server.get("/raise").text)

    def test_what_cannot_be_sent_is_said_in_the_log(self):
        self.server.get("/int")
        until(lambda: "the handler returned int, which can't be sent; return str, bytes" in self.server.output(), "the reason")

    def test_what_is_printed_is_in_the_log_at_once(self):
        self.server.get("/print")
        until(lambda: "printed by the handler\n" in self.server.output(), "what was printed", 1)

    def test_requests_are_not_logged_unless_it_is_asked_for(self):
        self.server.get("/str")
        self.assertNotIn('"GET /str', self.server.output())
        logging = serve(self, "answers", KYMA_INTERNAL_LOGGER_ENABLED="true").healthy()
        logging.get("/str")
        until(lambda: '127.0.0.1 "GET /str HTTP/1.1" 200' in logging.output(), "the request")


class Coroutines(ServerCase):
    module = "coroutines"
    env = {"FUNC_TIMEOUT": "1"}

    def test_an_async_handler_answers(self):
        for path, status, body in (
            ("/", 200, '{"async": true}'),
            ("/response", 201, "made"),
            ("/raise", 500, "Internal server error"),
            ("/generator", 200, "ab"),
            ("/list", 200, "True!"),
            ("/global?q=5", 202, "5"),
            ("/cancel", 500, "Internal server error"),
        ):
            with self.subTest(path):
                response = self.server.get(path)
                self.assertEqual((response.status, response.text), (status, body))

    def test_a_slower_one_is_answered_for_with_408(self):
        response = self.server.get("/sleep")
        self.assertEqual(response.status, 408)
        self.assertIn("Timeout while processing the function", response.text)
        self.assertEqual(self.server.get("/").status, 200)


class Metrics(unittest.TestCase):
    def test_calls_failures_and_durations_are_counted(self):
        server = serve(self, "answers").healthy()
        for path in ("/str", "/dict", "/raise", "/raised-response"):
            server.get(path)
        server.post("/str", "")
        text = server.get("/metrics").text
        for line in (
            'function_calls_total{method="GET"} 4.0', 'function_calls_total{method="POST"} 1.0',
            'function_failures_total{method="GET"} 1.0',  # a response that was raised is no failure
            'function_duration_seconds_count{method="GET"} 4.0', 'function_duration_seconds_bucket{le="+Inf",method="POST"} 1.0',
            'http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="403",url_scheme="http"} 1.0',
            "process_resident_memory_bytes ", "python_info{",
        ):
            self.assertIn(line, text)

    def test_the_handlers_own_are_there(self):
        server = serve(self, "custom_metrics").healthy()
        server.get("/")
        self.assertIn("orders_total 1.0", server.get("/metrics").text)
