"""The official `sagemaker` SDK v3, unmodified, trains and deploys on the double."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cloudml_aws.double import double

PROGRAM = Path(__file__).with_name("sdk.py")
BUCKET = "cloudml-double"
PACE = 200
QUIET = 'SchemaVersion: "1.0"\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n'
TRAIN = """
import json, os, sys
print("arguments", sys.argv[1:], "rows", os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
folder = os.environ["SM_MODEL_DIR"]
os.makedirs(folder + "/code")
json.dump(3, open(folder + "/weights.json", "w"))
open(folder + "/code/inference.py", "w").write('''
import json, os

def model_fn(folder):
    return json.load(open(os.path.join(folder, "weights.json")))

def transform_fn(model, body, content_type, accept):
    return json.dumps([model * row for row in json.loads(body)["instances"]]), "application/json"
''')
"""


def test_a_training_run_and_an_endpoint_are_made_with_the_official_sdk(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    source.joinpath("train.py").write_text(TRAIN)
    config = tmp_path / "config.yaml"
    config.write_text(QUIET)
    with double(pace=PACE) as aws:
        aws.world.objects.put(f"s3://{BUCKET}/data/a.csv", b"1")
        environment = {
            **os.environ,
            **aws.environ,
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config),
            "HOME": str(tmp_path),
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(PROGRAM), str(source), BUCKET],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        found = json.loads(done.stdout.splitlines()[-1])
        assert found == {"status": "Completed", "answer": [3, 6]}
        stream = aws.world.journal.streams("/aws/sagemaker/TrainingJobs")
        lines = [event[2] for one in stream.values() for event in one.events]
        assert any("arguments ['--rate', '0.5', '--name', 'x y'] rows ['a.csv']" in line for line in lines), lines
        assert {seen.operation for seen in aws.requests} >= {"CreateTrainingJob", "CreateEndpoint", "InvokeEndpoint"}
