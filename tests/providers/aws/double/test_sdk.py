"""The official `sagemaker` SDK v3, unmodified, trains and deploys on the double, beside cloudml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploying import PLACES, endpoint, model, settings
from working import job

from cloudml.progress import SILENT
from cloudml.status import JobState, State
from cloudml.waiting import Waiter
from cloudml_aws.clients import Clients
from cloudml_aws.double import KEY, SECRET, double
from cloudml_aws.endpoints import AwsEndpoints
from cloudml_aws.jobs import AwsJobs
from cloudml_aws.logs import AwsLogs
from cloudml_aws.models import AwsModels

if TYPE_CHECKING:
    from cloudml_aws.double import Double

PROGRAM = Path(__file__).with_name("sdk.py")
BUCKET = "acme-ml"
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


PREDICT = """
import json

class Predictor:
    def __init__(self, model):
        self.mean = json.loads((model / "model.json").read_text())["mean"]

    def predict(self, instances):
        return [row["x"] - self.mean for row in instances]
"""
JSON = "application/json"


@dataclass(frozen=True)
class Ours:
    """A training job that ran and an endpoint that answers, made with cloudml, and the services that made them."""

    jobs: AwsJobs
    endpoints: AwsEndpoints
    job: str
    endpoint: str


def ours(aws: Double, root: Path) -> Ours:
    clients = Clients(settings(), endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
    jobs, endpoints = AwsJobs(clients, PLACES, AwsLogs(clients)), AwsEndpoints(clients, PLACES)
    text = "import json\nfrom cloudml import runtime\n"
    text += "(runtime.job().outputs['model'] / 'model.json').write_text(json.dumps({'mean': 10}))\n"
    started = jobs.create(job(root, text=text, outputs=("model",)), SILENT)
    Waiter(5.0, 30.0, aws.clock.sleep).until_over(jobs.get, started.name)
    (root / "predict.py").write_text(PREDICT)
    wanted = model(root, predictor="predict.py:Predictor", artifact=started.outputs["model"])
    version = AwsModels(clients, PLACES).create(wanted)
    deployed = endpoints.create(endpoint(model_name=version.name))
    while not endpoints.get(deployed.name).state.over:
        aws.clock.sleep(20)
    return Ours(jobs, endpoints, started.name, deployed.name)


def run(aws: Double, root: Path, *arguments: str) -> dict[str, Any]:
    """What the program with the official SDK prints last."""
    config = root / "config.yaml"
    config.write_text(QUIET)
    environment = {**os.environ, **aws.environ, "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config), "HOME": str(root)}
    command = [sys.executable, "-W", "ignore", str(PROGRAM), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_official_sdk_trains_and_deploys_and_each_side_sees_what_the_other_made(tmp_path):
    source, project = tmp_path / "source", tmp_path / "project"
    source.mkdir()
    project.mkdir()
    source.joinpath("train.py").write_text(TRAIN)
    with double(bucket=BUCKET, pace=PACE) as aws:
        aws.world.objects.put(f"s3://{BUCKET}/data/a.csv", b"1")
        there = ours(aws, project)
        found = run(aws, tmp_path, str(source), BUCKET, there.job, there.endpoint)
        assert found["seen"] == {"status": "Completed", "listed": True, "answer": {"predictions": [2]}}
        name = found["made"].pop("job")
        assert found["made"] == {"status": "Completed", "answer": [3, 6]}
        stream = aws.world.journal.streams("/aws/sagemaker/TrainingJobs")
        lines = [event[2] for one in stream.values() for event in one.events]
        assert any("arguments ['--rate', '0.5', '--name', 'x y'] rows ['a.csv']" in line for line in lines), lines

        (listed,) = there.jobs.list("official")
        described = there.jobs.get(name)
        assert (listed.name, listed.state, described.state) == (name, JobState.SUCCEEDED, JobState.SUCCEEDED)
        assert described.outputs["model"].startswith(f"s3://{BUCKET}/")
        assert any("arguments" in line for line in there.jobs.logs.read("jobs", name, "").lines)
        (seen,) = there.endpoints.list("official")
        assert (seen.name, seen.state, seen.model) == ("official-scale", State.READY, "official")
        answer = there.endpoints.invoke(seen.name, b'{"instances": [1, 2]}', content_type=JSON, accept=JSON)
        assert json.loads(answer.body) == [3, 6]
