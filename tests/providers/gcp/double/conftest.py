"""A double for each test, or one for a module; in the end nothing of it is left."""

from __future__ import annotations

import pytest
from leftovers import left_over
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
