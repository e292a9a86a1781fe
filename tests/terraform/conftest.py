"""Fixtures of the Terraform lane."""

from __future__ import annotations

from pathlib import Path

import pytest
from lane import Lane
from pins import releases
from tools import CLOUDS, KINDS, Stubs


@pytest.fixture(scope="session")
def lane(tmp_path_factory, worker_id):
    """What was run, shared by the workers of one test run."""
    base, stubs = tmp_path_factory.getbasetemp(), Stubs()
    yield Lane((base if worker_id == "master" else base.parent) / "terraform", stubs)
    stubs.stop()


@pytest.fixture
def newest(lane):
    """The applied example of a kind with the newest release of the cloud's provider."""
    return lambda cloud, kind="complete": lane.applied(cloud, kind, releases(CLOUDS[cloud])[-1])


def pytest_generate_tests(metafunc):
    """`cloud`, `kind` and `release` in every combination that a test asks for."""
    wanted = [name for name in ("cloud", "kind", "release") if name in metafunc.fixturenames]
    marks = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    own = {name for names in marks for name in (names.split(",") if isinstance(names, str) else names)}
    if not wanted or own & set(wanted):
        return
    rows = [
        {"cloud": cloud, "kind": kind, "release": release}
        for cloud in CLOUDS
        for kind in (KINDS if "kind" in wanted else KINDS[:1])
        for release in (releases(CLOUDS[cloud]) if "release" in wanted else ("",))
    ]
    values = [tuple(row[name] for name in wanted) for row in rows]
    metafunc.parametrize(wanted, values, ids=["-".join(value) for value in values])


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.terraform)
