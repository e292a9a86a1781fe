"""Running a job in the calling process, so that a debugger stops in the script."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Iterator, Mapping

from cloudml.runtime import jobs, outcome, record, requirements, staging
from cloudml.runtime.outcome import Outcome
from cloudml.runtime.request import Request, parse


@contextlib.contextmanager
def running(request: Mapping[str, Any]) -> Iterator[jobs.Job]:
    """Be the job's process: `job()` gives this job, and environment, folder, ``sys.argv`` and ``sys.path`` are its own.

    Everything is put back afterwards, and the modules of the user's code are forgotten. The record is left as the
    driver leaves it, without tail.log: the lines go where the caller's go. Requirements are taken from `site` if they
    are installed there, and never installed. Time limits and signals are the caller's.

    Raises:
        RequestError: The request is wrong.
        OSError: The folders of the job cannot be used.
    """
    wanted = parse(request, os.environ)
    started = record.now()
    with staging.staged(wanted, os.environ) as stage:
        outcome.write(stage.request.record, outcome.RUNNING, started)
        record.write_versions(stage.request.record, wanted.site)
        ended = Outcome("cancelled", None, "interrupted")
        try:
            with _place(stage):
                yield jobs.job()
            ended = Outcome("succeeded", 0)
        except SystemExit as leaving:
            ended = _left(wanted, leaving.code)
            raise
        except Exception as error:
            ended = Outcome("failed", outcome.FAILED, f"{wanted.script}: {type(error).__name__}: {error}")
            raise
        finally:
            outcome.write(stage.request.record, ended, started)


def _left(request: Request, code: object) -> Outcome:
    """The outcome of ``sys.exit(code)``: a text is the reason for a failure."""
    number = code if isinstance(code, int) else 0 if code is None else outcome.FAILED
    last = code if isinstance(code, str) else ""
    return outcome.judged(request.script, number, number=0, timed_out=False, last=last)


@contextlib.contextmanager
def _place(stage: staging.Stage) -> Iterator[None]:
    request, start = stage.request, staging.start(stage, os.environ)
    before = dict(os.environ), os.getcwd(), sys.argv, list(sys.path), set(sys.modules)
    jobs.enter(request)
    try:
        os.environ.update(start.environment)
        os.chdir(request.source)
        sys.argv = start.command[1:]
        site = [request.site] if request.site and requirements.installed(request.site) else []
        sys.path[:0] = [os.path.dirname(request.script_path), request.source, *site]
        yield
    finally:
        jobs.leave()
        environment, folder, sys.argv, sys.path[:], modules = before
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        _forget(request.source, modules)


def _forget(source: str, known: set[str]) -> None:
    """Drop the modules that came from the user's code, so that the next run reads them anew."""
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(source + os.sep):
            del sys.modules[name]
