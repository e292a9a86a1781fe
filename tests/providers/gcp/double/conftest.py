"""A double for each test, or one for a module; in the end nothing of it is left."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from vertex_cloud import Cloud

from cloudml_gcp.double import double


@pytest.fixture
def cloud():
    """A double."""
    yield from opened()


@pytest.fixture(scope="module")
def shared():
    """A double for tests that read, or use names of their own."""
    yield from opened()


def opened():
    before = left_over()
    with double() as gcp:
        folder = gcp.world.folder
        cloud = Cloud(gcp)
        yield cloud
        cloud.http.close()
    assert not left_over() - before
    assert not folder.exists()


def left_over():
    """Processes and threads of doubles that are still there."""
    keepers = [pid for pid in children() if b"keeper.py" in command(pid)]
    threads = [f"{one.name} {id(one)}" for one in threading.enumerate() if one.name.startswith("double-")]
    return {*keepers, *threads}


def children():
    found = Path("/proc/self/task").glob("*/children") if sys.platform == "linux" else []
    return [pid for one in found for pid in one.read_text().split()]


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
