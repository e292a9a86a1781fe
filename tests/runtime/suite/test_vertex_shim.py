"""The server of a Vertex AI container, by itself; tests/providers/gcp/toolkits holds it against Google's own."""

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from driving import clean_environment, eventually

from cloudml.runtime import adapters
from cloudml.runtime.shims import vertex

PREDICTOR = """
import json
from offset import OFFSET

class Predictor:
    def __init__(self, model):
        self.mean = json.loads((model / "model.json").read_text())["mean"]

    def predict(self, instances, parameters):
        if parameters.get("fail"):
            raise OSError("the disk is gone")
        return [(row["x"] - self.mean + OFFSET) * parameters.get("times", 1) for row in instances]
"""
NAMED = {
    "AIP_HEALTH_ROUTE": "/v1/endpoints/7/deployedModels/9",
    "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/9:predict",
}
HOME = "gs://bucket/cloudml/flights"
CAPTURED = HOME + "/captured"
JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
ROWS = b'{"instances": [{"x": 3}, {"x": 4}]}'


def laid_out(folder):
    """A model's folder, as the provider lays it out."""
    files = {
        "model.json": '{"mean": 2.5}',
        "code/source/predict.py": PREDICTOR,
        "code/source/offset.py": "OFFSET = 0.5",
        "code/cloudml.json": '{"predictor": "predict.py:Predictor", "source": "source"}',
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def ask(port, method, path, body=None, headers=()):
    """Status, content type and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()


@contextlib.contextmanager
def running(handler):
    """A server in this process; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Answering(unittest.TestCase):
    """The handler of requests, in this process."""

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.serving = vertex.Serving()
        cls.cleaning = contextlib.ExitStack()
        cls.cleaning.enter_context(holder)
        cls.serving.model = adapters.load(laid_out(Path(holder.name)))
        with mock.patch.dict(os.environ, {"AIP_HEALTH_ROUTE": "", "AIP_PREDICT_ROUTE": ""}):
            cls.port = cls.cleaning.enter_context(running(vertex.handler(cls.serving)))

    @classmethod
    def tearDownClass(cls):
        cls.cleaning.close()

    def predict(self, body, kind=JSON, **headers):
        return ask(self.port, "POST", "/predict", body, {"Content-Type": kind, **headers})

    def refused(self, status, body, kind=JSON, **headers):
        """The error in an answer with that status."""
        found, written, answered = self.predict(body, kind, **headers)
        self.assertEqual((found, written), (status, JSON))
        return json.loads(answered)["error"]

    def test_instances_are_answered_and_parameters_reach_the_predictor(self):
        self.assertEqual(self.predict(ROWS), (200, JSON, b'{"predictions":[1.0,2.0]}'))
        asked = b'{"instances": [{"x": 3}], "parameters": {"times": 10}}'
        self.assertEqual(self.predict(asked), (200, JSON, b'{"predictions":[10.0]}'))

    def test_a_request_for_nothing_is_answered(self):
        self.assertEqual(self.predict(b'{"instances": []}')[2], b'{"predictions":[]}')

    def test_what_is_wanted_is_read_from_the_content_type_before_accept(self):
        self.assertEqual(self.predict(b"x\n3\n", "text/csv; accept=application%2Fjsonlines"), (200, LINES, b"1.0\n"))
        self.assertEqual(self.predict(b"x\n3\n", CSV, Accept=LINES), (200, LINES, b"1.0\n"))
        said = "text/csv; accept=application%2Fjson"
        self.assertEqual(self.predict(b"x\n3\n", said, Accept=LINES)[1], JSON)

    def test_a_body_may_come_in_chunks_and_the_connection_goes_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.addCleanup(connection.close)
        for _ in range(2):
            connection.request(
                "POST", "/predict", iter([ROWS[:9], ROWS[9:]]), {"Content-Type": JSON}, encode_chunked=True
            )
            self.assertEqual(connection.getresponse().read(), b'{"predictions":[1.0,2.0]}')

    def test_a_row_at_fault_is_named(self):
        error = self.refused(400, b'{"instances": [{"x": 1}, {"y": 1}]}')
        self.assertEqual((error["code"], error["row"], error["field"]), ("bad_request", 1, "x"))
        self.assertTrue(error["request_id"])

    def test_a_body_that_cannot_be_read_is_the_callers_fault(self):
        self.assertIn("not JSON", self.refused(400, b"{")["message"])
        self.assertIn("expected `instances`", self.refused(400, b'{"rows": []}')["message"])
        self.assertEqual(self.refused(415, b"<a/>", "text/xml")["code"], "unknown_content_type")
        self.assertEqual(self.refused(406, ROWS, Accept="image/png")["code"], "not_acceptable")

    def test_a_predictor_that_fails_is_not_and_the_reason_stays_in_the_log(self):
        with self.assertLogs("cloudml.serving") as logged:
            error = self.refused(500, b'{"instances": [{"x": 1}], "parameters": {"fail": true}}')
        self.assertNotIn("disk", json.dumps(error))
        self.assertIn("the disk is gone", "".join(logged.output))
        self.assertIn(error["request_id"], "".join(logged.output))

    def test_every_other_path_is_not_found(self):
        for method, path in (("GET", "/predict"), ("POST", "/health"), ("GET", "/"), ("POST", "/predict/")):
            status, _, body = ask(self.port, method, path, b"{}" if method == "POST" else None)
            self.assertEqual((status, json.loads(body)["error"]["code"]), (404, "not_found"))

    def test_health_is_told_with_a_query_or_without(self):
        for path in ("/health", "/health?probe=1"):
            self.assertEqual(ask(self.port, "GET", path), (200, JSON, b"{}"))

    def test_before_the_model_is_loaded_the_server_is_there_and_not_well(self):
        with running(vertex.handler(vertex.Serving())) as port:
            self.assertEqual(ask(port, "GET", "/health")[0], 503)
            status, _, body = ask(port, "POST", "/predict", ROWS, {"Content-Type": JSON})
            self.assertEqual((status, json.loads(body)["error"]["code"]), (503, "unavailable"))

    def test_the_routes_are_those_that_vertex_ai_names(self):
        with mock.patch.dict(os.environ, NAMED):
            handler = vertex.handler(self.serving)
        with running(handler) as port:
            self.assertEqual(ask(port, "GET", NAMED["AIP_HEALTH_ROUTE"])[0], 200)
            self.assertEqual(ask(port, "POST", NAMED["AIP_PREDICT_ROUTE"], ROWS)[2], b'{"predictions":[1.0,2.0]}')
            self.assertEqual(ask(port, "POST", "/predict", ROWS)[0], 404)


class Bucket:
    """Cloud Storage as far as a container asks it: an object is read, one is put."""

    def __init__(self, objects, denied=False):
        self.objects = objects
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if denied:
                    return self.send_error(403)
                return self.answer(bucket.objects.get(self.path.partition("/o/")[2].partition("?")[0]))

            def do_POST(self):
                name = self.path.rpartition("name=")[2]
                bucket.objects[name] = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(b"{}")

            def answer(self, content):
                self.send_response(404 if content is None else 200)
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass

        self.handler = Handler


def quoted(uri):
    return uri.replace("gs://bucket/", "").replace("/", "%2F")


class Container(unittest.TestCase):
    """The process, as the program in a container's command starts it."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def start(self, **environment):
        """The server in a process of its own, and the port that it was given."""
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "cloudml.runtime.shims.vertex", str(self.folder)]
        environment = {**clean_environment(), "AIP_HTTP_PORT": str(port), **NAMED, **environment}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process, port

    def well(self, port):
        with contextlib.suppress(OSError):
            return ask(port, "GET", NAMED["AIP_HEALTH_ROUTE"])[0] == 200
        return False

    def test_it_serves_where_vertex_ai_says_records_what_it_is_told_to_and_stops_when_asked(self):
        wish = HOME + "/endpoints/7/9.json"
        told = json.dumps({"capture": 1.0, "to": CAPTURED}).encode()
        bucket = Bucket({quoted(wish): told})
        with running(bucket.handler) as storage:
            laid_out(self.folder)
            process, port = self.start(
                STORAGE_EMULATOR_HOST="127.0.0.1:%d" % storage,
                CLOUDML_HOME=HOME,
                AIP_ENDPOINT_ID="7",
                AIP_DEPLOYED_MODEL_ID="9",
            )
            eventually(lambda: self.well(port), "the server is not well")
            for body in (ROWS, b'{"instances": []}', b'{"instances": [{}]}'):
                ask(port, "POST", NAMED["AIP_PREDICT_ROUTE"], body, {"Content-Type": JSON})
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 0)
            self.assertIn(b"serving a model of kind predictor from code/source/predict.py", process.stdout.read())
        ((name, written),) = [one for one in bucket.objects.items() if one[0] != quoted(wish)]
        self.assertTrue(name.startswith(quoted(CAPTURED) + "%2F"))
        (line,) = [json.loads(line) for line in written.splitlines()]
        self.assertEqual((line["endpoint"], line["deployed_model_id"]), ("7", "9"))
        self.assertEqual(json.loads(line["request_payload"][0]), json.loads(ROWS))
        self.assertEqual(json.loads(line["response_payload"][0]), {"predictions": [1.0, 2.0]})

    def test_a_folder_without_a_model_ends_it_and_the_reason_is_its_last_line(self):
        (self.folder / "notes.txt").write_text("nothing to serve")
        process, _ = self.start()
        self.assertEqual(process.wait(60), 1)
        last = process.stderr.read().decode().splitlines()[-2:]
        self.assertIn("cannot serve: ", "".join(last))
        self.assertIn("notes.txt", "".join(last))


class Recording(unittest.TestCase):
    """What is recorded is asked of the bucket."""

    def asked(self, said, denied=False, **environment):
        given = {"CLOUDML_HOME": HOME, "AIP_ENDPOINT_ID": "7", "AIP_DEPLOYED_MODEL_ID": "9", **environment}
        bucket = Bucket({quoted(HOME + "/endpoints/7/9.json"): json.dumps(said).encode()} if said else {}, denied)
        with running(bucket.handler) as port, tempfile.TemporaryDirectory() as folder:
            model = adapters.load(laid_out(Path(folder)))
            given["STORAGE_EMULATOR_HOST"] = "http://127.0.0.1:%d" % port
            with mock.patch.dict(os.environ, given), contextlib.redirect_stdout(io.StringIO()) as printed:
                found = vertex.recorder(model)
                if found is not None:
                    found.close()
        self.printed = printed.getvalue()
        return found

    def test_a_share_of_nothing_no_wish_and_no_endpoint_record_nothing(self):
        self.assertIsNone(self.asked({"capture": 0.0, "to": CAPTURED}))
        self.assertIsNone(self.asked(None))
        self.assertIsNone(self.asked({"capture": 1.0, "to": CAPTURED}, AIP_ENDPOINT_ID=""))
        self.assertIsNotNone(self.asked({"capture": 0.5, "to": CAPTURED}))

    def test_a_bucket_that_may_not_be_read_is_told_and_stops_nobody(self):
        self.assertIsNone(self.asked({"capture": 1.0, "to": CAPTURED}, denied=True))
        self.assertIn("cannot be read, so nothing is recorded", self.printed)


if __name__ == "__main__":
    unittest.main()
