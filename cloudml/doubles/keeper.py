"""The process above one container: ``python -I -S keeper.py SPECIFICATION``, a program of the standard library alone.

It binds folders where the specification wants them, in a mount namespace that only the container sees, starts the
command in a process group of its own, and ends with all of it. Its input says what to do: ``T`` asks the command's
first process to stop, ``K`` and the end of the input kill everything: when whoever started it is gone, however it
ended, nothing stays.

Exit codes: the command's; 128 + signal if one ended it; 125 the folders could not be bound; 127 it cannot be started.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Any

NAMESPACE_OF_MOUNTS, NAMESPACE_OF_USERS = 0x00020000, 0x10000000
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
DIE_WITH_PARENT, ADOPT_ORPHANS = 1, 36
NOT_BOUND, NOT_STARTED = 125, 127
LOOK_S = 0.01


def libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def called(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def apart() -> None:
    """Give this process mounts of its own; as somebody who is not root, in a namespace of users too."""
    user, group = os.getuid(), os.getgid()
    flags = NAMESPACE_OF_MOUNTS | (0 if user == 0 else NAMESPACE_OF_USERS)
    called(libc().unshare(flags), "unshare")
    if user != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    mount(None, "/", None, RECURSIVE | PRIVATE)


def mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    called(libc().mount(*encoded, flags, None), f"mount {source} on {target}")


def bind(source: str, target: str, scratch: str) -> None:
    """*source* at *target*; a folder that is missing above it is made in memory, beside what is there."""
    if not os.path.isdir(target):
        there = os.path.dirname(target)
        while not os.path.isdir(there):
            there = os.path.dirname(there)
        shadow(there, scratch)
        os.makedirs(target)
    mount(source, target, None, BIND)


def shadow(folder: str, scratch: str) -> None:
    """Put a folder in memory in the place of *folder*, with everything in it that was there."""
    mount("tmpfs", scratch, "tmpfs", 0)
    for name in sorted(os.listdir(folder)):
        old, new = os.path.join(folder, name), os.path.join(scratch, name)
        if os.path.islink(old):
            os.symlink(os.readlink(old), new)
        elif os.path.isdir(old):
            os.mkdir(new)
            mount(old, new, None, BIND | RECURSIVE)
        elif os.path.isfile(old):
            os.close(os.open(new, os.O_CREAT | os.O_WRONLY))
            mount(old, new, None, BIND)
    if folder == "/":
        os.chroot(scratch)  # nothing can be mounted over the root that a process already has
        os.chdir("/")
    else:
        mount(scratch, folder, None, BIND | RECURSIVE)


def option(number: int, value: int) -> None:
    if sys.platform == "linux":
        libc().prctl(number, value, 0, 0, 0)


def child(given: dict[str, Any], keeper: int) -> None:
    """Become the command."""
    os.setsid()
    option(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(NOT_STARTED)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    code, words = NOT_BOUND, "cannot bind"
    try:
        if given["binds"]:
            apart()
            for source, target in given["binds"]:
                bind(source, target, given["scratch"])
        code, words = NOT_STARTED, "cannot start"
        os.chdir(given["folder"])
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.execvpe(given["command"][0], given["command"], given["environment"])  # noqa: S606  that is its purpose
    except OSError as error:
        os.write(2, f"{words} {given['command'][0]}: {error}\n".encode())
    os._exit(code)


def ended(pid: int) -> int | None:
    """The exit code of the command if it has ended; others that came to this process are let go."""
    found = None
    while True:
        try:
            gone, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if gone == 0:
            return found
        if gone == pid:
            code = os.waitstatus_to_exitcode(status)
            found = 128 - code if code < 0 else code


def children() -> list[int]:
    path = f"/proc/self/task/{os.getpid()}/children"
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [int(word) for word in file.read().split()]


def kill_all(group: int) -> None:
    """Kill the command's group, and whatever of it has gone its own way, until nothing is left."""
    send(-group, signal.SIGKILL)
    while children():
        for pid in children():
            send(pid, signal.SIGKILL)
        ended(0)
        time.sleep(LOOK_S)


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def watch(pid: int, wakeup: int) -> int:
    """The exit code of the command, when it has ended by itself or as the input says."""
    inputs = [0, wakeup]
    while True:
        code = ended(pid)
        if code is not None:
            return code
        ready, _, _ = select.select(inputs, [], [], 1.0)
        if wakeup in ready:
            os.read(wakeup, 512)
        if 0 in ready:
            order = os.read(0, 1)
            if order == b"T":
                send(pid, signal.SIGTERM)
            else:
                send(-pid, signal.SIGKILL)
                send(pid, signal.SIGKILL)
                inputs = inputs if order else [wakeup]


def main() -> None:
    given = json.loads(sys.argv[1])
    option(ADOPT_ORPHANS, 1)
    read, write = os.pipe()
    for end in (read, write):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        child(given, keeper)
    code = watch(pid, read)
    kill_all(pid)
    os._exit(code)


if __name__ == "__main__":
    main()
