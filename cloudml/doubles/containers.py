"""Commands that run as containers would run them: with given folders at fixed places, and an end that leaves nothing.

A folder comes to its place, such as /opt/ml, in a mount namespace of the container's own. Where the system forbids
that, `forbidden` says why; the caller then rewrites paths with `redirected` and says so in the log.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KEEPER = Path(__file__).with_name("keeper.py")
SEARCHED = "/usr/local/bin:/usr/bin:/bin"
PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "LANG", "LC_ALL", "NO_PROXY", "SSL_CERT_FILE", "TZ", "UV_CACHE_DIR")
PASSED_PREFIXES = ("PIP_", "OMP_", "OPENBLAS_")
"""Of the surrounding environment a container gets what tells this machine's way to a package index, and how many
threads libraries may take of its processors; no more."""
LONGEST_LINE = 1 << 20
CLOSING_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What is to run.

    Attributes:
        command: Program and arguments; no shell reads them.
        environment: All that it gets, besides what finds programs and packages.
        binds: Place in the container -> folder here.
        scratch: An empty folder that belongs to this container.
        folder: Where it starts, in the container.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    scratch: Path
    binds: Mapping[str, Path] = field(default_factory=dict)
    folder: str = "/"


class Container:
    """A command that runs.

    Args:
        box: What to run.
        on_line: Called with each line of its output, without its end.
        on_end: Called when all of it has ended.
    """

    def __init__(self, box: Box, on_line: Callable[[str], None], on_end: Callable[[], None] = lambda: None) -> None:
        given = {
            "command": list(box.command),
            "environment": surroundings(box),
            "binds": [[str(here), place] for place, here in box.binds.items()],
            "scratch": str(box.scratch),
            "folder": box.folder,
        }
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": SEARCHED},
            start_new_session=True,
            bufsize=0,
        )
        self._order = threading.Lock()
        self._seen = Activity()
        self._reader = threading.Thread(target=self._read, args=(on_line, on_end), name="double-output", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self._reader.is_alive()

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit code, 128 + signal if one ended it; None when it still runs after *seconds*."""
        self._reader.join(seconds)
        return None if self._reader.is_alive() else self._keeper.wait()

    def terminate(self) -> None:
        """Send SIGTERM to the command's first process, and to no other."""
        self._say(b"T")

    def kill(self) -> None:
        """End everything at once."""
        self._say(b"K")

    def works(self) -> bool:
        """Whether it has used a processor since this was last asked, or waits for one."""
        before, self._seen = self._seen, activity(self._keeper.pid)
        return self._seen.ready or self._seen.seconds > before.seconds

    def close(self) -> None:
        """End everything, and return when it is gone."""
        self.kill()
        if self.wait(CLOSING_S) is None:
            self._keeper.kill()
            self._reader.join(CLOSING_S)

    def _say(self, order: bytes) -> None:
        assert self._keeper.stdin is not None
        with self._order, suppress(BrokenPipeError, ValueError):
            self._keeper.stdin.write(order)

    def _read(self, on_line: Callable[[str], None], on_end: Callable[[], None]) -> None:
        assert self._keeper.stdout is not None
        assert self._keeper.stdin is not None
        try:
            _lines(self._keeper.stdout, on_line)
            self._keeper.wait()
        finally:
            with self._order:
                self._keeper.stdin.close()
            self._keeper.stdout.close()
            on_end()


def _lines(stream: IO[bytes], on_line: Callable[[str], None]) -> None:
    rest = b""
    while part := stream.read(1 << 16):
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            on_line(line.decode("utf-8", "replace").rstrip("\r"))
        if len(rest) > LONGEST_LINE:
            on_line(rest.decode("utf-8", "replace"))
            rest = b""
    if rest:
        on_line(rest.decode("utf-8", "replace"))


@cache
def forbidden() -> str:
    """Why folders cannot be bound on this system; empty when they can."""
    with TemporaryDirectory(prefix="cloudml-double-") as folder:
        scratch, bound = Path(folder, "scratch"), Path(folder, "bound")
        scratch.mkdir()
        bound.mkdir()
        lines: list[str] = []
        box = Box(command=["true"], environment={}, scratch=scratch, binds={"/opt/cloudml-probe/inside": bound})
        code = Container(box, lines.append).wait()
    return "" if code == 0 else (lines[-1] if lines else f"exit code {code}")


def redirected(words: Sequence[str], binds: Mapping[str, Path]) -> list[str]:
    """*words* with the places of *binds* replaced by the folders that they stand for."""
    found = list(words)
    for place, here in sorted(binds.items(), key=lambda bind: -len(bind[0])):
        found = [_moved(word, place, str(here)) for word in found]
    return found


def _moved(word: str, place: str, here: str) -> str:
    at = word.find(place)
    after = word[at + len(place) : at + len(place) + 1]
    return word.replace(place, here, 1) if at >= 0 and after in {"", "/", ":"} else word


def surroundings(box: Box) -> dict[str, str]:
    """The environment of the command: what it was given, and programs where `python` is this interpreter."""
    around = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}
    path = f"{programs()}:{Path(sys.executable).parent}:{SEARCHED}"
    return {"HOME": "/root", "PYTHONUNBUFFERED": "1", **around, **box.environment, "PATH": path}


@cache
def programs() -> str:
    """A folder with `python` and `python3` that are this interpreter, with the packages that are installed here."""
    import atexit

    folder = TemporaryDirectory(prefix="cloudml-programs-")
    atexit.register(folder.cleanup)
    for name in ("python", "python3"):
        program = Path(folder.name, name)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
        program.chmod(0o755)
    return folder.name


@dataclass(frozen=True, slots=True)
class Activity:
    """What a process and all below it do.

    Attributes:
        seconds: Their processor time, also of those that ended.
        ready: Whether one of them waits for a processor or a disk now.
    """

    seconds: float = 0.0
    ready: bool = False


def activity(leader: int) -> Activity:
    """What a process and all below it do (Linux; nothing elsewhere)."""
    found: dict[int, tuple[int, str, float]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            ticks = sum(map(float, fields[11:15]))
            found[int(entry.name)] = int(fields[1]), fields[0], ticks / os.sysconf("SC_CLK_TCK")
    below = {leader} & set(found)
    while more := {pid for pid, (parent, _, _) in found.items() if parent in below} - below:
        below |= more
    return Activity(sum(found[pid][2] for pid in below), any(found[pid][1] in {"R", "D"} for pid in below))
