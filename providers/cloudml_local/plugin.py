"""The plugin: what this provider is, before anyone connects."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.seam import Finding, Plugin, Provider
from cloudml_local.capabilities import CAPABILITIES
from cloudml_local.places import Places
from cloudml_local.settings import LocalSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.seam import Context

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 35, 0)
"""RETURNING and upserts came then."""
LITTLE_DISK_GIB = 1.0


def connect(settings: LocalSettings, context: Context) -> Provider:
    """The provider on the state folder of *settings*; nothing is made yet."""
    return _provider(places(settings, context), settings.jobs)


def places(settings: LocalSettings, context: Context) -> Places:
    """Where things lie for a project."""
    return Places((context.root / Path(settings.state).expanduser()).resolve())


def _provider(where: Places, at_once: int | None) -> Provider:
    from cloudml_local.datasets import LocalDatasets
    from cloudml_local.endpoints import LocalEndpoints
    from cloudml_local.jobs import LocalJobs
    from cloudml_local.logs import LocalLogs
    from cloudml_local.models import LocalModels
    from cloudml_local.monitors import LocalMonitors
    from cloudml_local.state import State

    state = State(where)
    return Provider(
        datasets=LocalDatasets(where, state),
        jobs=LocalJobs(where, state, at_once),
        models=LocalModels(where, state),
        endpoints=LocalEndpoints(where, state),
        monitors=LocalMonitors(where, state),
        logs=LocalLogs(where, state),
        working=state.holding,
    )


def check(settings: LocalSettings, context: Context) -> Iterator[Finding]:
    """Whether this computer has what the provider needs."""
    yield Finding(
        group="software",
        subject=f"Python {platform.python_version()}",
        ok=sys.version_info >= OLDEST_PYTHON,
        hint="use Python 3.11 or later",
    )
    yield Finding(
        group="software",
        subject=f"SQLite {sqlite3.sqlite_version}",
        ok=sqlite3.sqlite_version_info >= OLDEST_SQLITE,
        hint="use a Python that brings SQLite 3.35 or later",
    )
    yield from _disk(places(settings, context).home)
    yield _loopback()


def _disk(home: Path) -> Iterator[Finding]:
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    yield Finding(
        group="permissions",
        subject="state folder",
        ok=nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        text=str(home),
        hint="set `state` of the target to a folder that you may write in",
    )
    free = shutil.disk_usage(nearest).free / 2**30
    yield Finding(
        group="quota",
        subject="free disk",
        ok=free >= LITTLE_DISK_GIB,
        text=f"{free:.1f} GiB",
        hint="make room; `cloudml down` removes what a project has here",
    )


def _loopback() -> Finding:
    said = ""
    try:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        said = str(error)
    return Finding(
        group="permissions",
        subject="port on 127.0.0.1",
        ok=not said,
        text=said,
        hint="endpoints listen on 127.0.0.1; allow it",
    )


@contextmanager
def rehearse(settings: LocalSettings, context: Context) -> Iterator[Provider]:
    """The provider on a state folder of its own; everything is stopped and removed in the end."""
    from cloudml_local import processes

    del context
    home = Path(tempfile.mkdtemp(prefix="cloudml-rehearsal-")).resolve()
    try:
        yield _provider(Places(home), settings.jobs)
    finally:
        processes.end(home)
        processes.remove(home)


PLUGIN = Plugin(
    name="local",
    title="the local provider",
    settings=LocalSettings,
    capabilities=CAPABILITIES,
    connect=connect,
    check=check,
    reads_state_without_sdk=True,
    poll_s=(0.05, 1.0),
    rehearse=rehearse,
)
