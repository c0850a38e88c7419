"""CloudEvents in and out. The specification's examples are in it."""

import base64
import json
import re
import unittest

from tests.running import ServerCase, Sink, serve, until

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
BINARY = {"ce_type": "t", "ce_source": "s", "ce_id": "1", "ce_specversion": "1.0", "ce_eventtypeversion": "v1"}
SEEN = {"ce-type": "t", "ce-source": "s", "ce-id": "1", "ce-specversion": "1.0", "ce-eventtypeversion": "v1"}
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
# CloudEvents 1.0, JSON format, section 3.2, and HTTP binding, section 3.1.
EXAMPLE = {
    "specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext", "subject": None, "id": "C234-1234-1234",
    "time": "2018-04-05T17:31:00Z", "comexampleextension1": "value", "comexampleothervalue": 5,
    "datacontenttype": "application/json", "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
}


class Incoming(ServerCase):
    module = "echo"

    def structured(self, event, content_type=STRUCTURED, path="/"):
        return self.server.post(path, json.dumps(event), content_type)

    def test_a_binary_event(self):
        echo = self.server.post("/", '{"a": 1}', "application/json", ce_time="2020-01-01T00:00:00Z", ce_subject="gr%C3%BC%20n", **BINARY).json()
        self.assertEqual(echo["ce"], {**SEEN, "ce-time": "2020-01-01T00:00:00Z", "ce-subject": "grü n"})
        self.assertEqual(echo["data"], {"a": 1})

    def test_the_specifications_structured_event(self):
        for content_type in (STRUCTURED, STRUCTURED + "; charset=utf-8", "Application/CloudEvents+JSON"):
            echo = self.structured(EXAMPLE, content_type).json()
            self.assertEqual(echo["data"], EXAMPLE["data"])
            self.assertEqual(echo["ce"], {
                f"ce-{name}": value for name, value in EXAMPLE.items() if name not in ("data", "datacontenttype")})

    def test_data_of_a_structured_event(self):
        event = {"type": "t", "source": "s", "id": "1"}
        for more, kind, data in (
            ({"data": "text"}, "str", "text"),
            ({"data": None}, "NoneType", None),
            ({"data_base64": base64.b64encode(b"\x00\xff").decode()}, "bytes", "\x00\xff"),
            ({"datacontenttype": "application/xml", "data": "<a/>"}, "str", "<a/>"),
            ({"specversion": "0.3", "datacontenttype": "application/json", "data": '{"a": 1}'}, "dict", {"a": 1}),
        ):
            with self.subTest(more):
                echo = self.structured({**event, **more}).json()
                self.assertEqual((echo["type"], echo["data"]), (kind, data))
        self.assertNotIn("data", self.structured(event).json()["keys"])

    def test_time_and_version_are_there_always(self):
        seen = self.structured({"type": "t", "source": "s", "id": "1"}).json()["ce"]
        self.assertRegex(seen["ce-time"], TIME)
        self.assertEqual(seen["ce-specversion"], "1.0")

    def test_a_batch_is_a_call_for_each_event(self):
        events = [{"type": "t", "source": "s", "id": str(i), "data": data} for i, data in enumerate(("one", "two"))]
        self.assertEqual(self.structured(events, BATCH, "/seen").text, "one two")
        self.assertEqual(self.structured([], BATCH).status, 200)
        events.insert(0, {**events[0], "data": "bad"})
        failed = self.structured(events, BATCH, "/seen")
        self.assertEqual((failed.status, failed.text), (500, "Internal server error"))
        self.assertNotIn("two two", self.structured(events[1:2], BATCH, "/seen").text)

    def test_a_malformed_event_is_400_with_the_reason(self):
        event = {"type": "t", "source": "s", "id": "1"}
        for body, content_type, reason in (
            ("[1]", STRUCTURED, "has to be a JSON object"),
            ("{", STRUCTURED, "Invalid JSON"),
            (json.dumps({"type": "t", "source": "s"}), STRUCTURED, "id is missing or empty"),
            (json.dumps({**event, "source": ""}), STRUCTURED, "source is missing or empty"),
            (json.dumps({**event, "type": 5}), STRUCTURED, "type has to be a string"),
            (json.dumps({**event, "specversion": "2.0"}), STRUCTURED, 'specversion "2.0" is not supported'),
            (json.dumps({**event, "time": "yesterday"}), STRUCTURED, 'time "yesterday" is not as'),
            (json.dumps({**event, "data_base64": "?"}), STRUCTURED, "data_base64"),
            (json.dumps({**event, "data": 1, "data_base64": ""}), STRUCTURED, "both data and data_base64"),
            ("{}", BATCH, "has to be a JSON array"),
            (json.dumps([event, {}]), BATCH, "in event 2 of the batch"),
            ("x", "application/cloudevents+avro", "is not supported"),
        ):
            with self.subTest(reason):
                response = self.server.post("/", body, content_type)
                self.assertEqual(response.status, 400)
                self.assertIn(reason, response.text)
        missing = self.server.post("/", "x", "text/plain", ce_type="t", ce_source="s")
        self.assertEqual(missing.status, 400)
        self.assertIn("id is missing", missing.text)
        self.assertEqual(self.server.post("/", "{", "application/json", **BINARY).status, 400)

    def test_an_answer_speaks_as_the_event_it_answers(self):
        built = self.server.post("/", "x", "text/plain", **BINARY).json()["built"]
        self.assertEqual(built, {"type": "ty", "id": "id1", "data": {"x": 1}, "datacontenttype": "application/json",
                                 "source": "s", "eventtypeversion": "v1", "specversion": "1.0"})
        plain = self.server.get("/").json()["built"]
        self.assertEqual(plain, {"type": "ty", "id": "id1", "data": {"x": 1}, "datacontenttype": "application/json"})


