"""Commands that run as containers would."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloudml.doubles import containers
from cloudml.doubles.containers import Box, Container

BOUND = pytest.mark.skipif(bool(containers.forbidden()), reason="folders cannot be bound on this system")
DEADLINE_S = 60


@pytest.fixture
def run(tmp_path):
    """Start a command; what it prints is in `lines`, and each line rings."""
    started = []

    class Running:
        def __init__(self, *command, binds=None, environment=None, folder="/"):
            scratch = tmp_path / f"scratch{len(started)}"
            scratch.mkdir()
            self.lines, self.rung = [], threading.Condition()
            box = Box(command=command, environment=environment or {}, scratch=scratch, binds=binds or {}, folder=folder)
            self.container = Container(box, self._printed)
            started.append(self.container)

        def _printed(self, line):
            with self.rung:
                self.lines.append(line)
                self.rung.notify_all()

        def until(self, line):
            with self.rung:
                assert self.rung.wait_for(lambda: line in self.lines, DEADLINE_S), self.lines

        def ended(self):
            code = self.container.wait(DEADLINE_S)
            assert code is not None
            return code

    yield Running
    for container in started:
        container.close()


def test_the_exit_code_and_the_lines_of_both_streams_come_back(run):
    running = run("sh", "-c", "echo one; echo two >&2; exit 7")
    assert running.ended() == 7
    assert running.lines == ["one", "two"]


def test_a_signal_that_ends_it_shows_in_the_code(run):
    assert run("sh", "-c", "kill -9 $$").ended() == 128 + signal.SIGKILL


def test_a_command_that_is_not_there_says_so(run):
    running = run("no-such-program")
    assert running.ended() == 127
    assert "no-such-program" in running.lines[0]


def test_no_shell_reads_the_words(run):
    running = run("python3", "-c", "import sys; print(sys.argv[1:])", "a b", "$HOME; echo no", "")
    assert running.ended() == 0
    assert running.lines == ["['a b', '$HOME; echo no', '']"]


def test_python_is_this_interpreter_with_its_packages(run):
    running = run("python", "-c", "import pydantic, sys; print(sys.prefix)")
    assert running.ended() == 0
    assert running.lines == [sys.prefix]


def test_it_has_the_environment_that_it_was_given_and_not_ours(run, monkeypatch):
    monkeypatch.setenv("OURS", "1")
    running = run("sh", "-c", "echo $GIVEN $OURS", environment={"GIVEN": "2"})
    assert running.ended() == 0
    assert running.lines == ["2"]


@BOUND
def test_a_folder_is_bound_where_nothing_was_and_what_was_beside_it_stays(run, tmp_path):
    inside = tmp_path / "ml"
    inside.mkdir()
    inside.joinpath("given").write_text("seen")
    beside = sorted(path.name for path in Path("/opt").iterdir())
    running = run("sh", "-c", "cat /opt/ml/given; echo; echo written > /opt/ml/new; ls /opt", binds={"/opt/ml": inside})
    assert running.ended() == 0
    assert running.lines[0] == "seen"
    assert set(running.lines[1:]) == {*beside, "ml"}
    assert inside.joinpath("new").read_text() == "written\n"
    assert sorted(path.name for path in Path("/opt").iterdir()) == beside


@BOUND
def test_a_folder_is_bound_right_below_the_root(run, tmp_path):
    inside = tmp_path / "bucket"
    inside.mkdir()
    inside.joinpath("given").write_text("seen")
    beside = {path.name for path in Path("/").iterdir()}
    running = run("sh", "-c", "cat /probe/given; echo; echo written > /probe/new; ls -a /", binds={"/probe": inside})
    assert running.ended() == 0
    assert running.lines[0] == "seen"
    assert set(running.lines[1:]) == {*beside, "probe", ".", ".."}
    assert inside.joinpath("new").read_text() == "written\n"
    assert {path.name for path in Path("/").iterdir()} == beside


@BOUND
def test_two_at_once_see_each_its_own_folder(run, tmp_path):
    found = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        folder.joinpath("name").write_text(name)
        found.append(run("sh", "-c", "cat /opt/ml/name", binds={"/opt/ml": folder}))
    assert [running.ended() for running in found] == [0, 0]
    assert [running.lines for running in found] == [["a"], ["b"]]


def test_where_folders_cannot_be_bound_words_name_the_folder_itself():
    binds = {"/opt/ml": Path("/tmp/x"), "/opt/ml/processing": Path("/tmp/y")}
    words = ["python3", "/opt/ml/input/run.py", "--to=/opt/ml/processing/out", "/opt/mlx"]
    assert containers.redirected(words, binds) == ["python3", "/tmp/x/input/run.py", "--to=/tmp/y/out", "/opt/mlx"]


def test_sigterm_reaches_the_first_process_which_may_take_its_time(run):
    program = "import signal, sys; signal.signal(15, lambda *_: sys.exit(5)); print('up', flush=True); signal.pause()"
    running = run("python3", "-c", program)
    running.until("up")
    running.container.terminate()
    assert running.ended() == 5


def test_killing_ends_what_went_its_own_way_too(run):
    running = run("sh", "-c", "setsid sh -c 'echo $$; sleep 600' & sleep 600")
    with running.rung:
        assert running.rung.wait_for(lambda: running.lines, DEADLINE_S)
    running.container.kill()
    assert running.ended() == 128 + signal.SIGKILL
    assert not Path(f"/proc/{running.lines[0]}").exists()


def test_what_is_left_behind_ends_with_the_first_process(run):
    running = run("sh", "-c", "sh -c 'echo $$; exec sleep 600' & sleep 0.2; exit 0")
    assert running.ended() == 0
    assert not Path(f"/proc/{running.lines[0]}").exists()


def test_nothing_stays_when_the_one_who_started_it_is_killed(tmp_path):
    program = f"""
import os, signal, sys
from pathlib import Path
from cloudml.doubles.containers import Box, Container
box = Box(command=["sh", "-c", "echo $$; exec sleep 600"], environment={{}}, scratch=Path({str(tmp_path)!r}))
def kill(line):
    print(line, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
Container(box, kill).wait()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    gone = threading.Event()
    for _ in range(1000):
        if not Path(f"/proc/{pid}").exists():
            break
        gone.wait(0.01)  # the keeper sees the end of its input, and kills
    assert not Path(f"/proc/{pid}").exists()


def test_a_container_that_sleeps_is_told_from_one_that_works(run):
    busy = run("python3", "-c", "print('up', flush=True)\nwhile True: pass")
    idle = run("python3", "-c", "import time; print('up', flush=True); time.sleep(600)")
    for running in (busy, idle):
        running.until("up")
    idle.container.works()
    assert all(busy.container.works() for _ in range(20))
    looks = [idle.container.works() for _ in range(20)]
    assert not looks[-1]
