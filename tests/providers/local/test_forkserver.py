"""Runners that are forked: what tells them from those that are started as programs, and what must not."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudml.resources import Identity
from cloudml.states import JobState
from cloudml_local import processes, runs
from cloudml_local.forkserver import ForkServer
from cloudml_local.places import Places
from cloudml_local.runner import wake_next
from cloudml_local.settings import LocalSettings
from cloudml_local.state import State, new

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every runner is a program of its own")
DEADLINE_S = 60
WAITS = "import time\nprint('waiting', flush=True)\ntime.sleep(300)\n"
SAYS = "import os\nprint('it is', os.environ['CLOUDML_TEST_WORD'], 'in', os.environ['CLOUDML_REQUEST'])\n"
DOZES = """
import signal, sys
from cloudml_local import processes
signal.pthread_sigmask(signal.SIG_BLOCK, (processes.WAKE,))
print("ready", flush=True)
processes.doze(3600)
print("woken", flush=True)
"""


@pytest.fixture
def settings() -> LocalSettings:
    return LocalSettings(jobs=8)


def owner(here, name: str) -> str:
    return here.state.get("jobs", name).owner


def number(known: str) -> int:
    return int(known.partition("@")[0])


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def program(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


@pytest.fixture(autouse=True)
def server(monkeypatch) -> Iterator[ForkServer]:
    """One of this test's own: it may be killed, and the first runner is known to be a program."""
    made = ForkServer()
    monkeypatch.setattr("cloudml_local.jobs.SERVER", made)
    yield made
    made.close()


@pytest.fixture
def forked(here) -> str:
    """The name of a job that runs, whose runner was forked."""
    here.start("print('the first of a process is a program')\n", "first")
    name = here.start(WAITS, "waits").name
    log = here.home / "runs" / name / "log.txt"
    assert processes.wait_until(lambda: log.exists() and "waiting" in log.read_text(), DEADLINE_S)
    assert "forkserver" in program(number(owner(here, name)))
    return name


def test_a_forked_runner_and_its_script_show_the_mark_of_their_job_only(here, forked: str) -> None:
    other = here.start(WAITS, "other").name
    runner = number(owner(here, forked))
    found = processes.marked(here.home / "runs" / forked)
    assert len(found) == 2
    assert {parent(pid) for pid in found} == {parent(runner), runner}
    theirs = here.home / "runs" / other
    assert processes.wait_until(lambda: number(owner(here, other)) in processes.marked(theirs), DEADLINE_S)
    assert not {*found} & {*processes.marked(theirs)}
    assert parent(runner) not in processes.marked(here.home)


def test_after_its_server_was_killed_a_job_goes_on_and_the_next_one_starts(here, forked: str) -> None:
    server = parent(number(owner(here, forked)))
    assert "forkserver" in program(server)
    os.kill(server, signal.SIGKILL)
    assert processes.wait_until(lambda: not processes.identity(server), DEADLINE_S)
    for name in ("second", "third"):
        assert here.job(here.start("print('done')\n", name).name).state is JobState.SUCCEEDED
    assert here.provider.jobs.get(forked).state is JobState.RUNNING


def test_a_forked_runner_has_the_environment_of_the_moment(here, forked: str, monkeypatch) -> None:
    monkeypatch.setenv("CLOUDML_TEST_WORD", "later than the server")
    monkeypatch.setenv("TMPDIR", str(here.root))
    name = here.start(SAYS, "says").name
    assert here.job(name).state is JobState.SUCCEEDED
    assert f"it is later than the server in {here.root}" in (here.home / "runs" / name / "log.txt").read_text()


def test_a_process_that_was_forked_from_the_user_of_a_server_gets_one_of_its_own(here, forked: str) -> None:
    code = f"""
import os, sys, pathlib
from cloudml_local.forkserver import ForkServer
server, folder = ForkServer(), pathlib.Path({str(here.root)!r})
def start():
    known = server.start({str(here.home)!r}, "nobody", "x", folder=folder, log=folder / "log.txt")
    return int(known.partition("@")[0] or 0)
start(), start()
child = os.fork()
before = server._pipes
start()
print(server._pipes == before, flush=True)
if child:
    os.waitpid(child, 0)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(told.stdout.split()) == ["False", "True"]


def test_runners_outlive_the_process_that_asked_for_them_and_the_server_does_not(here, tmp_path: Path) -> None:
    jobs = "".join(f"  {name}: {{script: waits.py}}\n" for name in ("one", "two", "three"))
    here.write("waits.py", WAITS)
    here.write("cloudml.yaml", f"project: demo\njobs:\n{jobs}")
    command = [Path(sys.executable).parent / "cloudml", "up", "-q", "-C", here.root]
    user = subprocess.Popen(command, env=processes.marked_environment(os.environ, tmp_path / "user"))
    try:
        assert processes.wait_until(lambda: waiting(here) >= 2, DEADLINE_S)
        assert len(processes.marked(tmp_path / "user")) == 2  # `up` and the server
    finally:
        user.kill()
        user.wait()
    assert processes.wait_until(lambda: not processes.marked(tmp_path / "user"), DEADLINE_S)
    running = here.state.brief("jobs", (JobState.RUNNING,))
    assert len(running) >= 2
    assert not any(row.orphaned for row in running)


def waiting(here) -> int:
    return sum("waiting" in log.read_text() for log in (here.home / "runs").glob("*/log.txt"))


def test_a_second_runner_of_the_same_attempt_leaves_the_job_to_the_first(here, forked: str) -> None:
    row = here.state.get("jobs", forked)
    again = [sys.executable, "-m", "cloudml_local.runner", str(here.home), forked, str(row.facts["attempt"])]
    subprocess.run(again, check=True)
    assert here.state.get("jobs", forked) == row


def test_the_end_of_a_job_wakes_the_runner_that_waits_longest(tmp_path: Path) -> None:
    state = State(Places(tmp_path))
    dozing = [subprocess.Popen([sys.executable, "-c", DOZES], stdout=subprocess.PIPE, text=True) for _ in "ab"]
    try:
        assert [one.stdout.readline() for one in dozing] == ["ready\n"] * 2
        owners = ["1@another-beginning", *(processes.identity(one.pid) for one in dozing)]
        for place, known in enumerate(owners):
            state.add(queued(f"j{place}", known))
        wake_next(state)
        assert select.select([dozing[0].stdout], [], [], DEADLINE_S)[0]
        assert dozing[1].poll() is None
    finally:
        for one in dozing:
            one.kill()
            one.communicate()


def queued(name: str, known: str):
    identity = Identity(project="demo", resource=f"jobs.{name}", hash=name * 10)
    return replace(new(identity, name, JobState.QUEUED, {}), facts={"owner": known, "role": runs.RUNNER})


def test_a_wake_that_came_before_the_doze_ends_it() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (processes.WAKE,))
    try:
        signal.pthread_kill(threading.get_ident(), processes.WAKE)
        processes.doze(DEADLINE_S)
        assert processes.WAKE not in signal.sigpending()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
