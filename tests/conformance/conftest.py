"""The conformance suite: written once against the SDK, run by every installed provider.

A test asks for `client`, over a provider's own rehearsal: the local provider for real, a cloud's double for a cloud. A
test of a capability that the provider lacks must end in its declared refusal, before anything is sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from conforming import connected, project_folder

from cloudml import plugins
from cloudml.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from cloudml.client import Client


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test of a capability that the provider lacks must end in its declared refusal."""
    lacking = [
        support
        for mark in pyfuncitem.iter_markers("needs")
        for capability in mark.args
        if not (support := pyfuncitem.funcargs["client"].target.plugin.capabilities[capability])
    ]
    if not lacking:
        return (yield)
    with pytest.raises(UnsupportedError, match="|".join(re.escape(support.reason) for support in lacking)):
        yield
    return True


@pytest.fixture(scope="module", params=plugins.names())
def provider_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project_folder(tmp_path / "project")


@pytest.fixture
def client(provider_name: str, root: Path) -> Iterator[Client]:
    with connected(provider_name, root) as client:
        yield client
