"""The process that looks after one job: ``python -m cloudml_local.runner STATE_FOLDER JOB ATTEMPT``.

It waits for its turn, is the driver of cloudml.runtime, sees to it that nothing of the job is left running, writes down
how it ended, and wakes the runner whose turn is next. It has a session of its own, so it outlives the command that
started it.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.records import dataclass
from cloudml.runtime import driver
from cloudml.states import JobState
from cloudml_local import database, processes, runs
from cloudml_local.places import Places, Run
from cloudml_local.state import Row, State

if TYPE_CHECKING:
    from types import FrameType

QUEUE_S = (0.5, 1.0)
"""The first and the longest pause between two looks at the queue, where nobody wakes this process."""
STOPS = (signal.SIGTERM, signal.SIGINT)
WAITING = (JobState.QUEUED, JobState.RUNNING, JobState.STOPPING)
"""The states of jobs that have a place in the queue, or had one and are not over."""
STOP_S = 8.0
"""What the driver has besides the grace of the script, before all is killed."""

MEMORY = Path("/dev/shm")  # noqa: S108  a folder of its own is made there
"""Where files lie in memory (Linux)."""


class _OverdueError(BaseException):
    """The driver was asked to end, and did not in its time; nothing in it may catch this."""


def may_start(mine: Row, everyone: list[Row]) -> bool:
    """Whether it is this job's turn: fewer than the limit run or wait longer."""
    limit = mine.body.get("at_once") or processes.cpus()
    busy = (row for row in everyone if row.name != mine.name and _before(row, mine) and not row.orphaned)
    return sum(1 for _ in islice(busy, limit)) < limit


def _before(row: Row, mine: Row) -> bool:
    if row.state in {JobState.RUNNING, JobState.STOPPING}:
        return True
    return row.state == JobState.QUEUED and (row.created, row.name) < (mine.created, mine.name)


def wake_next(state: State) -> None:
    """Wake the runner that waits longest; without this it would look by itself, some moments later."""
    waiting = (row for row in state.brief("jobs", (JobState.QUEUED,)) if row.facts.get("role") == runs.RUNNER)
    next((row for row in waiting if processes.send(row.owner, processes.WAKE)), None)


@dataclass(slots=True)
class Runner:
    """One run of a job.

    Attributes:
        stopping: Somebody asked it to end.
    """

    state: State
    name: str
    attempt: str
    stopping: bool = False

    def run(self) -> None:
        """From the queue to the end."""
        processes.adopt_orphans()
        for number in STOPS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGALRM, self._overdue)
        row = self._turn()
        if row is None:
            return
        code = self._carry_out(row) if row.state == JobState.RUNNING else 0
        processes.end_children()
        runs.finish(self.state, row, code)
        wake_next(self.state)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopping = True

    def _overdue(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        raise _OverdueError

    def _mine(self, now: Row) -> Row | None:
        if JobState(now.state).over or now.facts.get("attempt") != self.attempt:
            return None
        if now.facts.get("role") == runs.RUNNER and now.owner != processes.me() and not now.orphaned:
            return None  # it was started twice: whoever asked for the first one did not hear of it
        return now.with_facts(owner=processes.me(), role=runs.RUNNER)

    def _turn(self) -> Row | None:
        """Wait in the queue; the job that may start now, or was cancelled; None where it is not this runner's."""
        pause, longest = QUEUE_S

        def start(mine: Row, everyone: list[Row]) -> Row | None:
            ours = self._mine(mine)
            if ours is not None and ours.state == JobState.QUEUED and may_start(ours, everyone):
                return replace(ours, state=JobState.RUNNING)
            return ours if ours != mine else None

        signal.pthread_sigmask(signal.SIG_BLOCK, (processes.WAKE,))
        try:
            while True:
                row = self.state.claim("jobs", self.name, start, among=WAITING)
                if row is not None and row.state == JobState.RUNNING:
                    return row
                row = row or self.state.look("jobs", self.name)
                if row is None or self._mine(row) is None:
                    return None
                if self.stopping or row.state == JobState.STOPPING:
                    return row
                processes.doze(pause)
                pause = min(2 * pause, longest)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (processes.WAKE,))

    def _carry_out(self, row: Row) -> int:
        """Be the driver until it ends; its exit code, negative where it had to be interrupted."""
        run = Run(self.state.places.folder("jobs", self.name))
        run.staging.mkdir(exist_ok=True)
        os.chdir(run.folder)
        if not any(map(os.environ.get, processes.TEMPORARY)) and os.access(MEMORY, os.W_OK | os.X_OK):
            tempfile.tempdir = str(MEMORY)  # for the driver's few small files, which go with the run
        hurry = partial(_hurry, float(row.body["grace_s"]) + STOP_S)
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # until the driver listens to them
        if self.stopping:
            os.kill(os.getpid(), signal.SIGTERM)
        try:
            return driver.carry_out(str(run.request), {}, heard=hurry)
        except _OverdueError:
            return -signal.SIGKILL
        except Exception:  # noqa: BLE001  it must not keep from writing down how the job ended
            traceback.print_exc()
            return 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _hurry(seconds: float) -> None:
    """Begin to count the time that the driver has to end, unless it is counted already."""
    if not signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, seconds)


def compile_constructors() -> None:
    """Make the constructors of what every runner makes; each is compiled when its class is first used."""
    for kind in (Places, State, Row, Runner, Run, runs.Seen, database.Connections, database.Kept):
        getattr(kind, "__init__")  # noqa: B009  looking it up compiles it


def main(home: str, name: str, attempt: str) -> None:
    """Look after one job."""
    state = State(Places(Path(home)))
    with state.holding():
        Runner(state, name, attempt).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
