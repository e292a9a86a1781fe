"""Run the command line, and die by SIGKILL at the n-th change of state.

Every change that this process makes to the world is counted: files opened for writing, renamed, linked or removed,
folders made or removed, processes started, and each statement that SQLite carries out. Nothing of the program under
test is replaced; Python's own audit events and SQLite's own connection class are listened to.

    python killer.py COUNT_FILE KILL_AT -- up -C DIR      KILL_AT 0 only counts, and writes how many there were
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path

CHANGES = frozenset({
    "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.truncate",
    "subprocess.Popen", "os.posix_spawn", "os.fork", "os.kill", "os.killpg", "shutil.rmtree", "socket.connect",
})  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Killer:
    def __init__(self, kill_at: int) -> None:
        self.kill_at = kill_at
        self.pid = os.getpid()
        self.seen: list[str] = []

    def changed(self, what: str) -> None:
        if os.getpid() != self.pid:
            return
        self.seen.append(what)
        if len(self.seen) == self.kill_at:
            os.kill(self.pid, signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
            if "__pycache__" not in str(arguments[0]) and str(arguments[0]) != os.devnull:
                self.changed(f"open {Path(str(arguments[0])).name}")
        elif event in CHANGES and not (event == "os.kill" and arguments[1] in (0, signal.SIGKILL)):
            self.changed(event)


def main() -> None:
    count_file, kill_at, _, *arguments = sys.argv[1:]
    killer = Killer(int(kill_at))

    class Connection(sqlite3.Connection):
        """Counts each statement that may write, before and after it."""

        def execute(self, sql, *parameters):
            word = next(iter(sql.split()), "SELECT").upper()
            writes = word not in {"SELECT", "PRAGMA"}
            if writes:
                killer.changed(f"before {word}")
            result = super().execute(sql, *parameters)
            if writes:
                killer.changed(f"after {word}")
            return result

        def commit(self):
            killer.changed("before commit")
            super().commit()
            killer.changed("after commit")

    connect = sqlite3.connect

    def counted(*given, **named):
        named.setdefault("factory", Connection)
        return connect(*given, **named)

    sqlite3.connect = counted
    from cloudml.cli import main as command

    sys.argv = ["cloudml", *arguments]
    sys.addaudithook(killer.audit)
    try:
        command()
    finally:
        killer.pid = -1
        Path(count_file).write_text("\n".join(killer.seen))


if __name__ == "__main__":
    main()
