"""The process that looks after one job: ``python -m cloudml_local.runner STATE_FOLDER JOB ATTEMPT``.

It waits for its turn, starts the driver of cloudml.runtime, hands on the wish to stop, sees to it that nothing of the
job is left running, and writes down how it ended. It has a session of its own, so it outlives the command that
started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.states import JobState
from cloudml_local import processes, runs
from cloudml_local.places import Places, Run
from cloudml_local.state import Row, State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

DRIVER = "cloudml.runtime.driver"
QUEUE_S = (0.05, 0.5)
"""The first and the longest pause between two looks at the queue."""
LOOK_S = 0.5
STOP_S = 8.0
"""What the driver has besides the grace of the script, before it is killed as well."""


def may_start(mine: Row, everyone: list[Row]) -> bool:
    """Whether it is this job's turn: fewer than the limit run or wait longer."""
    limit = mine.body.get("at_once") or processes.cpus()
    busy = [row for row in everyone if row.name != mine.name and _before(row, mine) and not row.orphaned]
    return len(busy) < limit


def _before(row: Row, mine: Row) -> bool:
    if row.state in {JobState.RUNNING, JobState.STOPPING}:
        return True
    return row.state == JobState.QUEUED and (row.created, row.name) < (mine.created, mine.name)


@dataclass(slots=True)
class Runner:
    """One run of a job."""

    state: State
    name: str
    attempt: str
    stopping: bool = False
    driver: subprocess.Popen[bytes] | None = field(default=None)

    def run(self) -> None:
        """From the queue to the end."""
        processes.adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        row = self.state.edit("jobs", self.name, self._mine)
        if row is None:
            return
        code = self._carry_out(row) if self._turn() else 0
        processes.end_children()
        runs.finish(self.state, row, code)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopping = True
        if self.driver is not None:
            self.driver.terminate()

    def _mine(self, now: Row) -> Row | None:
        over = JobState(now.state).over
        if over or now.facts.get("attempt") != self.attempt:
            return None
        return now.with_facts(owner=processes.me(), role=runs.RUNNER)

    def _turn(self) -> bool:
        """Wait in the queue; whether the job may start, and was not cancelled."""
        pause, longest = QUEUE_S

        def start(mine: Row, everyone: list[Row]) -> Row | None:
            ready = mine.state == JobState.QUEUED and may_start(mine, everyone)
            return replace(mine, state=JobState.RUNNING) if ready else None

        while self.state.claim("jobs", self.name, start) is None:
            row = self.state.look("jobs", self.name)
            if self.stopping or row is None or row.state == JobState.STOPPING:
                return False
            time.sleep(pause)
            pause = min(2 * pause, longest)
        return True

    def _carry_out(self, row: Row) -> int:
        """Run the driver to its end; its exit code."""
        run = Run(self.state.places.folder("jobs", self.name))
        self.driver = self._driver(run)
        if self.stopping:  # it came while the driver was being started
            self.driver.terminate()
        return self._wait(self.driver, row.body)

    def _driver(self, run: Run) -> subprocess.Popen[bytes]:
        run.staging.mkdir(exist_ok=True)
        return subprocess.Popen(
            processes.argv(DRIVER, ["--request", str(run.request)]),
            cwd=run.folder,
            env=processes.marked_environment(os.environ, run.folder),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=partial(processes.die_with, os.getpid()),  # noqa: PLW1509  this process has one thread
        )

    def _wait(self, driver: subprocess.Popen[bytes], body: Mapping[str, Any]) -> int:
        kill_at = float("inf")
        while True:
            with suppress(subprocess.TimeoutExpired):
                return driver.wait(timeout=LOOK_S)
            if self.stopping and kill_at == float("inf"):
                kill_at = time.monotonic() + float(body["grace_s"]) + STOP_S
            if time.monotonic() > kill_at:
                driver.kill()


def main(home: str, name: str, attempt: str) -> None:
    """Look after one job."""
    Runner(State(Places(Path(home))), name, attempt).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
