"""Traces and logs."""

import json
import socket
import threading
import time
import unittest

from function_runtime.budget import Budget
from tests.running import Sink, serve, until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"


class OutgoingRequests(unittest.TestCase):
    def test_carry_the_trace_on_with_and_without_a_collector(self):
        collector = Sink(self)
        for endpoint in (collector.url, ""):
            target = Sink(self)
            server = serve(self, "caller", TARGET=target.url, TRACE_COLLECTOR_ENDPOINT=endpoint).healthy()
            for client in ("requests", "urllib3", "urllib"):
                with self.subTest(client=client, collector=bool(endpoint)):
                    server.get("/" + client, X_B3_Sampled="1")
                    sent = target.requests[-1][1]
                    self.assertRegex(sent["traceparent"], r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
                    self.assertRegex(sent["x-b3-traceid"], r"^[0-9a-f]{32}$")
                    self.assertRegex(sent["x-b3-spanid"], r"^[0-9a-f]{16}$")
                    self.assertEqual(sent["x-b3-sampled"], "1")

                    server.get("/" + client, traceparent=PARENT, baggage="k=v", tracestate="a=b")
                    sent = target.requests[-1][1]
                    self.assertEqual((sent["traceparent"].split("-")[1], sent["x-b3-traceid"]), (TRACE, TRACE))
                    self.assertEqual((sent["baggage"], sent["tracestate"]), ("k=v", "a=b"))

                    server.get("/" + client, x_b3_traceid=TRACE, x_b3_spanid=CALLER, x_b3_sampled="1")
                    self.assertEqual(target.requests[-1][1]["traceparent"].split("-")[1], TRACE)
                    server.get("/" + client, b3=f"{TRACE}-{CALLER}-0")
                    self.assertEqual(target.requests[-1][1]["traceparent"].split("-")[1::2], [TRACE, "00"])
                    server.get("/" + client, traceparent=f"00-{TRACE}-{CALLER}-00")
                    self.assertTrue(target.requests[-1][1]["traceparent"].endswith("-00"))
                    server.get("/" + client, traceparent="00-zz-1-01")
                    self.assertRegex(target.requests[-1][1]["traceparent"], r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
            server.get("/own-header")
            self.assertEqual(target.requests[-1][1]["traceparent"], "mine")


class Collector(unittest.TestCase):
    def spans(self, collector):
        for path, headers, body in list(collector.requests):
            self.assertEqual((path, headers["content-type"]), ("/sink", "application/json"))
            for resource in json.loads(body)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    yield from scope["spans"]

    def test_gets_the_spans_of_calls_and_of_nothing_else(self):
        target, collector = Sink(self), Sink(self)
        server = serve(self, "caller", TARGET=target.url, TRACE_COLLECTOR_ENDPOINT=collector.url,
                       FUNC_NAME="shop", SERVICE_NAMESPACE="prod").healthy()
        for path in ("/metrics", "/favicon.ico", "/healthz"):
            server.get(path)
        server.get("/requests", traceparent=PARENT)
        until(lambda: len(list(self.spans(collector))) >= 4, "4 spans")
        spans = {span["spanId"]: span for span in self.spans(collector)}
        self.assertEqual({span["traceId"] for span in spans.values()}, {TRACE})
        span = next(span for span in spans.values() if span["kind"] == 3)
        lineage = []
        while span:
            lineage.append((span["name"], span["kind"]))
            self.assertGreaterEqual(int(span["endTimeUnixNano"]), int(span["startTimeUnixNano"]))
            last, span = span, spans.get(span.get("parentSpanId"))
        self.assertEqual(lineage, [("GET", 3), ("own", 1), ("userFunction", 1), ("GET", 2)])
        self.assertEqual(last["parentSpanId"], CALLER)
        self.assertIn({"key": "http.response.status_code", "value": {"intValue": "200"}}, last["attributes"])
        self.assertNotIn("secret", json.dumps(list(spans.values())))
        resource = json.loads(collector.requests[0][2])["resourceSpans"][0]["resource"]
        self.assertEqual(resource["attributes"], [{"key": "service.name", "value": {"stringValue": "shop.prod"}}])

    def test_gets_errors_and_nothing_of_what_is_not_sampled(self):
        collector = Sink(self)
        server = serve(self, "caller", TRACE_COLLECTOR_ENDPOINT=collector.url).healthy()
        server.get("/x", traceparent=f"00-{'a' * 32}-{CALLER}-00")
        server.get("/raise", traceparent=PARENT)
        until(lambda: len(list(self.spans(collector))) >= 3, "3 spans")
        spans = {span["name"]: span for span in self.spans(collector)}
        self.assertEqual({span["traceId"] for span in spans.values()}, {TRACE})
        self.assertEqual(spans["userFunction"]["status"]["code"], 2)
        self.assertEqual(spans["userFunction"]["events"][0]["name"], "exception")
        self.assertEqual(spans["GET"]["status"]["code"], 2)

    def test_gets_a_thousand_calls_a_second_and_the_others_pass_their_trace_on(self):
        collector, calls = Sink(self), 6000
        server = serve(self, "spans", TRACE_COLLECTOR_ENDPOINT=collector.url).healthy()
        began = time.monotonic()
        answers = pipelined(server.port, f"GET / HTTP/1.1\r\nHost: f\r\ntraceparent: {PARENT}\r\n\r\n", calls)
        seconds = time.monotonic() - began
        server.terminate()
        self.assertEqual(server.exit_code(), 0)
        recorded = {span["spanId"] for span in self.spans(collector) if span["name"] == "userFunction"}
        self.assertGreater(len(recorded), 0)
        self.assertLessEqual(len(recorded), 1000 * (int(seconds) + 2))
        self.assertEqual(answers.count(TRACE), calls)
        # What the collector doesn't get continues the caller's span.
        unrecorded = answers.count(f"00-{TRACE}-{CALLER}-01")
        self.assertGreater(unrecorded, 0)
        self.assertLessEqual(calls - unrecorded, 1000 * (int(seconds) + 2))

    def test_gets_the_last_spans_before_the_end(self):
        collector = Sink(self)
        server = serve(self, "answers", TRACE_COLLECTOR_ENDPOINT=collector.url).healthy()
        server.get("/str")
        server.terminate()
        self.assertEqual(server.exit_code(), 0)
        self.assertIn("userFunction", [span["name"] for span in self.spans(collector)])

    def test_that_is_down_costs_nothing_but_a_line_in_the_log(self):
        server = serve(self, "answers", TRACE_COLLECTOR_ENDPOINT="http://127.0.0.1:9/v1/traces").healthy()
        began = time.monotonic()
        for _ in range(50):
            self.assertEqual(server.get("/str").status, 200)
        self.assertLess(time.monotonic() - began, 5)
        until(lambda: "spans are lost, send them to 127.0.0.1:9" in server.output(), "the line")


def pipelined(port, request, count):
    """What the server answers to so many requests at once over one connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        requests = request * (count - 1) + request.replace("Host:", "Connection: close\r\nHost:")
        threading.Thread(target=connection.sendall, args=(requests.encode(),)).start()
        answers = b""
        while part := connection.recv(1 << 20):
            answers += part
    return answers.decode()


class RecordingBudget(unittest.TestCase):
    def test_grants_so_many_a_second(self):
        now = [5.0]
        budget = Budget(2, lambda: now[0])
        self.assertEqual([budget.take() for _ in range(3)], [True, True, False])
        now[0] = 5.999
        self.assertFalse(budget.take())
        now[0] = 6.0
        self.assertEqual([budget.take() for _ in range(3)], [True, True, False])
        now[0] = 60.0
        self.assertEqual([budget.take() for _ in range(3)], [True, True, False])


class Logs(unittest.TestCase):
    def test_are_json_lines_with_the_trace_if_asked_for(self):
        server = serve(self, "caller", FUNC_LOG_FORMAT="json").healthy()
        server.get("/print", traceparent=PARENT)
        server.get("/raise", traceparent=PARENT)
        until(lambda: "for the trace" in server.output(), "the error")
        lines = [json.loads(line) for line in server.output().splitlines()]
        printed = next(line for line in lines if line["message"] == "printed")
        self.assertEqual((printed["level"], printed["trace_id"]), ("info", TRACE))
        # The keys of the Node.js runtime, in its order.
        self.assertEqual(list(printed), ["time", "level", "message", "trace_id", "span_id"])
        self.assertEqual(printed["span_id"], CALLER)
        self.assertRegex(printed["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(next(line for line in lines if line["message"] == "logged")["trace_id"], TRACE)
        error = next(line for line in lines if "for the trace" in line["message"])
        self.assertEqual((error["level"], error["trace_id"]), ("error", TRACE))
        self.assertIn("Traceback", error["message"])

    def test_name_the_trace_of_an_error(self):
        server = serve(self, "caller").healthy()
        server.get("/raise", traceparent=PARENT)
        until(lambda: f"trace_id: {TRACE}" in server.output(), "the trace's id")
