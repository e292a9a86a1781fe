"""Everything a script needs around it before it starts: folders, command line, environment."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from typing import Iterator, Mapping, NamedTuple

from cloudml.runtime import arguments, contract, record, variables
from cloudml.runtime.request import Request, document

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Stage(NamedTuple):
    """A job ready to run.

    Attributes:
        request: The request as the script sees it.
        folder: Private to this run and gone after it; holds request.json and SageMaker's ``input`` folder.
    """

    request: Request
    folder: str


class Start(NamedTuple):
    """What the script is started with, and a sentence for each thing that could not be passed."""

    command: list[str]
    environment: dict[str, str]
    left_out: list[str]


def record_place(request: Request) -> str:
    """The folder of this host's record: hosts that do not lead have theirs inside the leading one's."""
    return request.record if request.leads else os.path.join(request.record, "hosts", request.current_host)


@contextlib.contextmanager
def staged(request: Request, environ: Mapping[str, str]) -> Iterator[Stage]:
    """Make the folders of the job; afterwards put the record in its place.

    Where files cannot grow, the script writes its record elsewhere and it is copied at the end.

    Raises:
        OSError: A folder cannot be made or written.
    """
    place = record_place(request)
    for path in (place, request.checkpoints, *request.outputs.values()):
        os.makedirs(path, exist_ok=True)
    folder = os.path.realpath(tempfile.mkdtemp(prefix="cloudml-"))
    try:
        grows = contract.appends(place, environ)
        live = request._replace(record=place if grows else os.path.join(folder, "record"))
        record.begin(live.record, request.parameters, resumed=bool(os.listdir(request.checkpoints)))
        with open(os.path.join(folder, "request.json"), "w", encoding="utf-8") as file:
            json.dump(document(live), file)
        _lay_inputs(live, folder)
        yield Stage(live, folder)
        _sweep(live.record)
        if not grows:
            _copy(live.record, place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(stage: Stage, environ: Mapping[str, str]) -> Start:
    """How the script is to be started.

    Raises:
        OSError: The script cannot be read.
    """
    request = stage.request
    shell = request.script.endswith(".sh")
    with open(request.script_path, "rb") as file:
        options = {} if shell else arguments.declared(file.read())
    paths = {**request.outputs, **request.inputs}
    line = arguments.line(request.parameters, paths, options, request.arguments)
    scene = variables.scene(request, stage.folder, line.arguments, environ)
    os.makedirs(os.path.join(scene.output, "data"), exist_ok=True)
    made, unset = variables.variables(scene, environ)
    made["PYTHONPATH"] = variables.python_path(request, made, ROOT)
    unset = [f"the variable {name} is not set: its value is too long for one" for name in unset]
    command = ["sh" if shell else sys.executable, request.script_path, *line.arguments]
    return Start(command, made, [*line.left_out, *unset])


def _lay_inputs(request: Request, folder: str) -> None:
    """SageMaker's ``input`` folder: channels as links, and the files that describe them."""
    data, config = (os.path.join(folder, "input", name) for name in ("data", "config"))
    os.makedirs(data)
    os.makedirs(config)
    for name, path in request.inputs.items():
        os.symlink(path, os.path.join(data, name))
    for name, content in variables.config_files(request).items():
        record.write_json(config, name, content)


def _sweep(place: str) -> None:
    """Remove SageMaker's output folders where nothing was put into them."""
    for name in ("output/data", "output"):
        with contextlib.suppress(OSError):  # something is in it, or it lies elsewhere
            os.rmdir(os.path.join(place, name))


def _copy(source: str, target: str) -> None:
    """Copy a record, status.json last: it says that the rest is there."""
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("status.json"))
    shutil.copyfile(os.path.join(source, "status.json"), os.path.join(target, "status.json"))
