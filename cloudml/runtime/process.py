"""Running a child: its lines pass through, signals and the deadline reach it, and nothing of it is left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from typing import IO, TYPE_CHECKING, Any, Callable, Iterator, Mapping, Sequence

from cloudml.runtime.record import TAIL_LINES

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_PIPE_BYTES = 1 << 20  # more than a pipe holds; a longer line passes in pieces
_LOOK_S = 0.5  # how long a deadline may be overslept
_DRAIN_S = 5.0  # for the last lines of something that left the group and keeps the pipe
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


class Tail:
    """The last lines of both streams, as they came.

    Attributes:
        last: The last line that is not blank: of the error stream, or of the other one if nothing came there.
    """

    def __init__(self) -> None:
        self.last = ""
        self._lines: deque[bytes] = deque(maxlen=TAIL_LINES)
        self._error = False

    def add(self, lines: Sequence[bytes], *, error: bool) -> None:
        self._lines.extend(lines[-TAIL_LINES:])
        self._error = self._error or error
        for line in reversed(lines):
            if line.strip() and error == self._error:
                self.last = line.decode("utf-8", "replace").strip()
                break

    @property
    def text(self) -> str:
        return b"".join(self._lines).decode("utf-8", "replace")


def nothing() -> None:
    """Nothing is to be done."""


class Stop:
    """Ends the child early: on SIGTERM or SIGINT to this process, or at the deadline. A context manager.

    The child gets the signal, and SIGKILL with all its group when *grace_s* seconds have passed; a second SIGINT
    kills at once. *heard* is called for each signal. One that was blocked before comes when the context is entered.

    Attributes:
        signal: The first signal that came, or 0.
        timed_out: The deadline came first.
    """

    def __init__(self, grace_s: float, timeout_s: float | None, heard: Callable[[], None] = nothing) -> None:
        self.signal = 0
        self.timed_out = False
        self._grace_s = grace_s
        self._heard = heard
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._kill_at: float | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._whole_group = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:  # noqa: PYI034 - typing.Self is newer than Python 3.8
        self._before = {number: signal.signal(number, self._received) for number in _FORWARDED}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            # Once it was told to end, another signal must not take the exit code away.
            signal.signal(number, signal.SIG_IGN if self.begun else handler)

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
            if not _ends_within(child, self._patience()):
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
        self._heard()
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


def _ends_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of *child*, at most so many seconds; whether it came.

    Where the system tells of it (Linux, from Python 3.9 on) no time is lost; `Popen.wait` looks 20 times a second.
    """
    try:
        descriptor = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
    else:
        try:
            select.select([descriptor], [], [], seconds)
        finally:
            os.close(descriptor)
    return child.poll() is not None


def run(
    command: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    tail: Tail,
    stop: Stop,
    meanwhile: Callable[[], None] = nothing,
) -> int | None:
    """Run *command* to its end; its exit code, 128 + signal where a signal ended it; None if *stop* was due before.

    Args:
        meanwhile: Done once it runs; must be short, and not fail.

    Raises:
        OSError: It cannot be started.
    """
    if stop.due():
        return None
    pipe = subprocess.PIPE
    with _leash() as (held, tie):
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            pass_fds=[held],
        )
        tie(child.pid)
        pump = threading.Thread(target=_pump, args=(child, tail), daemon=True)
        pump.start()
        meanwhile()
        stop.watch(child, whole_group=command[0] == "sh")
        pump.join(_DRAIN_S)
    return code(child.returncode)


@contextlib.contextmanager
def _leash() -> Iterator[tuple[int, Callable[[int], None]]]:
    """A descriptor that a child must hold, and what then has its group asked to end when this process is killed.

    The system sends a signal when the last writer of a pipe is gone: fcntl(2), F_SETSIG (Linux; elsewhere nothing is
    sent). PR_SET_PDEATHSIG does the same, but must be asked for in the child, for which this process would be copied.
    """
    held, ours = os.pipe()

    def tie(group: int) -> None:
        if hasattr(fcntl, "F_SETSIG"):
            with contextlib.suppress(OSError):  # a system that is almost Linux
                fcntl.fcntl(held, fcntl.F_SETOWN, -group)
                fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGTERM)
                fcntl.fcntl(held, fcntl.F_SETFL, fcntl.fcntl(held, fcntl.F_GETFL) | os.O_ASYNC)

    try:
        yield held, tie
    finally:
        fcntl.fcntl(held, fcntl.F_SETFL, fcntl.fcntl(held, fcntl.F_GETFL) & ~os.O_ASYNC)
        os.close(held)
        os.close(ours)


def code(returncode: int) -> int:
    """A child's return code as a shell tells it."""
    return returncode if returncode >= 0 else 128 - returncode


class _Stream:
    """One of a child's streams on its way to ours, by whole lines."""

    def __init__(self, source: IO[bytes], out: int, tail: Tail, *, error: bool) -> None:
        self.open = True
        self.descriptor = source.fileno()
        self._out, self._tail, self._error = out, tail, error
        self._pending = b""
        self._heard = True
        os.set_blocking(self.descriptor, False)

    def take(self) -> None:
        """Pass on what has come, if anything has."""
        try:
            data = os.read(self.descriptor, _PIPE_BYTES)
        except BlockingIOError:
            return
        self.open = data != b""
        text = self._pending + data
        whole = len(text) if not self.open or len(text) > _PIPE_BYTES else text.rfind(b"\n") + 1
        self._pending = text[whole:]
        if whole:
            self._pass_on(text[:whole])

    def _pass_on(self, text: bytes) -> None:
        *lines, rest = text.split(b"\n")
        self._tail.add([line + b"\n" for line in lines] + [rest] * bool(rest), error=self._error)
        self._heard = self._heard and tell(self._out, text)


def tell(descriptor: int, text: bytes) -> bool:
    """Write to one of our own streams, past its buffer; False if nobody listens: that is no reason to end a job."""
    try:
        while text:
            text = text[os.write(descriptor, text) :]
    except OSError:
        return False
    return True


def _pump(child: subprocess.Popen[bytes], tail: Tail) -> None:
    """Pass on both streams until they end.

    When something has come on the error stream, all that was printed before it lies in the other pipe: that goes
    first, so that the last words of a failing script come last.
    """
    if child.stdout is None or child.stderr is None:
        return
    with child.stdout, child.stderr, selectors.DefaultSelector() as selector:
        out = _Stream(child.stdout, 1, tail, error=False)
        error = _Stream(child.stderr, 2, tail, error=True)
        for stream in (out, error):
            selector.register(stream.descriptor, selectors.EVENT_READ, stream)
        while selector.get_map():
            ready = [key.data for key, _ in selector.select()]
            for stream in (out, error):
                if stream.open and (stream in ready or stream is out):
                    stream.take()
                    if not stream.open:
                        selector.unregister(stream.descriptor)


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
