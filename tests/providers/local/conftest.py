"""A project in a folder, the provider on a state folder of its own, and nothing left running in the end."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from cloudml.progress import SILENT
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import DatasetSpec, EndpointSpec, JobSpec, ModelSpec, MonitorSpec, ProjectSpec
from cloudml.targets import Target
from cloudml_local import processes
from cloudml_local.places import Places
from cloudml_local.plugin import PLUGIN, connect
from cloudml_local.settings import LocalSettings
from cloudml_local.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cloudml.resources import Resource
    from cloudml.seam import Provider
    from cloudml.status import EndpointStatus, JobStatus

DEADLINE_S = 60.0
TRAIN = """
import json
from cloudml import runtime

job = runtime.job()
rows = (job.inputs["table"] / "table.csv").read_text().splitlines()[1:]
mean = sum(float(row.split(",")[1]) for row in rows) / len(rows)
(job.outputs["model"] / "model.json").write_text(json.dumps({"mean": mean, "factor": job.parameters.get("factor", 1)}))
job.log_metric("mean", mean)
print("trained on", len(rows), "rows")
"""
PREDICT = """
import json, os


class Predictor:
    def __init__(self, model):
        self.model = json.loads((model / "model.json").read_text())
        print("loaded in", os.getpid(), flush=True)

    def predict(self, instances):
        answers = []
        for row, instance in enumerate(instances):
            if "weight" not in instance:
                raise ValueError("row %d: no field `weight`" % row)
            if instance["weight"] == "die":
                os._exit(7)
            answers.append(float(instance["weight"]) - self.model["mean"] * self.model["factor"])
        return answers
"""


@dataclass
class Here:
    """A project at the local provider."""

    root: Path
    provider: Provider
    state: State
    specs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.state.places.home

    def add(self, section: str, spec: Any) -> str:
        self.specs.setdefault(section, {})[spec.name] = spec
        return f"{section}.{spec.name}"

    def session(self) -> Session:
        spec = ProjectSpec(project="demo", **self.specs)
        target = Target(name="local", plugin=PLUGIN, settings=LocalSettings(), origins={})
        return Session(spec, self.root, target, self.provider)

    def resource(self, section: str, spec: Any) -> Resource:
        reference = self.add(section, spec)
        return self.session().builder((reference,)).resource(reference, spec)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def start(self, text: str, name: str = "script", **said: Any) -> JobStatus:
        """Start a job that runs *text*."""
        self.write(f"{name}.py", text)
        spec = JobSpec(**{"name": name, "script": f"{name}.py", "timeout": "5m", **said})
        return self.provider.jobs.create(self.resource("jobs", spec), SILENT)

    def job(self, name: str, when: Callable[[JobStatus], bool] = lambda now: now.state.over) -> JobStatus:
        """The job once *when* is true of it."""
        return until(lambda: self.provider.jobs.get(name), when)

    def endpoint(self, when: Callable[[EndpointStatus], bool] = lambda now: now.state.over) -> EndpointStatus:
        """The endpoint once *when* is true of it."""
        return until(lambda: self.provider.endpoints.get("demo-scale"), when)

    def model(self, **said: Any) -> str:
        """Bring a model into being that takes the mean from a weight; its full name."""
        self.add("datasets", DatasetSpec(name="table", path="data/*.csv"))
        self.add("jobs", JobSpec(**{
            "name": "train", "script": "train.py", "inputs": {"table": "datasets.table"}, "outputs": ("model",),
            "metrics": ("mean",), "timeout": "5m", **said,
        }))  # fmt: skip
        self.add("models", ModelSpec(name="scale", source="jobs.train.model", predictor="predict.py:Predictor"))
        return self.session().up(("models.scale",)).statuses["models.scale"].name

    def deployed(self, **said: Any) -> Resource:
        """The endpoint of that model, with *said*."""
        return self.resource("endpoints", EndpointSpec(**{"name": "scale", "model": "models.scale", **said}))

    def watched(self, **said: Any) -> Resource:
        """A monitor of that endpoint, with *said*."""
        base = {"name": "drift", "endpoint": "endpoints.scale", "baseline": "datasets.table",
                "checks": ({"metric": "psi", "max": 0.2},)}  # fmt: skip
        return self.resource("monitors", MonitorSpec(**{**base, **said}))


def until(look: Callable[[], Any], when: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not when(now := look()):
        assert time.monotonic() < deadline, f"still {now}"
        time.sleep(0.02)  # a pause between two looks at an observable fact, under a deadline
    return now


@pytest.fixture
def called() -> str:
    """The name of the project's folder."""
    return "project"


@pytest.fixture
def root(tmp_path: Path, called: str) -> Path:
    folder = tmp_path / called
    (folder / "data").mkdir(parents=True)
    rows = "\n".join(f"{height},{height / 2}" for height in range(150, 160))
    (folder / "data" / "table.csv").write_text(f"height,weight\n{rows}\n")
    (folder / "train.py").write_text(TRAIN)
    (folder / "predict.py").write_text(PREDICT)
    return folder


@pytest.fixture
def settings() -> LocalSettings:
    return LocalSettings()


@pytest.fixture
def here(root: Path, settings: LocalSettings) -> Iterator[Here]:
    """The provider; what a test leaves running is stopped, also when it fails."""
    places = Places(root / ".cloudml")
    provider = connect(settings, Context(root=root, project="demo"))
    try:
        yield Here(root, provider, State(places))
    finally:
        processes.end(places.home)


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python programs with pipes; in the end, however that is, they are dead and their pipes are closed."""
    with ExitStack() as stack:

        def start(program: str, *arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start
