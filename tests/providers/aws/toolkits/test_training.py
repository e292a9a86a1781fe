"""A job's code folder under sagemaker-training in script mode, which tuning jobs need and every framework image has."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from servers import interpreter

from cloudml import shipping
from cloudml.resources import Identity, JobResource
from cloudml.runtime.record import read_record
from cloudml.source import collect
from cloudml.specs import JobSpec

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import sys
from cloudml import runtime
from steps import total

job = runtime.job()
numbers = [float(line) for line in (job.inputs["table"] / "numbers.txt").read_text().split()]
print("text is", repr(job.parameters["text"]), flush=True)
job.log_metric("total", total(numbers) * job.parameters["factor"])
(job.outputs["model"] / "model.txt").write_text(repr(total(numbers)))
if job.parameters["code"]:
    sys.exit("the numbers are no good")
"""
AWKWARD = "hello $HOME; echo owned && 'x' \"y\""


@pytest.fixture
def trained(tmp_path: Path):
    """Runs the job below a folder that stands for /opt/ml; gives the toolkit's exit code and that folder."""

    def run(code: int) -> tuple[subprocess.CompletedProcess, Path]:
        base, project = tmp_path / "ml", tmp_path / "project"
        for folder in (base / "input" / "data" / "code", base / "input" / "data" / "table", base / "input" / "config"):
            folder.mkdir(parents=True)
        project.mkdir()
        (project / "train.py").write_text(SCRIPT)
        (project / "steps.py").write_text("def total(numbers):\n    return sum(numbers)\n")
        (base / "input" / "data" / "table" / "numbers.txt").write_text("1.5\n2.25\n")
        parameters = {"factor": 3, "text": AWKWARD, "code": code}
        lay(base, project, parameters)
        configure(base)
        return train(base), base

    return run


def lay(base: Path, project: Path, parameters: dict) -> None:
    spec = JobSpec(name="train", script="train.py", outputs=("model",), parameters=parameters)
    identity = Identity(project="toolkits", resource="jobs.train", hash="0" * 64)
    resource = JobResource(spec=spec, identity=identity, source=collect(project, "train.py"))
    code = base / "input" / "data" / "code"
    request = {
        "version": 1,
        "name": "toolkits-train",
        "script": "train.py",
        "source": "source",
        "inputs": {"table": str(base / "input" / "data" / "table")},
        "outputs": {"model": str(base / "model")},
        "record": str(base / "output" / "data" / "_cloudml"),
        "parameters": parameters,
    }
    shipping.lay_out(resource, {**request, "source": str(code / "source")}, code)


def configure(base: Path) -> None:
    """The files that SageMaker writes; the toolkit is told to run start.py of the code channel."""
    channels = {
        name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        for name in ("code", "table")
    }
    # The toolkit waits until every host's name resolves; SageMaker's are algo-1, algo-2, …
    host = {"current_host": "localhost", "hosts": ["localhost"], "network_interface_name": "lo"}
    submitted = {"sagemaker_program": "start.py", "sagemaker_submit_directory": str(base / "input" / "data" / "code")}
    written = {
        "hyperparameters.json": {key: json.dumps(value) for key, value in submitted.items()},
        "inputdataconfig.json": channels,
        "resourceconfig.json": host,
    }
    for name, content in written.items():
        (base / "input" / "config" / name).write_text(json.dumps(content))


def train(base: Path) -> subprocess.CompletedProcess:
    python = interpreter("training")
    environ = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(base),
        "SAGEMAKER_BASE_DIR": str(base),
        "TRAINING_JOB_NAME": "toolkits-train",
        "AWS_REGION": "eu-west-1",
    }
    command = [str(python.with_name("train"))]
    return subprocess.run(command, env=environ, cwd=base, capture_output=True, text=True, timeout=60, check=False)


def test_a_job_runs_with_its_parameters_unharmed_and_leaves_its_record(trained) -> None:
    done, base = trained(0)
    assert done.returncode == 0, done.stdout + done.stderr
    record = read_record(base / "output" / "data" / "_cloudml")
    assert (record.state, record.exit_code, record.metrics) == ("succeeded", 0, {"total": 11.25})
    assert (base / "model" / "model.txt").read_text() == "3.75"
    assert f"text is {AWKWARD!r}" in done.stdout
    assert "\nowned" not in done.stdout


def test_a_script_that_fails_fails_the_job_and_the_record_tells_why(trained) -> None:
    done, base = trained(7)
    record = read_record(base / "output" / "data" / "_cloudml")
    assert done.returncode != 0
    assert record.state == "failed"
    assert "the numbers are no good" in record.reason
    assert (base / "output" / "failure").is_file()
