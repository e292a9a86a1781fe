"""What lies in a model's `code` folder, under the server that Azure ML's images bring."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import TYPE_CHECKING

import joblib
import pytest
from azureml_resources import model
from environments import make, python
from scores import FEATURES, PREDICT, ROWS, fitted

from cloudml.runtime import adapters
from cloudml.runtime.answering import answer
from cloudml.source import collect
from cloudml.specs import ModelSpec
from cloudml_azure import invoking
from cloudml_azure.serving import SCRIPT, lay_out

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 60


class Server:
    """A running server of Azure ML's."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, body: bytes, kind: str = "application/json", accept: str = "application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request("POST", "/score", body, {"Content-Type": kind, "Accept": accept})
            found = connection.getresponse()
            return found.status, found.read(), found.getheader("Content-Type", "")
        finally:
            connection.close()


@contextmanager
def serving(code: Path, models: Path, **environment: str):
    """The real server, over a code folder and a folder with models."""
    make("azureml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python("azureml").with_name("azmlinfsrv"), "--entry_script", code / SCRIPT, "--model_dir", models]
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with subprocess.Popen(
        [*map(str, command), "--port", str(port)], env={**inherited, **environment}, cwd=code, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            printed = []
            for line in process.stdout:
                printed.append(line)
                if "serving a model of kind" in line:
                    break
            else:
                raise AssertionError("".join(printed))
            threading.Thread(target=process.stdout.read, daemon=True).start()
            yield Server(port)
        finally:
            process.terminate()


@contextmanager
def collecting():
    """A collector like the one beside a container, and what was posted to it."""
    posted: SimpleQueue = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.put((self.headers["ce-type"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, posted
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def predicting(tmp_path_factory):
    """A predictor's server, the same model in this process, and what was recorded."""
    base = tmp_path_factory.mktemp("azureml")
    root, folder = base / "project", base / "models" / "scores" / "1" / "deeper" / "scores-0000"
    root.mkdir()
    (folder / "code").mkdir(parents=True)
    (root / "predict.py").write_text(PREDICT)
    (root / "features.py").write_text(FEATURES)
    joblib.dump(fitted(), folder / "model.joblib")
    spec = ModelSpec(name="scores", source="jobs.train.model", predictor="predict.py:Predictor")
    lay_out(model(spec=spec, source=collect(root, "predict.py")), folder / "code")
    here = adapters.load(folder, "predict.py:Predictor", root)
    with collecting() as (port, posted):
        recorded = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": str(port)}
        with serving(folder / "code", base / "models" / "scores" / "1", **recorded) as server:
            yield server, here, posted


def test_a_predictor_gives_the_same_predictions_bit_for_bit(predicting) -> None:
    server, here, _ = predicting
    body = json.dumps({"instances": ROWS}).encode()
    status, answered, kind = server.ask(body)
    assert (status, kind.partition(";")[0]) == (200, "application/json")
    assert answered == answer(here, body, "application/json", "application/json").body


@pytest.mark.parametrize(
    ("body", "kind", "accept"),
    [
        (b"a,b\n1,2\n3,4.5\n", "text/csv", "text/csv"),
        (b'{"a": 1, "b": 2}\n{"a": 3, "b": 4.5}\n', "application/jsonlines", "application/jsonlines"),
        (b'{"instances": []}', "application/json", "application/json"),
    ],
)
def test_other_formats_are_answered_as_locally(predicting, body: bytes, kind: str, accept: str) -> None:
    server, here, _ = predicting
    status, answered, written = server.ask(body, kind, accept)
    expected = answer(here, body, kind, accept)
    assert (status, answered) == (200, expected.body)
    assert written.partition(";")[0] == expected.content_type.partition(";")[0]


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b'{"instances": [{"a": 1, "b": 2}, {"a": 1}]}', "application/json", 400, ["row 1", "`b`"]),
        (b"{", "application/json", 400, ["not JSON"]),
        (b"\xff\xfe", "application/json", 400, ["UTF-8"]),
        (b"<a/>", "text/xml", 415, ["text/xml"]),
    ],
)
def test_a_refusal_has_its_status_and_says_what_is_wrong(predicting, body, kind, status, words) -> None:
    server, _, _ = predicting
    got, answered, _ = server.ask(body, kind)
    message, request = invoking.said(answered.decode())
    assert got == status
    assert all(word in message for word in words)
    assert request


def test_what_was_asked_and_answered_is_recorded_once_each(predicting) -> None:
    server, _, posted = predicting
    while not posted.empty():
        posted.get()
    server.ask(b'{"instances": [{"a": 0.125, "b": 3}]}')
    found = {}
    while len(found) < 2:
        name, rows = posted.get(timeout=LIMIT_S)
        if name.endswith("outputs") or rows == [{"a": 0.125, "b": 3}]:
            found[name] = rows
    assert found["azureml.inference.model_inputs"] == [{"a": 0.125, "b": 3}]
    assert list(found["azureml.inference.model_outputs"][0]) == ["prediction"]
