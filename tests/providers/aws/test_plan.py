"""`cloudml plan --requests` needs neither boto3 nor a network."""

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
  aws-dev: {provider: aws, region: eu-west-1, bucket: acme-ml, role_arn: "arn:aws:iam::111122223333:role/cloudml"}
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
        if name.partition(".")[0] in {"boto3", "botocore", "s3transfer", "moto", "regex", "sagemaker"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def refuse(*arguments, **more):
    raise AssertionError("a plan needs no network")

sys.meta_path.insert(0, Absent())
socket.socket.connect = refuse
from cloudml.cli import main

sys.exit(main())
"""


def test_a_plan_shows_every_request_where_boto3_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_text("a\n1\n")
    (tmp_path / "train.py").write_text("print('hello')\n")
    (tmp_path / "cloudml.yaml").write_text(PROJECT)
    command = [sys.executable, "-c", PROGRAM, "plan", "-C", str(tmp_path), "--on", "aws-dev", "--requests", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = {
        step["resource"]: [one["operation"] for one in step["requests"]] for step in json.loads(done.stdout)["steps"]
    }
    assert steps["datasets.table"] == ["s3:Upload"]
    assert steps["jobs.prepare"] == ["s3:Upload", "sagemaker:CreateProcessingJob"]
    assert steps["jobs.train"] == ["s3:Upload", "sagemaker:CreateTrainingJob"]
    assert "sagemaker:CreateEndpoint" in steps["endpoints.delay"]
