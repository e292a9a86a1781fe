"""``python -m cloudml.runtime.driver --request FILE``: runs one job the same way at every provider.

Makes the folders, installs the requirements, starts the script with its arguments and variables, passes its lines
through, hands on signals, keeps the time limit, and leaves the record.

    exit code        when
    the script's     always, if it is not 0; 128 + signal if a signal ended it
    0                the script succeeded
    1                it was never started: requirements, folders
    2                the request is wrong
    124              the time was up, and the script ended with 0
    128 + signal     a signal came, and the script ended with 0: whether it had finished, only the script knows

A request file is named by ``--request`` or the variable CLOUDML_REQUEST. ``--set NAME=VALUE`` adds a variable that the
request's paths may name, for providers that tell paths on the command line only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import Callable, Mapping, Sequence

from cloudml.runtime import contract, outcome, process, record, staging
from cloudml.runtime.outcome import Outcome
from cloudml.runtime.request import Request, RequestError, read


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cloudml.runtime.driver", description="Run one job of cloudml.")
    parser.add_argument("--request", default=os.environ.get("CLOUDML_REQUEST"), metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="given")
    options = parser.parse_args(argv)
    if not options.request:
        parser.error("no job request; give --request FILE or set CLOUDML_REQUEST")
    return carry_out(options.request, dict(text.partition("=")[::2] for text in options.given))


def carry_out(path: str, given: Mapping[str, str], *, heard: Callable[[], None] = process.nothing) -> int:
    """Run the job that the request file at *path* describes; the exit code for this process, see the module.

    Args:
        path: Of the file.
        given: Variables that its paths may name, besides those of the environment.
        heard: Called at each signal that asks for the end.
    """
    try:
        request = read(path, {**os.environ, **given})
    except RequestError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        process.tell(2, f"cloudml: error: {error}{hint}\n".encode("utf-8", "replace"))
        _tell_provider(str(error), "")
        return outcome.WRONG
    return run(request, heard)


def run(request: Request, heard: Callable[[], None] = process.nothing) -> int:
    """Run the job; the exit code for this process, see the module."""
    stop, tail, started = process.Stop(request.grace_s, request.timeout_s, heard), process.Tail(), record.now()
    with stop:
        try:
            ended = _run(request, tail, stop, started)
        except OSError as error:
            ended = Outcome("failed", None, f"the folders of the job cannot be used: {error}")
            with contextlib.suppress(OSError):
                outcome.write(staging.record_place(request), ended, started)
        if ended.state != "succeeded":
            _say(f"{ended.state}: {ended.reason}")
            _tell_provider(ended.reason, tail.text)
        return outcome.exit_code(ended, stop.signal)


def _run(request: Request, tail: process.Tail, stop: process.Stop, started: str) -> Outcome:
    with staging.staged(request, os.environ) as stage:
        place = staging.record_place(request)
        for folder in dict.fromkeys((place, stage.request.record)):
            outcome.write(folder, outcome.RUNNING, started)
        ended = _attempt(stage, tail, stop)
        record.write_text(stage.request.record, "tail.log", tail.text)
        outcome.write(stage.request.record, ended, started)
    return ended


def _attempt(stage: staging.Stage, tail: process.Tail, stop: process.Stop) -> Outcome:
    request, code = stage.request, None
    try:
        missing = _install(request, tail, stop)
        if missing and not stop.begun:
            return Outcome("failed", None, missing)
        if not missing:
            start = staging.start(stage, os.environ)
            for text in start.left_out:
                _say(text)
            code = process.run(
                start.command,
                cwd=request.source,
                env=start.environment,
                tail=tail,
                stop=stop,
                meanwhile=lambda: _tell_versions(request),
            )
    except OSError as error:
        return Outcome("failed", None, f"cannot start {request.script}: {error}")
    return outcome.judged(request.script, code, number=stop.signal, timed_out=stop.timed_out, last=tail.last)


def _install(request: Request, tail: process.Tail, stop: process.Stop) -> str:
    """Why what the job requires could not be installed; empty when it is."""
    path = request.requirements
    if path is None:
        return ""
    from cloudml.runtime import requirements  # only here: most jobs have none, and it is a tenth of all that starts one

    def run_pip(line: Sequence[str], cwd: str) -> int | None:
        return process.run(line, cwd=cwd, env=os.environ, tail=tail, stop=stop)

    try:
        requirements.install(path, request.site, run=run_pip, say=_say, stopped=stop.due)
    except requirements.InstallError as error:
        return str(error) or requirements.reason(path, tail.text)
    return ""


def _tell_versions(request: Request) -> None:
    """Write what the script can import; while it starts, since it takes as long as starting it."""
    with contextlib.suppress(OSError):
        record.write_versions(request.record, request.site)


def _tell_provider(reason: str, tail: str) -> None:
    for path in contract.failure_files(os.environ):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(contract.failure_text(reason, tail))


def _say(text: str) -> None:
    process.tell(1, f"cloudml: {text}\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main())
