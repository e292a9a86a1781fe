"""The process that looks after one job: ``python -m cloudml_local.runner STATE_FOLDER JOB ATTEMPT``.

It waits for its turn, forks into the driver of cloudml.runtime, hands on the wish to stop, sees to it that nothing of
the job is left running, writes down how it ended, and wakes the runner whose turn is next. It has a session of its own,
so it outlives the command that started it.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
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
"""What the driver has besides the grace of the script, before it is killed as well."""


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
    waiting = (row for row in state.find("jobs", among=(JobState.QUEUED,)) if row.facts.get("role") == runs.RUNNER)
    next((row for row in waiting if processes.send(row.owner, processes.WAKE)), None)


@dataclass(slots=True)
class Runner:
    """One run of a job.

    Attributes:
        driver: The number of its driver, while there is one.
        grace_s: What the driver has to end when it is asked to.
    """

    state: State
    name: str
    attempt: str
    stopping: bool = False
    driver: int = 0
    grace_s: float = 0.0

    def run(self) -> None:
        """From the queue to the end."""
        processes.adopt_orphans()
        for number in STOPS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
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
        if self.driver:
            os.kill(self.driver, signal.SIGTERM)
            if not signal.getitimer(signal.ITIMER_REAL)[0]:
                signal.setitimer(signal.ITIMER_REAL, self.grace_s)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.driver:
            os.kill(self.driver, signal.SIGKILL)

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
        """Run the driver to its end; its exit code, negative where a signal ended it."""
        run = Run(self.state.places.folder("jobs", self.name))
        run.staging.mkdir(exist_ok=True)
        self.grace_s = float(row.body["grace_s"]) + STOP_S
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        self.driver = processes.fork(lambda: drive(run))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        if self.stopping:  # perhaps before there was a driver
            self._stop(signal.SIGTERM, None)
        _, status = os.waitpid(self.driver, 0)
        self.driver = 0
        return os.waitstatus_to_exitcode(status)


def compile_constructors() -> None:
    """Make the constructors of what every runner makes; each is compiled when its class is first used."""
    for kind in (Places, State, Row, Runner, Run, runs.Seen, database.Connections, database.Kept):
        getattr(kind, "__init__")  # noqa: B009  looking it up compiles it


def drive(run: Run) -> int:
    """What the child of a runner does; its exit code."""
    os.chdir(run.folder)
    return driver.carry_out(str(run.request), {})


def main(home: str, name: str, attempt: str) -> None:
    """Look after one job."""
    state = State(Places(Path(home)))
    with state.holding():
        Runner(state, name, attempt).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
