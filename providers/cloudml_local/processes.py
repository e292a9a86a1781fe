"""Processes that outlive the command: started apart, known again without mistake, ended with all that they started.

A process is known by its number and the moment at which it began, since numbers are used again; both stand in one text,
``4711@8c3fe02a-3391``. What it starts is found by a mark in the environment, which children inherit.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MARK = "CLOUDML_LOCAL"
"""The environment variable that names the folder for which a process works."""
MARKED = f"\0{MARK}=".encode()
PROC = Path("/proc")
LINUX = PROC.joinpath("self").exists()
"""Whether processes are told of as in proc(5)."""
MARK_BYTES = 4096
"""As long as a path may be (Linux: PATH_MAX)."""
LOOK_S = 0.02
"""The pause between two looks at whether a process is gone."""
STOP_LOOK_S = 0.2
"""The pause between two looks at whether to go on waiting for the end of a process."""
PR_SET_CHILD_SUBREAPER = 36
WAKE = signal.SIGCONT
"""Ends a `doze` early; who does not doze is not touched by it."""
TEMPORARY = ("TMPDIR", "TEMP", "TMP")
"""The variables that say where temporary files lie."""
_started: set[int] = set()
"""Children of this process that `start` made, to be let go when they have ended."""
GONE = ("", "Z", "X")
"""States of a process that does nothing any more: unknown, zombie, dead (proc(5))."""


def identity(pid: int) -> str:
    """The process of that number, as it will be known again; empty when there is none."""
    state, began = _began(pid)
    return "" if state in GONE else f"{pid}@{began}"


def me() -> str:
    """This process."""
    return identity(os.getpid())


def alive(known: str) -> bool:
    """Whether the process that `identity` gave this text for still runs."""
    pid = _pid(known)
    if not pid:
        return False
    _reap(pid)
    return identity(pid) == known


def send(known: str, number: int) -> bool:
    """Send a signal; whether the process was there to get it."""
    if not alive(known):
        return False
    with suppress(ProcessLookupError, PermissionError):
        os.kill(_pid(known), number)
        return True
    return False


def wait_for_end(known: str, seconds: float, stopped: Callable[[], bool]) -> bool:
    """Let *seconds* pass, or less when that process ends or it is time to stop; False, at once, where none would tell.

    Linux only, since it needs a descriptor of a process.
    """
    try:
        descriptor = os.pidfd_open(_pid(known))
    except (AttributeError, OSError):
        return False
    try:
        poll, deadline = select.poll(), time.monotonic() + seconds
        poll.register(descriptor, select.POLLIN)
        while alive(known) and not stopped() and (left := deadline - time.monotonic()) > 0:
            poll.poll(1000 * min(left, STOP_LOOK_S))
    finally:
        os.close(descriptor)
    return True


def _pid(known: str) -> int:
    return int(known.partition("@")[0] or 0)


def _reap(pid: int) -> None:
    """Let a child that `start` made go if it has ended; other children belong to who made them."""
    if pid in _started:
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                return
        _started.discard(pid)


def _began(pid: int) -> tuple[str, str]:
    """Its state, and when it began."""
    return _began_linux(pid) if LINUX else _began_elsewhere(pid)


def _began_linux(pid: int) -> tuple[str, str]:
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:  # noqa: PTH123  hot: each look at each job asks it
            stat = file.read()
    except OSError:
        return "", ""
    fields = stat.rpartition(b")")[2].split()  # the name before it may hold spaces and brackets
    return fields[0].decode("ascii"), f"{_boot()}-{fields[19].decode('ascii')}"


@cache
def _boot() -> str:
    """What tells this start of the computer from others: their processes had the same numbers."""
    return (PROC / "sys/kernel/random/boot_id").read_text("ascii")[:8]


def _began_elsewhere(pid: int) -> tuple[str, str]:
    told = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, began = told.stdout.strip().partition(" ")
    return state[:1], began.strip().replace(" ", "-")


def start(module: str, *arguments: str, folder: Path, log: Path, blocked: Sequence[int] = ()) -> str:
    """Start ``python -m module`` in a session of its own, marked with *folder*, its output added to *log*.

    It lives on when the caller dies, by whatever signal.

    Args:
        blocked: Signals that it does not get before it asks for them.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, descriptor, 1),
            (os.POSIX_SPAWN_DUP2, descriptor, 2),
        ]
        pid = _spawn([module, *arguments], marked_environment(os.environ, folder), files, blocked)
    finally:
        os.close(descriptor)
    return identity(pid)


