from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cloudml import shipping
from cloudml.progress import SILENT
from cloudml.resources import Identity, JobResource
from cloudml.source import collect
from cloudml.specs import JobSpec
from cloudml.storage import Storage

SCRIPT = """
from cloudml import runtime
import cloudml
job = runtime.job()
(job.outputs["seen"] / "greeting.txt").write_text(job.parameters["greeting"])
job.log_metric("answer", 42)
print(cloudml.__file__)
"""


@pytest.fixture
def resource(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "hello.py").write_text(SCRIPT)
    spec = JobSpec(name="hello", script="hello.py", outputs=("seen",))
    identity = Identity(project="demo", resource="jobs.hello", hash="0" * 64)
    return JobResource(spec=spec, identity=identity, source=collect(project, "hello.py"), requirements="")


def test_what_travels_runs_without_the_installed_cloudml_and_its_record_comes_back(tmp_path, resource) -> None:
    there, container = Storage(tmp_path / "store"), tmp_path / "container"
    record, seen = container / "record", container / "seen"
    request = {
        "version": 1, "name": "demo-hello-1", "script": "hello.py", "source": str(container / "code" / "source"),
        "record": str(record), "outputs": {"seen": str(seen)}, "parameters": {"greeting": "grüß dich"},
    }  # fmt: skip
    with shipping.folder() as here:
        shipping.lay_out(resource, request, here)
        shipping.push_folder(there, here, "jobs/demo/code", SILENT)
    there.download("jobs/demo/code", container / "code")
    done = subprocess.run(
        [sys.executable, "-I", container / "code" / "start.py"], capture_output=True, text=True, check=True
    )
    assert str(container / "code" / "runtime") in done.stdout
    assert (seen / "greeting.txt").read_text() == "grüß dich"
    there.push(_manifest(record), "jobs/demo/record", SILENT)
    read = shipping.read(there, "jobs/demo/record")
    assert (read.state, read.exit_code, read.metrics) == ("succeeded", 0, {"answer": 42})


def _manifest(folder):
    from cloudml.storage import scan

    return scan(str(folder), folder, None)


def test_the_same_content_does_not_travel_twice(tmp_path, resource) -> None:
    there = Storage(tmp_path / "store")
    for name, uploaded in (("one", True), ("two", False)):
        with shipping.folder() as here:
            shipping.lay_out(resource, {"version": 1}, here)
            assert bool(shipping.push_folder(there, here, f"jobs/{name}/code", SILENT).uploaded) is uploaded


def test_requirements_lie_where_relative_paths_in_them_count(tmp_path, resource) -> None:
    from dataclasses import replace

    spec = resource.spec.model_copy(update={"requirements": "deep/requirements.txt"})
    with shipping.folder() as here:
        shipping.lay_out(replace(resource, spec=spec, requirements="./local-package\n"), {"version": 1}, here)
        assert (here / "source/deep/requirements.txt").read_text() == "./local-package\n"
        assert json.loads((here / "request.json").read_text()) == {"version": 1}


def test_a_record_that_is_not_there_is_unknown(tmp_path) -> None:
    assert shipping.read(Storage(tmp_path / "store"), "nowhere/_cloudml").state == "unknown"
