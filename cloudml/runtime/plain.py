"""What a script gets that nobody but Python has started: ``python train.py --max_iter 50``.

If cloudml itself is installed and a cloudml.yaml beside or above the script names it, the project's values hold, and
``--name value`` replaces a parameter. Otherwise

    inputs       CLOUDML_INPUT_NAME (the name in lower case), or ``--name value`` where the value is a path that exists
    outputs      ./outputs/NAME, for any name
    parameters   ``--name value``, ``--name=value``, ``--name`` (true); numbers, true and false are read as such
    record       ./outputs/_cloudml
    checkpoints  ./outputs/_checkpoints
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Sequence

from cloudml.runtime import record
from cloudml.runtime.request import Request, parse

_PREFIX = "CLOUDML_INPUT_"


class Found(NamedTuple):
    """A request; *closed* if it has all outputs that there are."""

    request: Request
    closed: bool


def find() -> Found:
    """The job of the script that this process runs."""
    script = os.path.abspath(getattr(sys.modules["__main__"], "__file__", None) or "notebook")
    given = arguments(sys.argv[1:])
    document = _of_project(script)
    if document is None:
        return Found(made_up(script, given, os.environ), closed=False)
    request = parse(document, os.environ)
    known = {name: value for name, value in given.items() if name in request.parameters}
    return Found(request._replace(parameters={**request.parameters, **known}), closed=True)


def arguments(argv: Sequence[str]) -> dict[str, Any]:
    """The named arguments in a command line, typed by their looks; dashes in names become underscores."""
    found: dict[str, Any] = {}
    for index, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if not name.startswith("--") or name == "--":
            continue
        after = argv[index + 1] if index + 1 < len(argv) else "--"
        shown = value if equals else "true" if after.startswith("--") else after
        found[name[2:].replace("-", "_")] = typed(shown)
    return found


def typed(text: str) -> str | float:
    """A number or truth value if *text* looks like one, else the text."""
    if text in {"True", "False"}:
        return text == "True"
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text


def made_up(script: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> Request:
    """The request outside of any project."""
    inputs = {name: value for name, value in given.items() if isinstance(value, str) and os.path.exists(value)}
    named = {name[len(_PREFIX) :].lower(): path for name, path in environ.items() if name.startswith(_PREFIX)}
    return Request(
        name=Path(script).stem,
        script=os.path.basename(script),
        source=os.path.dirname(script),
        record=os.path.abspath("outputs/_cloudml"),
        checkpoints=os.path.abspath("outputs/_checkpoints"),
        inputs={name: os.path.abspath(path) for name, path in {**named, **inputs}.items()},
        parameters={name: value for name, value in given.items() if name not in inputs},
        hosts=("localhost",),
        current_host="localhost",
    )


def output(name: str) -> Path:
    """The folder of an output outside of any project."""
    folder = Path("outputs", name).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare(found: Found) -> None:
    """Make the folders, set the variables the job asks for, begin the record. No state is kept: nobody sees the end."""
    request = found.request
    for path in (request.checkpoints, *request.outputs.values()):
        os.makedirs(path, exist_ok=True)
    for name, value in request.environment.items():
        os.environ.setdefault(name, value)
    if not _is_worker():
        record.begin(request.record, request.parameters, resumed=bool(os.listdir(request.checkpoints)))
        record.write_versions(request.record)


def _is_worker() -> bool:
    """Was this process started by multiprocessing? Then it adds to the record that its parent began."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _of_project(script: str) -> Mapping[str, Any] | None:
    if importlib.util.find_spec("cloudml.workbench") is None:
        return None
    try:
        workbench = importlib.import_module("cloudml.workbench")
    except ImportError:  # its files are here, what it needs is not
        return None
    found: Mapping[str, Any] | None = workbench.job_request(script)
    return found