class Outgoing(ServerCase):
    module = "emitter"

    @classmethod
    def setUpClass(cls):
        cls.publisher = Sink(cls)
        cls.env = {"PUBLISHER_PROXY_ADDRESS": cls.publisher.url}
        super().setUpClass()

    def sent(self):
        return json.loads(self.publisher.requests[-1][2])

    def test_an_object_is_a_structured_event_with_its_attributes(self):
        self.assertEqual(self.server.get("/object").json(), {"status": 200})
        event = self.sent()
        self.assertEqual(self.publisher.requests[-1][1]["content-type"], "application/cloudevents+json; charset=utf-8")
        self.assertRegex(event.pop("id"), UUID)
        self.assertRegex(event.pop("time"), TIME)
        self.assertEqual(event, {"type": "order.created", "source": "shop", "specversion": "1.0", "datacontenttype": "application/json",
                                 "data": {"id": 5}, "eventtypeversion": "v1"})

    def test_text_and_bytes(self):
        self.server.get("/string")
        self.assertEqual((self.sent()["datacontenttype"], self.sent()["data"]), ("text/plain", "hi"))
        self.server.get("/bytes")
        self.assertEqual((self.sent()["datacontenttype"], self.sent()["data_base64"]), ("application/octet-stream", "AA=="))

    def test_the_old_way_works_and_is_said_to_be_old(self):
        self.server.get("/publish")
        self.assertEqual(self.sent(), {"type": "old"})
        until(lambda: '"publishCloudEvent" is deprecated' in self.server.output(), "the warning")

    def test_the_trace_goes_along(self):
        self.server.get("/object", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        self.assertTrue(self.publisher.requests[-1][1]["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-"))

    def test_what_is_no_event_fails(self):
        for path, reason in (("/no-type", "emitCloudEvent: type has to be a string"), ("/bad-attribute", "attribute 'Event-Type'")):
            self.assertEqual(self.server.get(path).status, 500)
            until(lambda: reason in self.server.output(), reason)


class Publishers(unittest.TestCase):
    def test_one_that_breaks_a_connection_is_tried_once_more(self):
        publisher = Sink(self, refuse=1)
        server = serve(self, "emitter", PUBLISHER_PROXY_ADDRESS=publisher.url).healthy()
        self.assertEqual(server.get("/object").status, 200)
        self.assertEqual(len(publisher.requests), 1)

    def test_one_that_breaks_all_is_an_error(self):
        publisher = Sink(self, refuse=2)
        server = serve(self, "emitter", PUBLISHER_PROXY_ADDRESS=publisher.url).healthy()
        self.assertEqual(server.get("/object").status, 500)

    def test_none_is_an_error_that_says_so(self):
        server = serve(self, "emitter").healthy()
        self.assertEqual(server.get("/object").status, 500)
        until(lambda: "PUBLISHER_PROXY_ADDRESS is not set" in server.output(), "the reason")

    def test_a_coroutine_awaits_it(self):
        publisher = Sink(self, status=204)
        server = serve(self, "coroutines", PUBLISHER_PROXY_ADDRESS=publisher.url).healthy()
        self.assertEqual(server.get("/emit").text, "204")
        self.assertEqual(json.loads(publisher.requests[0][2])["data"], {"a": 1})
