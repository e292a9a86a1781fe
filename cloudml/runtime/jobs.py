"""The job as its script sees it: the same object at every provider, and with plain ``python train.py``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, List, Mapping, SupportsFloat

from cloudml.runtime import mlflow, record
from cloudml.runtime.named import Growing, Named
from cloudml.runtime.request import Request, read

_METRIC_NAME = re.compile(r"[^\s=]+")


class Job:
    """One run of one job.

    Attributes:
        name: The name of this run at its provider.
        resource: The job's name in the project, as ``jobs.train``; empty outside of one.
        inputs: Name to path, readable.
        outputs: Name to path; the folders are there.
        parameters: With the types they have in the project file.
        checkpoints: A folder that outlives this run: one that is started again finds what is in it.
        record: The folder of this run's record.
        environment: The variables that the job asks for; they are set.
        hosts: All hosts of the job, the leading one first.
        current_host: This one.
    """

    def __init__(self, request: Request, *, outputs: Named[Path] | None = None) -> None:
        self.name = request.name
        self.resource = request.resource
        self.inputs = Named("input", {name: Path(path) for name, path in request.inputs.items()})
        self.outputs = Named("output", {name: Path(path) for name, path in request.outputs.items()})
        if outputs is not None:
            self.outputs = outputs
        self.parameters: Named[Any] = Named("parameter", request.parameters)
        self.checkpoints = Path(request.checkpoints)
        self.record = Path(request.record)
        self.environment: Mapping[str, str] = dict(request.environment)
        self.hosts = request.hosts
        self.current_host = request.current_host

    def log_metric(self, name: str, value: SupportsFloat, step: int | None = None) -> None:
        """Log one point, and print ``cloudml-metric NAME=VALUE``, which log filters of the clouds can find.

        NaN and infinities are kept: a diverged loss is a fact, and no reason to end a run. No gate accepts them.

        Raises:
            ValueError: The name is empty or holds blanks or ``=``.
            TypeError: The value is no number.
        """
        if not _METRIC_NAME.fullmatch(name):
            raise ValueError(f"`{name}` cannot name a metric: use a text without blanks and `=`")
        point = record.Metric(name, float(value), None if step is None else int(step), record.now())
        record.append_metric(os.fspath(self.record), point)
        mlflow.log(point)
        print(f"cloudml-metric {name}={point.value!r}", flush=True)

    def __repr__(self) -> str:
        parts = {"inputs": self.inputs, "outputs": self.outputs, "parameters": self.parameters}
        shown = ", ".join(f"{key}={list(names)}" for key, names in parts.items())
        return f"<Job {self.name}: {shown}>"


_entered: List[Job] = []  # by `running`, the innermost last
_known: dict[str, Job] = {}  # by where it came from


def job() -> Job:
    """The job that this process belongs to; the same object at every call.

    It is the one that `running` has entered, or that the driver has started; else that of the project file above the
    script, or one made up of the command line and the environment (see `plain`).

    Raises:
        RequestError: The driver's request cannot be read.
    """
    if _entered:
        return _entered[-1]
    source = os.environ.get("CLOUDML_REQUEST", "")
    if source not in _known:
        _known[source] = Job(read(source, os.environ)) if source else _by_hand()
    return _known[source]


def enter(request: Request) -> None:
    """Let `job` give this job until `leave`."""
    _entered.append(Job(request))


def leave() -> None:
    _entered.pop()


def _by_hand() -> Job:
    from cloudml.runtime import plain  # not needed under the driver

    found = plain.find()
    plain.prepare(found)
    return Job(found.request, outputs=None if found.closed else Growing("output", plain.output))
