"""`cloudml plan --requests` needs neither an SDK of Google nor a network."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """
project: flights
targets:
  gcp-dev: {provider: gcp, project_id: acme, region: europe-west4, bucket: acme-ml,
            service_account: cloudml@acme.iam.gserviceaccount.com}
datasets:
  table: {path: data/*.csv}
jobs:
  prepare: {script: train.py, inputs: {table: datasets.table}, outputs: [clean]}
  train: {script: train.py, inputs: {clean: jobs.prepare.clean}, outputs: [model], metrics: [auc]}
models:
  delay: {source: jobs.train.model}
endpoints:
  delay: {model: models.delay}
"""
PROGRAM = """
import socket, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"google", "grpc", "proto", "requests"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def refuse(*arguments, **more):
    raise AssertionError("a plan needs no network")

sys.meta_path.insert(0, Absent())
socket.socket.connect = refuse
from cloudml.cli import main

sys.exit(main())
"""


def test_a_plan_shows_every_request_without_an_sdk(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_text("a\n1\n")
    (tmp_path / "train.py").write_text("print('hello')\n")
    (tmp_path / "cloudml.yaml").write_text(PROJECT)
    command = [sys.executable, "-c", PROGRAM, "plan", "-C", str(tmp_path), "--on", "gcp-dev", "--requests", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = {
        step["resource"]: [one["operation"] for one in step["requests"]] for step in json.loads(done.stdout)["steps"]
    }
    assert steps["datasets.table"] == ["storage:Upload"]
    assert steps["jobs.train"] == ["storage:Upload", "aiplatform:CreateCustomJob"]
    assert steps["models.delay"][-1] == "aiplatform:UploadModel"
    assert steps["endpoints.delay"][-2:] == ["aiplatform:CreateEndpoint", "aiplatform:DeployModel"]
