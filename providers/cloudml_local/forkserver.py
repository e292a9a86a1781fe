"""A process that makes runners by forking: each is there in milliseconds, with all imported that it needs.

``python -m cloudml_local.forkserver``: it reads a line of JSON for each runner from its standard input and answers with
a line, the runner's number. It ends when its input does, that is with the process that uses it; its runners live on.

One runner alone is sooner there as a program of its own, so the first of a process is started so. Linux only: elsewhere
nothing could give a forked process the mark of its job.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from dataclasses import field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass
from cloudml_local import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MODULE = "cloudml_local.forkserver"
RUNNER = "cloudml_local.runner"
LINE_BYTES = 1 << 16


def request(arguments: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]) -> bytes:
    """The line that asks for a runner.

    Args:
        arguments: Those of `cloudml_local.runner.main`.
        folder: What it works for.
        log: What it and the job print is added there.
        environment: What it starts with; that of the server may be older.
    """
    said = {"arguments": arguments, "folder": str(folder), "log": str(log), "environment": dict(environment)}
    return json.dumps(said).encode() + b"\n"


@dataclass(slots=True)
class ForkServer:
    """The server that this process uses, started for its second runner; once it is gone, all are programs of their own.

    Threads may share it; a process that was forked from this one gets a server of its own.
    """

    _begun: bool = False
    _usable: bool = sys.platform == "linux"
    _user: int = 0
    _pipes: tuple[int, int] | None = None
    _lock: Lock = field(default_factory=Lock)

    def start(self, *arguments: str, folder: Path, log: Path) -> str:
        """Start a runner as `processes.start` does; the process, as it will be known again."""
        with self._lock:
            forked = 0
            if self._begun and self._usable:
                forked = self._ask(request(arguments, folder, log, os.environ))
                self._usable = bool(forked)
            self._begun = True
        if forked:
            return processes.identity(forked)
        return processes.start(RUNNER, *arguments, folder=folder, log=log)

    def _ask(self, line: bytes) -> int:
        """The number of the new runner; 0 where the server cannot tell."""
        if self._pipes is None or self._user != os.getpid():
            self._user, self._pipes = os.getpid(), processes.start_piped(MODULE)
        requests, answers = self._pipes
        answer = b""
        try:
            while line:
                line = line[os.write(requests, line) :]
            answer = os.read(answers, LINE_BYTES)  # so short a line comes whole
        except OSError:
            pass  # it was killed
        finally:
            if not answer:  # also where we were interrupted: the next answer must not be taken for this one's
                self.close()
        return int(answer or 0)

    def close(self) -> None:
        """Let the server end, if there is one; the next runner gets another."""
        pipes, self._pipes = self._pipes or (), None
        for descriptor in pipes:
            os.close(descriptor)


SERVER = ForkServer()


def serve(requests: int, answers: int) -> None:
    """Fork a runner for each line that comes, until no more can come."""
    from cloudml.runtime import record
    from cloudml_local import runner

    processes.shown_mark()  # an error, and with it the end, where no mark could be changed
    record.versions()  # remembered, as what follows: no runner looks again
    processes.me()
    tempfile.gettempdir()
    runner.compile_constructors()
    gc.collect()
    gc.freeze()  # no runner goes through what they share, which would copy it
    with open(requests, "rb", closefd=False) as lines:
        for line in lines:
            said = json.loads(line)
            child = processes.fork(partial(_become, said, runner.main))
            os.write(answers, b"%d\n" % child)
            processes.reap()


def _become(said: Mapping[str, Any], main: Callable[..., None]) -> int:
    """In the new process: be what `processes.start` would have started."""
    folder = Path(said["folder"])
    processes.redirect(Path(said["log"]))
    if any(os.environ.get(name) != said["environment"].get(name) for name in processes.TEMPORARY):
        tempfile.tempdir = None  # found anew
    os.environ.clear()
    os.environ.update(processes.marked_environment(said["environment"], folder))
    processes.mark_again(folder)
    main(*said["arguments"])
    return 0


if __name__ == "__main__":
    serve(0, 1)