def start_piped(module: str) -> tuple[int, int]:
    """Start ``python -m module`` in a session of its own; where to write to it, and where to read what it writes.

    Its mark is this process's own, with room for that of a process that is forked from it.
    """
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    try:
        roomy = {**os.environ, MARK: os.environ.get(MARK, "") + os.sep * MARK_BYTES}
        files = [
            (os.POSIX_SPAWN_DUP2, theirs_in, 0),
            (os.POSIX_SPAWN_DUP2, theirs_out, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        _spawn([module], roomy, files)
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    return ours_out, ours_in


def _spawn(
    words: Sequence[str], environment: Mapping[str, str], files: Sequence[tuple[Any, ...]], blocked: Sequence[int] = ()
) -> int:
    """Start ``python -m`` with those *words* in a session of its own; its number."""
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", *words],
        environment,
        file_actions=files,
        setsid=True,
        setsigmask=blocked,
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    )
    _started.add(pid)
    return pid


def fork(work: Callable[[], int]) -> int:
    """Run *work* in a child of this process, with all that is imported here; the child's number.

    It has a session of its own and the mark of this process, lives on when this process ends, and ends with the exit
    code that *work* returns. Signals are as in a new program. This process must have one thread.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        code = work()
    except BaseException:  # noqa: BLE001  nothing may go on as if this were the parent
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def redirect(log: Path) -> None:
    """Read from nothing, and add what this process and its children print to *log*."""
    nothing, file = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor, place in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(descriptor, place)
    os.close(nothing)
    os.close(file)


def mark_again(folder: Path) -> None:
    """Let this process, forked from one that `start_piped` made, show the mark of *folder* (Linux)."""
    begin, room = shown_mark()
    ctypes.memmove(begin, os.fsencode(folder).ljust(room, b"\0"), room)


def shown_mark() -> tuple[int, int]:
    """Where in memory the mark lies that this process shows, and how long it is (Linux).

    What /proc tells of an environment is the memory in which it was handed to the program: proc(5), env_start.

    Raises:
        ValueError: It has none, or the system does not tell where.
    """
    shown = b"\0" + PROC.joinpath("self/environ").read_bytes()
    begin = int(PROC.joinpath("self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[47])
    place = shown.index(MARKED) + len(MARKED)
    if not begin:
        raise ValueError("the system does not tell where the environment lies")
    return begin + place - 1, shown.index(b"\0", place) - place


def reap() -> None:
    """Let the children go that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def doze(seconds: float) -> None:
    """Let so many seconds pass, or fewer when `WAKE` comes, which the caller has blocked: also one that came before."""
    if hasattr(signal, "sigtimedwait"):
        signal.sigtimedwait((WAKE,), seconds)
    else:  # macOS
        time.sleep(seconds)


def marked_environment(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """*environment* with the mark of *folder*."""
    return {**environment, MARK: str(folder)}


def marked(folder: Path) -> list[int]:
    """The processes that work for *folder* or something below it; this one never counts."""
    found = ((pid, mark) for pid, mark in _marks() if pid != os.getpid())
    return [pid for pid, mark in found if mark == str(folder) or mark.startswith(f"{folder}{os.sep}")]


def _marks() -> Iterator[tuple[int, str]]:
    return _marks_linux() if LINUX else _marks_elsewhere()


def _marks_linux() -> Iterator[tuple[int, str]]:
    for name in os.listdir(PROC):  # noqa: PTH208  hot, as all here: for each process of this computer
        if name.isdigit():
            with suppress(OSError), open(f"{PROC}/{name}/environ", "rb") as file:  # noqa: PTH123
                environment = b"\0" + file.read()
                place = environment.find(MARKED)
                if place >= 0:
                    mark = environment[place + len(MARKED) :].partition(b"\0")[0]
                    yield int(name), os.fsdecode(mark)


def _marks_elsewhere() -> Iterator[tuple[int, str]]:
    told = subprocess.run(["ps", "-axEww", "-o", "pid=,command="], capture_output=True, text=True, check=False)
    for line in told.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        mark = command.rpartition(f" {MARK}=")[2] if f" {MARK}=" in command else ""
        if mark:
            yield int(pid), mark.split(" ", 1)[0]


def end(folder: Path) -> None:
    """Kill everything that works for *folder*, and return when it is gone."""
    while running := [pid for pid in marked(folder) if identity(pid)]:
        for pid in running:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            _reap(pid)
        time.sleep(LOOK_S)


def end_children() -> None:
    """Kill every child of this process, and theirs as they come up to a subreaper, until there is none."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            continue
        for child in _children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        time.sleep(LOOK_S)


def _children() -> list[int]:
    tasks = PROC / "self" / "task" / str(os.getpid()) / "children"
    if tasks.exists():
        return [int(pid) for pid in tasks.read_text("ascii").split()]
    told = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=False)
    return [int(pid) for pid in told.stdout.split()]


def wait_until(over: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true within *seconds*."""
    deadline = time.monotonic() + seconds
    while not over():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


def adopt_orphans() -> None:
    """Make this process the parent of everything below it that loses its own (Linux: prctl(2); elsewhere nothing)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def remove(folder: Path) -> None:
    """Remove a folder with all in it, also what was made read-only; no error if it is not there."""
    for path, names, _ in os.walk(folder):
        for name in names:
            inner = Path(path, name)
            if not inner.is_symlink():
                with suppress(OSError):
                    inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def argv(module: str, arguments: Sequence[str]) -> list[str]:
    """The command for a module of ours, in this Python, unbuffered and without the current folder on its path."""
    return [sys.executable, "-P", "-u", "-m", module, *arguments]
