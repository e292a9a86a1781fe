"""`cloudml plan --requests` in a process in which some packages are not installed, and nothing can be connected to."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from sample import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """
project: flights
targets:
  there: TARGET
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
import json, socket, sys

absent = set(json.loads(sys.argv.pop(1)))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def refuse(*arguments, **more):
    raise AssertionError("a plan needs no network")

sys.meta_path.insert(0, Absent())
socket.socket.connect = refuse
from cloudml.cli import main

sys.exit(main())
"""


def planned(folder: Path, provider: str, absent: set[str]) -> dict[str, list[str]]:
    """The operations of each resource of a small project, planned without the packages *absent*."""
    (folder / "data").mkdir()
    (folder / "data" / "table.csv").write_text("a\n1\n")
    (folder / "train.py").write_text("print('hello')\n")
    target = json.dumps({"provider": provider, **SETTINGS[provider]})
    (folder / "cloudml.yaml").write_text(PROJECT.replace("TARGET", target))
    arguments = ["plan", "-C", str(folder), "--on", "there", "--requests", "--json"]
    command = [sys.executable, "-c", PROGRAM, json.dumps(sorted(absent)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)["steps"]
    return {step["resource"]: [one["operation"] for one in step["requests"]] for step in steps}
