"""The project whose `up` is killed: everything in it once, and scripts that note each of their runs."""

from __future__ import annotations

PROJECT = """
project: crash
targets:
  there: {{provider: {provider}, {settings}}}
datasets:
  table: {{path: data/*.csv}}
jobs:
  prepare:
    script: prepare.py
    inputs: {{table: datasets.table}}
    outputs: [rows]
    environment: {{JOURNAL: "{journal}"}}
  train:
    script: train.py
    inputs: {{rows: jobs.prepare.rows}}
    outputs: [model]
    metrics: [mean]
    environment: {{JOURNAL: "{journal}"}}
models:
  mean:
    source: jobs.train.model
    predictor: predict.py:Predictor
    require: {{jobs.train.mean: ">= 1"}}
endpoints:
  mean: {{model: models.mean, capture: 1.0, instances: {{min: 1, max: 2}}}}
monitors:
  drift:
    endpoint: endpoints.mean
    baseline: jobs.prepare.rows
    schedule: "{schedule}"
    checks: [{{metric: missing, max: 0.5}}]
"""
PREPARE = """
import os, shutil
from cloudml import runtime
job = runtime.job()
with open(os.environ["JOURNAL"], "a") as journal:
    journal.write("prepare\\n")
for path in job.inputs["table"].glob("*.csv"):
    shutil.copy(path, job.outputs["rows"] / path.name)
"""
TRAIN = """
import csv, os
from cloudml import runtime
job = runtime.job()
with open(os.environ["JOURNAL"], "a") as journal:
    journal.write("train\\n")
rows = [row for path in job.inputs["rows"].glob("*.csv") for row in csv.DictReader(path.open())]
mean = sum(float(row["x"]) for row in rows) / len(rows)
(job.outputs["model"] / "mean.txt").write_text(str(mean))
job.log_metric("mean", mean)
"""
PREDICT = """
class Predictor:
    def __init__(self, model):
        self.mean = float((model / "mean.txt").read_text())
    def predict(self, instances):
        return [row["x"] - self.mean for row in instances]
"""
