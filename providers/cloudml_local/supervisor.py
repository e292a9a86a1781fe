"""The process that looks after one endpoint: ``python -m cloudml_local.supervisor STATE_FOLDER ENDPOINT STARTER``.

It holds the listening socket, so that the port is never without a listener, and keeps a generation of workers that
accept from it. A new generation is brought up beside the old one and takes over when every worker of it is ready; one
that cannot start leaves the old one answering. A worker that dies is started again. When this process dies, however it
dies, its workers see the end of a pipe and stop.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass
from cloudml.status import State
from cloudml_local import processes
from cloudml_local.endpoints import BLOCKED, HOST, SUPERVISOR, failure
from cloudml_local.places import Places
from cloudml_local.schedule import Schedule
from cloudml_local.state import Row
from cloudml_local.state import State as Database

if TYPE_CHECKING:
    from types import FrameType

BEAT_S = 0.5
"""The longest pause between two looks at the workers and the wish of the row."""
LOOK_AT_ROW_S = 2.0
"""A wish is looked for so often, besides when a signal says that there is one."""
START_S = 600.0
"""A worker that is not ready after this long, packages and model loaded, never will be."""
DRAIN_S = 30.0
"""How long a worker that was told to stop may go on with what it is at."""
BACKLOG = 512
BACK_OFF_S = (0.1, 5.0)
"""The first and the longest pause before a worker that died is started again."""
CRASHES, WITHIN_S = 6, 60.0
"""So many deaths of workers in so much time are too many."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """One process that answers.

    Attributes:
        lifeline: Our end of a pipe; the worker stops when it closes.
        tidings: Our end of a pipe on which the worker says that it is ready.
        log_began: Where in the log its output begins.
    """

    process: subprocess.Popen[bytes]
    lifeline: int
    tidings: int
    log_began: int
    started: float = field(default_factory=time.monotonic)
    ready: bool = False
    kill_at: float = float("inf")

    def hear(self) -> None:
        """Learn whether it is ready."""
        if not self.ready and select.select([self.tidings], [], [], 0)[0]:
            self.ready = bool(os.read(self.tidings, 1))

    @property
    def gone(self) -> bool:
        return self.process.poll() is not None

    @property
    def late(self) -> bool:
        return not self.ready and time.monotonic() > self.started + START_S

    def stop(self) -> None:
        """Ask it to finish what it is at and end."""
        if self.kill_at == float("inf"):
            self.process.terminate()
            self.kill_at = time.monotonic() + DRAIN_S

    def let_go(self) -> bool:
        """Whether it has ended; one that takes too long is killed."""
        if time.monotonic() > self.kill_at:
            self.process.kill()
        if not self.gone:
            return False
        for descriptor in (self.lifeline, self.tidings):
            with suppress(OSError):
                os.close(descriptor)
        self.lifeline = self.tidings = -1
        return True


@dataclass(slots=True, kw_only=True)
class Generation:
    """The workers of one version."""

    hash: str
    body: dict[str, Any]
    attempt: str
    workers: list[Worker] = field(default_factory=list)
    deaths: list[float] = field(default_factory=list)
    again_at: float = 0.0

    @property
    def ready(self) -> bool:
        return all(worker.ready for worker in self.workers)


@dataclass(slots=True)
class Supervisor:
    """One endpoint."""

    database: Database
    name: str
    listener: socket.socket
    wakeup: int
    schedule: Schedule
    current: Generation | None = None
    coming: Generation | None = None
    leaving: list[Worker] = field(default_factory=list)
    over: bool = False
    asked: bool = True
    said: bool = True
    row_at: float = 0.0

    @property
    def log(self) -> Path:
        return self.database.places.folder("endpoints", self.name) / "log.txt"

    def run(self) -> None:
        """Until the endpoint is deleted or has failed."""
        while not self.over:
            self._follow_row()
            self._follow_coming()
            self._follow_current()
            self.leaving = [worker for worker in self.leaving if not worker.let_go()]
            self._follow_change()
            self.schedule.tick()
            self._sleep()
        self._stop_all()

    def _sleep(self) -> None:
        tidings = [worker.tidings for worker in self.coming.workers if not worker.ready] if self.coming else []
        ready, _, _ = select.select([self.wakeup, *tidings], [], [], BEAT_S)
        if self.wakeup in ready:
            os.read(self.wakeup, 4096)

    def _follow_row(self) -> None:
        """Begin what the row wishes for."""
        if not self.asked and time.monotonic() < self.row_at:
            return
        self.asked, self.row_at = False, time.monotonic() + LOOK_AT_ROW_S
        row = self.database.look("endpoints", self.name)
        if row is None or row.owner != processes.me():
            self.over = True
            return
        wanted = row.facts.get("wanted")
        # One that took over already is not begun again: its wish stays in the row until the old workers have let go.
        begun = {generation.attempt for generation in (self.coming, self.current) if generation is not None}
        if wanted is not None and wanted["attempt"] not in begun:
            self._dismiss(self.coming)
            self.coming = Generation(**wanted)
            for _ in range(self.coming.body["workers"]):
                self.coming.workers.append(self._worker(self.coming))

    def _follow_coming(self) -> None:
        coming = self.coming
        if coming is None:
            return
        for worker in coming.workers:
            worker.hear()
        fallen = next((worker for worker in coming.workers if worker.gone or worker.late), None)
        if fallen is not None:
            self._dismiss(coming)
            self.coming = None
            self._refuse(coming, f"the model could not be started: {failure(self.log, fallen.log_began)}")
        elif coming.ready:
            self._dismiss(self.current)
            self.current, self.coming, self.said = coming, None, False

    def _follow_current(self) -> None:
        """Start workers again that have died, a little later each time, and give up when it does not help."""
        current = self.current
        if current is None:
            return
        now = time.monotonic()
        for worker in [worker for worker in current.workers if worker.gone]:
            worker.let_go()
            current.workers.remove(worker)
            current.deaths = [*(death for death in current.deaths if death > now - WITHIN_S), now]
            current.again_at = now + min(BACK_OFF_S[0] * 2 ** (len(current.deaths) - 1), BACK_OFF_S[1])
            if len(current.deaths) >= CRASHES:
                self._give_up(current, f"its workers die again and again: {failure(self.log, worker.log_began)}")
                return
        for worker in current.workers:
            worker.hear()
        while len(current.workers) < current.body["workers"] and now >= current.again_at:
            current.workers.append(self._worker(current))

    def _follow_change(self) -> None:
        """Say that the new generation answers once nobody of an old one does any more."""
        if self.current is not None and not self.said and not self.leaving:
            self._say(self.current)
            self.said = True

    def _worker(self, generation: Generation) -> Worker:
        held, lifeline = os.pipe()
        tidings, told = os.pipe()
        passed = (self.listener.fileno(), held, told)
        began = self.log.stat().st_size
        process = subprocess.Popen(
            processes.argv("cloudml_local.worker", [json.dumps(generation.body), *map(str, passed)]),
            env={
                **os.environ,
                **generation.body["environment"],
                "CLOUDML_TOKEN_FILE": generation.body["token_file"],
            },
            stdin=subprocess.DEVNULL,
            pass_fds=passed,
        )
        os.close(held)
        os.close(told)
        return Worker(process=process, lifeline=lifeline, tidings=tidings, log_began=began)

    def _dismiss(self, generation: Generation | None) -> None:
        if generation is not None:
            for worker in generation.workers:
                worker.stop()
            self.leaving.extend(generation.workers)

    def _say(self, generation: Generation) -> None:
        """Write down that *generation* answers now."""

        def answers(now: Row) -> Row:
            row = replace(now, hash=generation.hash, body=generation.body)
            row = row.with_facts(workers=len(generation.workers))
            wish = now.facts.get("wanted") or {}
            if wish.get("attempt") != generation.attempt:
                return row  # somebody wishes for another one by now
            return replace(row, state=State.READY, reason="").with_facts(wanted=None)

        self.database.edit("endpoints", self.name, answers)

    def _refuse(self, generation: Generation, why: str) -> None:
        """Write down that *generation* cannot start: the endpoint has failed unless an older one answers."""
        state = State.READY if self.current else State.FAILED

        def refused(now: Row) -> Row | None:
            wish = now.facts.get("wanted") or {}
            if wish.get("attempt") != generation.attempt:
                return None
            row = replace(now, state=state, reason=why).with_facts(wanted=None)
            return row if self.current else _left(row)

        self.asked = True
        if self.database.edit("endpoints", self.name, refused) is not None and self.current is None:
            self.over = True

    def _give_up(self, generation: Generation, why: str) -> None:
        self._dismiss(generation)
        self.current = None
        self.over = self.coming is None
        self.database.edit("endpoints", self.name, lambda now: self._gave_up(now, why))

    def _gave_up(self, now: Row, why: str) -> Row:
        row = replace(now, state=State.FAILED, reason=why).with_facts(workers=None)
        return _left(row) if self.over else row

    def _stop_all(self) -> None:
        self.listener.close()
        self._dismiss(self.coming)
        self._dismiss(self.current)
        while self.leaving:
            self.leaving = [worker for worker in self.leaving if not worker.let_go()]
            time.sleep(processes.LOOK_S)
        processes.end_children()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT: stop. SIGHUP: there is a new wish. SIGCHLD: look at the workers."""
        del frame
        self.over = self.over or number in {signal.SIGTERM, signal.SIGINT}
        self.asked = self.asked or number == signal.SIGHUP


