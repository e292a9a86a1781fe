from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from cloudml_local import processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_S = 60
FAMILY = """
import signal, subprocess, sys, pathlib, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
pathlib.Path(sys.argv[1], "child").write_text(str(child.pid))
pathlib.Path(sys.argv[1], "ready").touch()
time.sleep(300)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "work").mkdir()
    yield tmp_path / "work"
    processes.end(tmp_path)


def family(folder: Path) -> str:
    """A process that ignores SIGTERM and has a child in another session."""
    code = folder / "family.py"
    code.write_text(FAMILY)
    known = _start(code, folder)
    assert processes.wait_until((folder / "ready").exists, DEADLINE_S)
    return known


def _start(code: Path, folder: Path) -> str:
    process = subprocess.Popen(
        [sys.executable, str(code), str(folder)], env=processes.marked_environment(os.environ, folder)
    )
    process.returncode = 0  # it is ended by its mark, not through this object
    return processes.identity(process.pid)


def test_this_process_is_alive_and_known_by_its_beginning() -> None:
    assert processes.alive(processes.me())
    assert not processes.alive(f"{os.getpid()}@another-beginning")
    assert not processes.alive("")
    assert processes.identity(2**22 + 1) == ""


def test_a_child_that_has_ended_is_not_alive() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "input()"], os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ])  # fmt: skip
    known = processes.identity(pid)
    assert processes.wait_until(lambda: not processes.alive(known), DEADLINE_S)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="nobody tells of the end of a process here")
def test_the_end_of_a_process_is_waited_for_unless_it_is_time_to_stop(folder: Path) -> None:
    known = family(folder)
    killed = threading.Timer(DEADLINE_S, processes.send, (known, signal.SIGKILL))
    killed.start()
    assert processes.wait_for_end(known, 3600, lambda: True)
    assert processes.alive(known)
    killed.cancel()
    threading.Timer(0, processes.send, (known, signal.SIGKILL)).start()
    assert processes.wait_for_end(known, 3600, lambda: False)
    assert not processes.alive(known)
    assert processes.wait_for_end(f"{os.getpid()}@another-beginning", 3600, lambda: False)
    assert not processes.wait_for_end("", 3600, lambda: False)


def test_a_started_process_has_its_own_session_and_log(folder: Path) -> None:
    known = processes.start("this", folder=folder, log=folder / "log.txt")
    pid = int(known.partition("@")[0])
    assert processes.wait_until(lambda: not processes.alive(known), DEADLINE_S)
    assert "Beautiful is better than ugly." in (folder / "log.txt").read_text()
    assert pid != os.getpid()


def test_what_works_for_a_folder_is_found_with_its_children_and_ended_though_it_ignores_sigterm(folder: Path) -> None:
    known = family(folder)
    child = int((folder / "child").read_text())
    assert {int(known.partition("@")[0]), child} <= set(processes.marked(folder))
    assert processes.marked(folder.with_name("wor")) == []
    assert processes.send(known, signal.SIGTERM)
    assert processes.alive(known)
    processes.end(folder.parent)
    assert not processes.alive(known)
    assert processes.identity(child) == ""
    assert not processes.send(known, signal.SIGTERM)


def test_a_read_only_folder_is_removed(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    (inner / "file").chmod(0o400)
    inner.chmod(0o500)
    processes.remove(tmp_path / "a")
    processes.remove(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
