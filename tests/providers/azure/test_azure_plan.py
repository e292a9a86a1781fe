"""`cloudml plan --requests` needs neither an SDK of Azure nor a network."""

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
  azure-dev: {provider: azure, subscription_id: "00000000-0000-0000-0000-000000000000", resource_group: ml,
              workspace: acme, region: westeurope, storage_account: acmeml, container: cloudml}
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
        if name.partition(".")[0] in {"azure", "msal", "msrest", "requests"}:
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
    command = [sys.executable, "-c", PROGRAM, "plan", "-C", str(tmp_path), "--on", "azure-dev", "--requests", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = {
        step["resource"]: [one["operation"] for one in step["requests"]] for step in json.loads(done.stdout)["steps"]
    }
    assert steps["datasets.table"] == ["Blobs_Upload", "Datastores_CreateOrUpdate", "DataVersions_CreateOrUpdate"]
    assert steps["jobs.train"][-1] == "Jobs_CreateOrUpdate"
    assert steps["models.delay"][-1] == "ModelVersions_CreateOrUpdate"
    assert steps["endpoints.delay"][-2:] == ["OnlineDeployments_CreateOrUpdate", "OnlineEndpoints_CreateOrUpdate"]