def _left(row: Row) -> Row:
    """The row without anybody who looks after it, so that an update starts another supervisor."""
    return row.with_facts(owner=None, role=None, workers=None)


def listen(kept: int | None, asked: int | None) -> socket.socket:
    """A listening socket, at the port that the endpoint asks for, or the one that it had, or a free one.

    Raises:
        OSError: The port that it asks for is taken.
    """
    for port in (asked,) if asked else (kept, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port or 0))
        except OSError:
            listener.close()
            if port == asked or not port:
                raise
        else:
            listener.listen(BACKLOG)
            return listener
    raise AssertionError("port 0 is always free or an error")  # pragma: no cover


def main(home: str, name: str, starter: str) -> None:
    """Look after one endpoint, unless somebody else does."""
    database = Database(Places(Path(home)))
    processes.adopt_orphans()

    def mine(now: Row) -> Row | None:
        given = now.owner in {starter, processes.me()}
        return now.with_facts(owner=processes.me(), role=SUPERVISOR) if given or now.orphaned else None

    row = database.edit("endpoints", name, mine)
    if row is None:
        return
    processes.end(database.places.folder("endpoints", name))
    wanted = row.facts.get("wanted", {}).get("body", row.body)
    try:
        listener = listen(row.facts.get("port"), wanted.get("port"))
    except OSError as error:
        why = f"port {wanted.get('port')} cannot be had: {error.strerror}"
        database.edit("endpoints", name, lambda now: _left(replace(now, state=State.FAILED, reason=why)))
        return
    port = listener.getsockname()[1]
    database.edit("endpoints", name, lambda now: now.with_facts(port=port))
    _watch(Supervisor(database, name, listener, _wakeup(), Schedule(database, name))).run()


def _wakeup() -> int:
    """The end of a pipe that can be read when a signal has come."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _watch(supervisor: Supervisor) -> Supervisor:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, supervisor.on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    return supervisor


if __name__ == "__main__":
    main(*sys.argv[1:])
