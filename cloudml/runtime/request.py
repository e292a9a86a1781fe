"""The job request: what a provider hands the driver, as one JSON document.

    key           value                                                        default
    version       1                                                            required
    name          name of this run at its provider                             required
    script        file in `source`; `.sh` is run by sh, all else by Python     required
    source        folder of the user's code                                    required
    record        folder for what every run leaves behind (see `record`)       required
    resource      "jobs.train", the job's name in the project                  ""
    inputs        {name: path}                                                 {}
    outputs       {name: path}; the folders are made                           {}
    parameters    {name: scalar, list or object}                               {}
    environment   {name: text}, set for the script                             {}
    arguments     inputs and outputs to pass as arguments, see `arguments`     []
    checkpoints   folder that outlives a run                                   "<record>/checkpoints"
    requirements  file of requirements, in `source` unless absolute            null: nothing is installed
    site          folder for the installed packages                            null: this Python's own
    timeout_s     seconds from the driver's start until SIGTERM                null: none
    grace_s       seconds between SIGTERM and SIGKILL                          30
    hosts         all hosts of the job, the first one leads                    null: what the provider says
    current_host  this host                                                    null: the first

A path (source, record, checkpoints, site, requirements, inputs, outputs) may name variables as ``${NAME}``, because
some providers tell their paths only inside the container; ``$${`` stands for ``${``. `contract.located` says what else
is understood. Nothing else is expanded: parameters and environment are taken as they stand.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Callable, Mapping, NamedTuple

from cloudml.runtime import contract

VERSION = 1
GRACE_S = 30
_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")


class RequestError(ValueError):
    """The request cannot be carried out as it stands."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Request(NamedTuple):
    """A request with every path resolved; the keys of the document above."""

    name: str
    script: str
    source: str
    record: str
    resource: str = ""
    inputs: Mapping[str, str] = {}
    outputs: Mapping[str, str] = {}
    parameters: Mapping[str, Any] = {}
    environment: Mapping[str, str] = {}
    arguments: tuple[str, ...] = ()
    checkpoints: str = ""
    requirements: str | None = None
    site: str | None = None
    timeout_s: float | None = None
    grace_s: float = GRACE_S
    hosts: tuple[str, ...] = ()
    current_host: str = ""

    @property
    def script_path(self) -> str:
        return os.path.join(self.source, self.script)

    @property
    def leads(self) -> bool:
        """Is this the only host, or the first of several?"""
        return self.current_host == self.hosts[0]


class _Kind(NamedTuple):
    words: str
    fits: Callable[[Any], bool]
    optional: bool = True


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_NEEDED_TEXT = _Kind("a text", _text, optional=False)
_TEXT = _Kind("a text", _text)
_KINDS: Mapping[str, _Kind] = {
    "version": _Kind("a number", _number, optional=False),
    "name": _NEEDED_TEXT,
    "script": _NEEDED_TEXT,
    "source": _NEEDED_TEXT,
    "record": _NEEDED_TEXT,
    "resource": _Kind("a text", lambda value: isinstance(value, str)),
    "inputs": _Kind("an object of paths", _texts),
    "outputs": _Kind("an object of paths", _texts),
    "parameters": _Kind("an object", lambda value: isinstance(value, dict)),
    "environment": _Kind("an object of texts", _texts),
    "arguments": _Kind("a list of names", _list),
    "checkpoints": _TEXT,
    "requirements": _TEXT,
    "site": _TEXT,
    "timeout_s": _Kind("a number of seconds", _number),
    "grace_s": _Kind("a number of seconds", _number),
    "hosts": _Kind("a list of host names", lambda value: _list(value) and value != []),
    "current_host": _TEXT,
}


def parse(document: object, environ: Mapping[str, str]) -> Request:
    """The request in *document*, its variables filled in from *environ*.

    Raises:
        RequestError: A key is unknown, missing or of the wrong kind, or a path names an unknown variable.
    """
    if not isinstance(document, dict):
        raise RequestError("the job request is not a JSON object", hint="cloudml.runtime.request describes its keys")
    _check(document)
    given = {key: value for key, value in document.items() if value is not None and key != "version"}
    hosts, current = contract.hosts(environ)
    given.setdefault("hosts", hosts)
    given.setdefault("current_host", current if current in given["hosts"] else given["hosts"][0])
    given.setdefault("checkpoints", given["record"].rstrip("/") + "/checkpoints")
    given["hosts"], given["arguments"] = tuple(given["hosts"]), tuple(given.get("arguments", ()))
    return _resolved(Request(**given), environ)


def read(path: str, environ: Mapping[str, str]) -> Request:
    """The request in a file.

    Raises:
        RequestError: The file cannot be read, is no JSON, or see `parse`.
    """
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise RequestError(f"cannot read the job request: {error}", hint="give its path with --request FILE") from error
    except ValueError as error:
        raise RequestError(f"the job request {path} is not JSON: {error}") from error
    return parse(document, environ)


def document(request: Request) -> dict[str, Any]:
    """The document that `parse` reads back as the same request, whatever the environment."""
    content: dict[str, Any] = {"version": VERSION, **request._asdict()}
    for key in ("source", "record", "checkpoints", "requirements", "site"):
        content[key] = content[key] and _escaped(content[key])
    for key in ("inputs", "outputs"):
        content[key] = {name: _escaped(path) for name, path in content[key].items()}
    return {**content, "hosts": list(request.hosts), "arguments": list(request.arguments)}


def expand(text: str, environ: Mapping[str, str]) -> str:
    """*text* with ``${NAME}`` filled in and ``$${`` as ``${``.

    Raises:
        RequestError: There is no such variable.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "${"
        if name not in environ or not match.group().endswith("}"):
            raise RequestError(
                f"the path `{text}` names the variable `{name}`, which is not set here",
                hint="set it, pass --set NAME=VALUE to the driver, or write $${ for a plain ${",
            )
        return environ[name]

    return _VARIABLE.sub(value, text)


def _escaped(path: str) -> str:
    return path.replace("${", "$${")


def _check(document: Mapping[str, Any]) -> None:
    if document.get("version") not in {VERSION, None}:
        raise RequestError(
            f"the job request has version {document['version']!r}; this runtime reads version {VERSION}",
            hint="let the request and the runtime come from the same cloudml",
        )
    for key in document:
        if key not in _KINDS:
            from difflib import get_close_matches  # only here: no job that runs needs it

            near = get_close_matches(key, _KINDS, 1)
            raise RequestError(
                f"the job request has an unknown key `{key}`", hint=f"did you mean `{near[0]}`?" * bool(near)
            )
    for key, kind in _KINDS.items():
        value = document.get(key)
        if value is None and not kind.optional:
            raise RequestError(f"the job request lacks the key `{key}`", hint=f"it must hold {kind.words}")
        if value is not None and not kind.fits(value):
            raise RequestError(f"`{key}` of the job request is {value!r}", hint=f"it must hold {kind.words}")


def _resolved(request: Request, environ: Mapping[str, str]) -> Request:
    def path(text: str, base: str = "") -> str:
        try:
            place = contract.located(expand(text, environ), environ)
        except contract.NotAPathError as error:
            raise RequestError(str(error), hint="mount or download it, and name the folder") from error
        return os.path.abspath(os.path.join(base, place))

    source = path(request.source)
    return request._replace(
        source=source,
        record=path(request.record),
        checkpoints=path(request.checkpoints),
        site=path(request.site) if request.site else None,
        requirements=path(request.requirements, source) if request.requirements else None,
        inputs={name: path(text) for name, text in request.inputs.items()},
        outputs={name: path(text) for name, text in request.outputs.items()},
    )
