"""The live tier: only with `-m live`, and only with a target to run on."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from conforming import project_folder
from sample import ENDPOINT, MODEL, TABLE, job, monitor

from cloudml.client import Client
from cloudml.session import Session
from cloudml.specs import ProjectSpec
from tests.live import sweep

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[sweep.VARIABLE, sweep.AZURE, sweep.GCP])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A client on a real cloud, with a small project whose name says its age; everything is removed in the end."""
    file = os.environ.get(request.param)
    if not file:
        pytest.fail(f"set {request.param} to a file with the target to run on; see tests/live/README.md")
    target = sweep.target(Path(file))
    spec = ProjectSpec(
        project=sweep.project(datetime.now(UTC)),
        datasets={"table": TABLE},
        jobs={"train": job(machine={"cpus": 2, "memory": "4GiB"})},
        models={"scale": MODEL},
        endpoints={"scale": ENDPOINT},
        monitors={sweep.MONITOR: monitor()},
    )
    session = Session.open(spec, project_folder(tmp_path / "project"), target)
    try:
        yield Client(session)
    finally:
        assert session.down().clean, f"something of {spec.project} is left: python -m tests.live.sweep --older-than 0s"
