"""What doubles must not leave behind in the process that opened them."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path


def left_over() -> set[str]:
    """Processes and threads of doubles that are still there."""
    keepers = {pid for pid in children() if b"keeper.py" in command(pid)}
    return keepers | {f"{one.name} {id(one)}" for one in threading.enumerate() if one.name.startswith("double-")}


def children() -> list[str]:
    """The processes that threads of this one have started; none where the system does not tell (macOS)."""
    found: list[str] = []
    for one in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended since
            found += one.read_text().split()
    return found


def command(pid: str) -> bytes:
    """The command line of a process; empty when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
