"""What travels to a cloud with a job, and the record that comes back: the same for every provider with object storage.

The folder that travels:

    start.py        what the container starts: the driver of cloudml.runtime on the request
    request.json    the job request, see `cloudml.runtime.request`
    source/         the user's code
    runtime.zip     cloudml.runtime, standard library only; one file, since each costs requests
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cloudml.progress import Progress
    from cloudml.resources import JobResource
    from cloudml.runtime.record import Record
    from cloudml.specs import JobSpec
    from cloudml.storage import Pushed, Storage

START = "start.py"
SOURCE = "source"
RUNTIME = "runtime.zip"
REQUEST = "request.json"
STARTER = f'''"""Starts the job's driver; written by cloudml."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "{RUNTIME}"))

from cloudml.runtime import driver

sys.exit(driver.main(["--request", os.path.join(HERE, "{REQUEST}"), *sys.argv[1:]]))
'''


def requirements_file(spec: JobSpec) -> str:
    """Where the requirements lie in the code: in their place, from which relative paths in them count."""
    path = PurePosixPath(spec.requirements or "")
    return "requirements.txt" if path.is_absolute() or ".." in path.parts else str(path)


def lay_out(resource: JobResource, request: Mapping[str, Any], folder: Path) -> None:
    """Write what travels with a job into *folder*, which is there and empty."""
    from cloudml.packing import pack

    pack(resource.source, folder / SOURCE)
    if resource.requirements:
        write(folder / SOURCE / requirements_file(resource.spec), resource.requirements.encode())
    lay_runtime(folder)
    write(folder / REQUEST, json.dumps(request, indent=1, ensure_ascii=False).encode())
    write(folder / START, STARTER.encode())


def lay_runtime(folder: Path) -> None:
    """Write the part of cloudml that runs inside containers into *folder*, as one archive."""
    from cloudml.packing import runtime_archive

    write(folder / RUNTIME, runtime_archive())


def write(path: Path, content: bytes) -> None:
    """Write one file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of this computer that is gone afterwards."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="cloudml-") as name:
        yield Path(name).resolve()


def push_folder(storage: Storage, folder: Path, prefix: str, progress: Progress) -> Pushed:
    """Bring all files of *folder* to *prefix*, so that it holds them and nothing else; contents travel once."""
    from cloudml.storage import scan

    return storage.push(scan(str(folder), folder, None), prefix, progress)


def read(storage: Storage, prefix: str) -> Record:
    """The record at *prefix*, as far as it is there; its state is `unknown` where it is not."""
    from cloudml.runtime.record import read_record

    with folder() as here:
        with suppress(NotFoundError):  # it is not there, or not yet
            storage.download(prefix, here)
        return read_record(here)
