"""What a handler sees of the request."""

from tests.running import ServerCase, serve


class Bodies(ServerCase):
    module = "echo"

    def test_data_is_what_the_type_says(self):
        for content_type, sent, kind, data in (
            ("application/json", '{"a": [1]}', "dict", {"a": [1]}),
            ("application/json", "5", "int", 5),
            ("application/json", "", "NoneType", None),
            ("application/json; charset=utf-8", '"s"', "str", "s"),
            ("Application/JSON;charset=UTF-8; v=1", "[]", "list", []),
            ("text/plain", "hi", "str", "hi"),
            ("text/plain; charset=latin-1", "gr\xfc".encode("latin-1"), "str", "grü"),
            ("application/x-www-form-urlencoded", "a=1&b=2&b=3&c=", "dict", {"a": "1", "b": ["2", "3"], "c": ""}),
            ("application/octet-stream", b"\x00\xff", "bytes", "\x00\xff"),
            ("application/xml", "<a/>", "bytes", "<a/>"),
            (None, "raw", "bytes", "raw"),
        ):
            with self.subTest(content_type=content_type, sent=sent):
                echo = self.server.post("/", sent, content_type).json()
                self.assertEqual((echo["type"], echo["data"], echo["keys"]), (kind, data, ["data", "extensions"]))

    def test_a_plain_get_has_no_data(self):
        self.assertEqual(self.server.get("/").json()["keys"], ["extensions"])
        self.assertEqual(self.server.get("/required").status, 500)

    def test_a_body_in_chunks_is_one(self):
        echo = self.server.post("/request", iter([b"ab", b"c" * 200_000, b"d"]), "text/plain").json()
        self.assertEqual(len(echo["data"]), 200_003)
        self.assertEqual(echo["request"]["body"], echo["data"])

    def test_what_cannot_be_read_is_400_with_a_reason_and_no_stack(self):
        for content_type, sent, reason in (
            ("application/json", '{"a":', "Invalid JSON in the request's body: Expecting value"),
            ("application/json", "[" * 100_000, "Invalid JSON"),
            ("text/plain", b"\xff", "Invalid text in the request's body: 'utf-8' codec"),
            ("text/plain; charset=klingon", "x", "unknown encoding: klingon"),
        ):
            with self.subTest(content_type=content_type, sent=sent[:20]):
                response = self.server.post("/", sent, content_type)
                self.assertEqual(response.status, 400)
                self.assertIn(reason, response.text)
                self.assertNotIn("Traceback", response.text)

    def test_the_request_is_bottles(self):
        echo = self.server.request("PUT", "/request/a%20b?q=1&r=%C3%BC", b'{"a": 1}', {
            "Content-Type": "application/json", "X-Own": "yes", "Cookie": "c=5", "Host": "shop.example"}).json()["request"]
        del echo["forms"]  # Bottle takes any body for a form
        self.assertEqual(echo, {
            "method": "PUT", "path": "/request/a b", "query": {"q": "1", "r": "ü"}, "body": '{"a": 1}', "header": "yes", "cookie": "5",
            "url": "http://shop.example/request/a%20b?q=1&r=%C3%BC", "files": {}, "remote": "127.0.0.1", "json": {"a": 1}, "length": 8})

    def test_a_multipart_body_is_read_by_bottle(self):
        body = ('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
                '--b\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n\r\nfile\r\n--b--\r\n')
        echo = self.server.post("/request", body, "multipart/form-data; boundary=b").json()
        self.assertEqual((echo["keys"], echo["request"]["forms"], echo["request"]["files"]), (["extensions"], {"a": "1"}, {"f": "file"}))

    def test_a_larger_body_than_allowed_is_413_of_any_type(self):
        server = serve(self, "echo", FUNC_MEMFILE_MAX="1000").healthy()
        for content_type, body in (("application/json", b"1" * 1001), ("text/plain", b"x" * 1001), ("text/plain", iter([b"x" * 600] * 2))):
            response = server.post("/", body, content_type)
            self.assertEqual(response.status, 413)
            self.assertIn("larger than 1000 bytes", response.text)
        self.assertEqual(server.post("/", b"x" * 1000, "text/plain").status, 200)
