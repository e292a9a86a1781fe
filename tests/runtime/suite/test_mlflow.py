"""Metrics to the interface of Azure ML's run tracking."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from cloudml.runtime import mlflow
from cloudml.runtime.record import Metric

POINT = Metric("auc", 0.5, 3, "2026-01-01T00:00:00.000+00:00")
ENVIRON = {"CLOUDML_PROVIDER": "azure", "MLFLOW_TRACKING_TOKEN": "t", "MLFLOW_RUN_ID": "run"}


def test_a_point_is_sent_with_its_step_and_its_time() -> None:
    found = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.append((self.path, self.headers["Authorization"], json.loads(body.decode())))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    mlflow.log(POINT, dict(ENVIRON, MLFLOW_TRACKING_URI="http://127.0.0.1:%d/mlflow/v1.0/ws?" % server.server_port))
    thread.join()
    server.server_close()
    ((path, token, body),) = found
    assert (path, token) == ("/mlflow/v1.0/ws/api/2.0/mlflow/runs/log-metric", "Bearer t")
    assert (body["run_id"], body["key"], body["value"], body["step"]) == ("run", "auc", 0.5, 3)
    assert body["timestamp"] == 1767225600000


def test_azures_own_scheme_means_https() -> None:
    assert mlflow.address("azureml://host/mlflow/v1.0/ws").startswith("https://host/mlflow/v1.0/ws/api/")


def test_elsewhere_nothing_is_tracked() -> None:
    assert not mlflow.tracked(dict(ENVIRON, CLOUDML_PROVIDER="aws", MLFLOW_TRACKING_URI="x"))
    assert not mlflow.tracked(ENVIRON)


def test_what_cannot_be_sent_ends_no_run(capsys, monkeypatch) -> None:
    monkeypatch.setattr(mlflow, "_failed", [])
    for _ in range(mlflow.FAILURES + 2):
        mlflow.log(POINT, dict(ENVIRON, MLFLOW_TRACKING_URI="http://127.0.0.1:9/ws"))
    assert capsys.readouterr().err.count("in the record only") == mlflow.FAILURES
