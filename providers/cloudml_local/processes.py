"""Processes that outlive the command: started apart, known again without mistake, ended with all that they started.

A process is known by its number and the moment at which it began, since numbers are used again; both stand in one text,
``4711@8c3fe02a-3391``. What it starts is found by a mark in the environment, which children inherit.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MARK = "CLOUDML_LOCAL"
"""The environment variable that names the folder for which a process works."""
PROC = Path("/proc")
LOOK_S = 0.02
"""The pause between two looks at whether a process is gone."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
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
    return _began_linux(pid) if PROC.joinpath("self").exists() else _began_elsewhere(pid)


def _began_linux(pid: int) -> tuple[str, str]:
    try:
        stat = (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    boot = (PROC / "sys/kernel/random/boot_id").read_text("ascii")[:8]
    return fields[0], f"{boot}-{fields[19]}"


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
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", module, *arguments],
            marked_environment(os.environ, folder),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, descriptor, 1),
                (os.POSIX_SPAWN_DUP2, descriptor, 2),
            ],
            setsid=True,
            setsigmask=blocked,
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
        )
    finally:
        os.close(descriptor)
    _started.add(pid)
    return identity(pid)


def marked_environment(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """*environment* with the mark of *folder*."""
    return {**environment, MARK: str(folder)}


def marked(folder: Path) -> list[int]:
    """The processes that work for *folder* or something below it; this one never counts."""
    found = ((pid, mark) for pid, mark in _marks() if pid != os.getpid())
    return [pid for pid, mark in found if mark == str(folder) or mark.startswith(f"{folder}{os.sep}")]


def _marks() -> Iterator[tuple[int, str]]:
    return _marks_linux() if PROC.joinpath("self").exists() else _marks_elsewhere()


def _marks_linux() -> Iterator[tuple[int, str]]:
    wanted = f"{MARK}=".encode()
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                for pair in (entry / "environ").read_bytes().split(b"\0"):
                    if pair.startswith(wanted):
                        yield int(entry.name), os.fsdecode(pair[len(wanted) :])


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


def die_with(parent: int) -> None:
    """For a child before it starts its program: be asked to end when *parent* ends (Linux: prctl(2))."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before it was asked
        os._exit(1)


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
