"""Where the system binds no folders, /opt/ml is another folder, which the log names."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from cloudml.doubles import containers

LOOK = """
import json, os
root = os.environ["CLOUDML_OPT_ML"]
print(sorted(os.listdir(root)))
open(root + "/model/m", "w").write("1")
"""


@pytest.fixture
def forbidding(cloud, monkeypatch):
    """A system that lets nobody bind folders."""
    monkeypatch.setattr(containers, "forbidden", lambda: "unshare: Operation not permitted")
    return cloud


def test_a_training_job_runs_in_its_own_folder(forbidding):
    forbidding.train(LOOK)
    assert forbidding.trained()["TrainingJobStatus"] == "Completed"
    said, found = forbidding.printed("/aws/sagemaker/TrainingJobs")
    assert "because folders cannot be bound (unshare: Operation not permitted)" in said
    assert "'input', 'model', 'output'" in found
    assert forbidding.get("out/job/output/model/m") == b"1"


def test_so_does_the_toolkit_with_code_from_the_bucket(forbidding):
    script = b"import os; print('in', os.environ['SM_MODEL_DIR'])"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("main.py")
        info.size = len(script)
        archive.addfile(info, io.BytesIO(script))
    forbidding.put("code.tar.gz", buffer.getvalue())
    forbidding.train(
        "",
        AlgorithmSpecification={"ContainerEntrypoint": None},
        Environment={"SAGEMAKER_PROGRAM": "main.py"},
        HyperParameters={"sagemaker_submit_directory": '"s3://cloudml-double/code.tar.gz"'},
    )
    assert forbidding.trained()["TrainingJobStatus"] == "Completed"
    assert forbidding.printed("/aws/sagemaker/TrainingJobs")[-1].startswith("in /")


def test_an_endpoint_serves_from_its_own_folder(forbidding):
    assert forbidding.endpoint()["EndpointStatus"] == "InService"
    assert json.loads(forbidding.ask()["Body"].read()) == {"predictions": [2.0, 4.0]}
