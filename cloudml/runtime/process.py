"""Running a child: its lines pass through, signals and the deadline reach it, and nothing of it is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from typing import IO, TYPE_CHECKING, Any, Mapping, Sequence

from cloudml.runtime.record import TAIL_LINES

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_CHUNK_BYTES = 65_536  # a longer line passes in pieces
_LOOK_S = 0.5  # how long a deadline may be overslept
_DRAIN_S = 5.0  # for the last lines of something that left the group and keeps the pipe
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


class Tail:
    """The last lines of both streams."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=TAIL_LINES)

    def add(self, line: bytes) -> None:
        self._lines.append(line)

    @property
    def text(self) -> str:
        return b"".join(self._lines).decode("utf-8", "replace")

    @property
    def last(self) -> str:
        """The last line that is not blank."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""


class Stop:
    """Ends the child early: on SIGTERM or SIGINT to this process, or at the deadline. A context manager.

    The child gets the signal, and SIGKILL with all its group when *grace_s* seconds have passed; a second SIGINT
    kills at once.

    Attributes:
        signal: The first signal that came, or 0.
        timed_out: The deadline came first.
    """

    def __init__(self, grace_s: float, timeout_s: float | None) -> None:
        self.signal = 0
        self.timed_out = False
        self._grace_s = grace_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._kill_at: float | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._whole_group = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:  # noqa: PYI034 - typing.Self is newer than Python 3.8
        self._before = {number: signal.signal(number, self._received) for number in _FORWARDED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def begun(self) -> bool:
        return bool(self.signal) or self.timed_out

    def due(self) -> bool:
        """Is nothing to be started any more?"""
        if not self.signal and self._deadline is not None and time.monotonic() >= self._deadline:
            self.timed_out = True
        return self.begun

    def watch(self, child: subprocess.Popen[bytes], *, whole_group: bool) -> None:
        """Look after *child* until it has ended, and end what it leaves behind.

        Args:
            child: The leader of its own process group.
            whole_group: Signals go to all of it: a shell does not hand them on to what it runs.
        """
        self._child, self._whole_group = child, whole_group
        if self.signal:  # it came while the child was being started
            self._end(self.signal)
        while child.poll() is None:
            try:
                child.wait(self._patience())
            except subprocess.TimeoutExpired:
                self._look()
        while whole_group and self.begun and _alive(child.pid):
            time.sleep(0.02)
            self._look()
        _kill_group(child.pid, signal.SIGKILL)
        self._child = None

    def _received(self, number: int, frame: FrameType | None) -> None:
        del frame
        again = self.signal == number == signal.SIGINT
        self.signal = self.signal or number
        if self._child is not None:
            self._end(signal.SIGKILL if again else number)

    def _end(self, number: int) -> None:
        child = self._child
        if child is None:
            return
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace_s
        if self._whole_group or number == signal.SIGKILL:
            _kill_group(child.pid, number)
        else:
            child.send_signal(number)

    def _patience(self) -> float:
        times = [at for at in (self._deadline, self._kill_at) if at is not None]
        return min([_LOOK_S, *(max(at - time.monotonic(), 0.01) for at in times)])

    def _look(self) -> None:
        moment = time.monotonic()
        if self._kill_at is not None:
            if moment >= self._kill_at:
                self._end(signal.SIGKILL)
        elif self._deadline is not None and moment >= self._deadline:
            self.timed_out = True
            self._end(signal.SIGTERM)


def run(command: Sequence[str], *, cwd: str, env: Mapping[str, str], tail: Tail, stop: Stop) -> int | None:
    """Run *command* to its end; its exit code, 128 + signal where a signal ended it; None if *stop* was due before.

    Raises:
        OSError: It cannot be started.
    """
    if stop.due():
        return None
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
    )
    readers = [_reader(child.stdout, sys.stdout.buffer, tail), _reader(child.stderr, sys.stderr.buffer, tail)]
    stop.watch(child, whole_group=command[0] == "sh")
    limit = time.monotonic() + _DRAIN_S
    for reader in readers:
        reader.join(max(limit - time.monotonic(), 0))
    return code(child.returncode)


def code(returncode: int) -> int:
    """A child's return code as a shell tells it."""
    return returncode if returncode >= 0 else 128 - returncode


def _reader(source: IO[bytes] | None, out: IO[bytes], tail: Tail) -> threading.Thread:
    thread = threading.Thread(target=_pass_on, args=(source, out, tail), daemon=True)
    thread.start()
    return thread


def _pass_on(source: IO[bytes], out: IO[bytes], tail: Tail) -> None:
    heard = True
    with source:
        for line in iter(lambda: source.readline(_CHUNK_BYTES), b""):
            tail.add(line)
            try:
                if heard:
                    out.write(line)
                    out.flush()
            except OSError:  # nobody listens any more: the job goes on, and its pipe must not fill
                heard = False


def _alive(group: int) -> bool:
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass  # as process 1 of a container we inherit its orphans
    except ChildProcessError:
        pass
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(group, number)
