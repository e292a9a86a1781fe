"""Jobs in real processes: how they begin, end, and are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudml.errors import AlreadyExistsError, NotFoundError, SpecError
from cloudml.progress import SILENT
from cloudml.specs import JobSpec
from cloudml.status import JobState
from cloudml_local import processes
from cloudml_local.jobs import lower
from cloudml_local.places import Run
from cloudml_local.settings import LocalSettings
from cloudml_local.state import new

if TYPE_CHECKING:
    from collections.abc import Iterator

WAITS = "import time\nprint('waiting', flush=True)\ntime.sleep(300)\n"
WAITS_FOR = """
import pathlib, time
door = pathlib.Path({door!r})
while not door.exists():
    time.sleep(0.01)
"""
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for apart in (False, True):
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(300)"],
        start_new_session=apart, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    print("child", child.pid, flush=True)
print("child", os.getpid(), flush=True)
time.sleep(300)
"""


def children(here, name: str, number: int = 3) -> list[int]:
    """The processes that a script has said it started, once there are so many."""
    assert processes.wait_until(lambda: len(said_children(here, name)) == number, 60)
    return said_children(here, name)


def said_children(here, name: str) -> list[int]:
    log = here.home / "runs" / name / "log.txt"
    lines = log.read_text().splitlines() if log.exists() else []
    return [int(line.split()[1]) for line in lines if line.startswith("child ")]


def gone(pids: list[int]) -> bool:
    return not any(processes.identity(pid) for pid in pids)


def wheel(folder: Path) -> Path:
    """A wheel of one module, made by hand."""
    path, info = folder / "hello_of_test-1-py3-none-any.whl", "hello_of_test-1.dist-info"
    kind = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello_of_test.py", "WORD = 'hi'\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: hello-of-test\nVersion: 1\n")
        archive.writestr(f"{info}/WHEEL", kind)
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_a_job_runs_in_a_process_of_its_own_and_its_record_is_read(here) -> None:
    started = here.start("import os\nfrom cloudml import runtime\njob = runtime.job()\n"
                         "(job.outputs['out'] / 'pid').write_text(str(os.getpid()))\njob.log_metric('auc', 0.5)\n"
                         "print('hello')\n", outputs=("out",), metrics=("auc",))  # fmt: skip
    done = here.job(started.name)
    assert (done.state, done.exit_code, done.metrics, done.tail[-1]) == ("succeeded", 0, {"auc": 0.5}, "hello")
    assert done.created <= done.started <= done.ended <= done.updated
    pid = here.home.joinpath("runs", started.name, "outputs", "out", "pid")
    assert done.outputs == {"out": str(pid.parent)}
    assert int(pid.read_text()) != os.getpid()
    assert not pid.stat().st_mode & 0o222
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 60)


def test_the_outputs_of_a_failed_job_are_not_to_be_found(here) -> None:
    started = here.start("from cloudml import runtime\n(runtime.job().outputs['out'] / 'half').touch()\n1 / 0\n",
                         outputs=("out",))  # fmt: skip
    done = here.job(started.name)
    assert (done.state, done.exit_code) == ("failed", 1)
    assert "ZeroDivisionError" in done.reason
    assert not here.home.joinpath("runs", started.name, "outputs").exists()


def test_a_failed_job_is_made_anew_and_one_that_succeeded_is_not(here) -> None:
    mended = here.root.parent / "mended"
    script = f"import pathlib, sys\nsys.exit(0 if pathlib.Path({str(mended)!r}).exists() else 4)\n"
    name = here.start(script).name
    assert here.job(name).exit_code == 4
    mended.touch()
    here.start(script)
    assert here.job(name).state is JobState.SUCCEEDED
    with pytest.raises(AlreadyExistsError):
        here.start(script)


def test_checkpoints_outlive_a_failed_run_but_not_the_job(here) -> None:
    script = ("import sys\nfrom cloudml import runtime\nfile = runtime.job().checkpoints / 'step'\n"
              "if file.exists():\n    sys.exit(0)\nfile.touch()\nsys.exit(1)\n")  # fmt: skip
    name = here.start(script).name
    assert here.job(name).state is JobState.FAILED
    here.start(script)
    assert here.job(name).state is JobState.SUCCEEDED
    here.provider.jobs.delete(name)
    assert not (here.home / "checkpoints" / name).exists()


def test_a_job_is_stopped_after_its_timeout_with_all_it_started(here) -> None:
    name = here.start(STUBBORN, timeout="2s", local={"grace": "1s"}).name
    assert here.job(name).state is JobState.TIMED_OUT
    assert gone(said_children(here, name))  # on a busy machine it may not have come to start all of them
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 60)


def test_a_cancelled_job_that_ignores_sigterm_is_killed_with_its_grandchildren(here) -> None:
    name = here.start(STUBBORN, local={"grace": "1s"}).name
    started = children(here, name)
    here.provider.jobs.cancel(name)
    assert here.provider.jobs.get(name).state is JobState.STOPPING
    assert here.job(name).state is JobState.CANCELLED
    assert gone(started)
    here.provider.jobs.cancel(name)


def test_what_a_script_leaves_running_is_ended_with_it(here) -> None:
    name = here.start("import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', "
                      "'import time; time.sleep(300)'], start_new_session=True, stdout=subprocess.DEVNULL, "
                      "stderr=subprocess.DEVNULL)\nprint('child', child.pid)\n").name  # fmt: skip
    assert here.job(name).state is JobState.SUCCEEDED
    assert gone(children(here, name, 1))


def test_deleting_a_running_job_stops_it_and_twice_is_no_error(here) -> None:
    name = here.start(STUBBORN, local={"grace": "1s"}).name
    started = children(here, name)
    here.provider.jobs.delete(name)
    here.provider.jobs.delete(name)
    assert gone(started)
    assert not here.home.joinpath("runs", name).exists()
    with pytest.raises(NotFoundError):
        here.provider.jobs.get(name)


@pytest.mark.parametrize("settings", [LocalSettings(jobs=1)])
def test_jobs_wait_for_their_turn(here) -> None:
    script = ("import time\nfrom cloudml import runtime\njob = runtime.job()\n"
              "job.log_metric('began', time.monotonic())\ntime.sleep(0.3)\n"
              "job.log_metric('ended', time.monotonic())\n")  # fmt: skip
    names = [here.start(script, name).name for name in ("first", "second", "third")]
    times = sorted((done.metrics["began"], done.metrics["ended"]) for done in map(here.job, names))
    assert times[0][1] <= times[1][0]
    assert times[1][1] <= times[2][0]


@pytest.mark.parametrize("settings", [LocalSettings(jobs=1)])
def test_a_job_that_waits_can_be_cancelled_and_never_begins(here) -> None:
    door = here.root.parent / "door"
    first = here.start(WAITS_FOR.format(door=str(door)), "first").name
    here.job(first, lambda now: now.state is JobState.RUNNING)
    second = here.start("print('my turn')\n", "second").name
    here.provider.jobs.cancel(second)
    done = here.job(second)
    assert (done.state, done.started) == (JobState.CANCELLED, None)
    door.touch()
    assert here.job(first).state is JobState.SUCCEEDED


@pytest.mark.parametrize("settings", [LocalSettings(jobs=1)])
def test_a_runner_that_was_killed_holds_up_nobody(here) -> None:
    first = here.start(WAITS, "first").name
    os.kill(runner_of(here, first), signal.SIGKILL)
    assert here.job(here.start("print('my turn')\n", "second").name).state is JobState.SUCCEEDED


def test_a_script_that_cannot_find_its_packages_says_which(here) -> None:
    here.write("requirements.txt", "./no-such-package\n")
    name = here.start("print('never')\n", requirements="requirements.txt").name
    done = here.job(name)
    assert done.state is JobState.FAILED
    assert "no-such-package" in done.reason


def test_packages_are_installed_once_for_jobs_that_ask_for_the_same(here) -> None:
    here.write("requirements.txt", f"--no-index\n--find-links {wheel(here.root.parent).parent}\nhello-of-test\n")
    script = "import hello_of_test\nprint(hello_of_test.WORD, hello_of_test.__file__)\n"
    names = [here.start(script, name, requirements="requirements.txt").name for name in ("first", "second")]
    for name in names:
        done = here.job(name)
        assert done.state is JobState.SUCCEEDED, done.reason
        assert any(line.startswith(f"hi {here.home / 'site'}") for line in done.tail)
    assert len([path for path in (here.home / "site").iterdir() if path.is_dir()]) == 1


def test_a_script_runs_in_this_process_and_its_failure_is_told(here, capsys) -> None:
    here.write("here.py", "import os, sys\nfrom cloudml import runtime\nruntime.job().log_metric('pid', os.getpid())\n"
               "(runtime.job().outputs['out'] / 'x').touch()\nraise RuntimeError('as it should')\n")  # fmt: skip
    resource = here.resource("jobs", JobSpec(name="here", script="here.py", outputs=("out",)))
    before = (Path.cwd(), list(sys.argv), dict(os.environ))
    status = here.provider.jobs.run_in_process(resource)
    assert (Path.cwd(), sys.argv, dict(os.environ)) == before
    assert (status.state, status.metrics) == ("failed", {"pid": os.getpid()})
    assert "as it should" in status.reason
    assert "as it should" in capsys.readouterr().err
    assert list(here.provider.jobs.list("demo")) == []
    here.write("hello.sh", "echo hello\n")
    with pytest.raises(SpecError, match="not Python"):
        here.provider.jobs.run_in_process(here.resource("jobs", JobSpec(name="sh", script="hello.sh")))


@pytest.mark.parametrize("called", ["my project", "naïve 東京", "a${HOME}b", "it's; rm -rf $(x)"])
def test_a_project_may_lie_anywhere(here, called: str) -> None:
    name = here.start("from cloudml import runtime\n(runtime.job().outputs['out'] / 'x').touch()\n",
                      outputs=("out",)).name  # fmt: skip
    assert here.job(name).state is JobState.SUCCEEDED
    assert (here.root / ".cloudml" / "runs" / name / "outputs" / "out" / "x").exists()


def runner_of(here, name: str) -> int:
    here.job(name, lambda now: now.state is JobState.RUNNING)
    return int(here.state.get("jobs", name).owner.partition("@")[0])


def test_a_killed_runner_leaves_a_failed_job_and_no_process(here) -> None:
    name = here.start(STUBBORN).name
    started = children(here, name)
    os.kill(runner_of(here, name), signal.SIGKILL)
    done = here.job(name)
    assert (done.state, done.reason) == ("failed", "the runner was killed")
    assert gone(started)
    assert here.start(STUBBORN).name == name
    here.job(name, lambda now: now.state is JobState.RUNNING)


def test_a_killed_runner_takes_its_script_along_though_nobody_looks(here) -> None:
    name = here.start(WAITS).name
    log = here.home / "runs" / name / "log.txt"
    assert processes.wait_until(lambda: log.exists() and "waiting" in log.read_text(), 60)
    os.kill(runner_of(here, name), signal.SIGKILL)
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 60)


def test_a_runner_that_never_started_is_not_waited_for(here) -> None:
    resource = here.resource("jobs", JobSpec(name="t", script="train.py"))
    lost = new(resource.identity, resource.identity.name, JobState.QUEUED, lower(resource, here.state.places))
    here.state.add(replace(lost, facts={"owner": "1@another-moment", "attempt": "lost"}))
    assert here.provider.jobs.get(resource.identity.name).state is JobState.FAILED
    # A runner that comes late may not take the job back from whoever has taken it over.
    assert here.state.get("jobs", resource.identity.name).facts["attempt"] != "lost"
    here.provider.jobs.create(resource, SILENT)


def test_a_success_whose_runner_was_killed_before_it_wrote_it_down_is_found(here) -> None:
    name = here.start("from cloudml import runtime\n(runtime.job().outputs['out'] / 'x').touch()\n",
                      outputs=("out",)).name  # fmt: skip
    here.job(name)
    run = Run(here.home / "runs" / name)
    run.outputs.rename(run.staging)
    here.state.edit("jobs", name, lambda now: replace(now, state="running").with_facts(owner="1@gone"))
    assert here.provider.jobs.get(name).state is JobState.SUCCEEDED
    assert (run.outputs / "out" / "x").exists()


def test_two_threads_that_create_at_once_make_one(here) -> None:
    here.write("waits.py", WAITS)
    resource = here.resource("jobs", JobSpec(name="waits", script="waits.py", local={"grace": "1s"}))
    outcomes: list[str] = []

    def create() -> None:
        try:
            outcomes.append(here.provider.jobs.create(resource, SILENT).state)
        except AlreadyExistsError:
            outcomes.append("exists")

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("exists") == 3


PARENT = """
import sys
from pathlib import Path
from cloudml.errors import AlreadyExistsError
from cloudml.progress import SILENT
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import JobSpec, ProjectSpec
from cloudml.targets import resolve
root = Path(sys.argv[1])
spec = ProjectSpec(project="demo", jobs={"slow": JobSpec(name="slow", script="slow.py", timeout="5m")})
session = Session.open(spec, root, resolve(spec, "local", environ={}))
resource = session.builder().resource("jobs.slow", spec.jobs["slow"])
print("ready", flush=True)
sys.stdin.readline()
try:
    print(session.provider.jobs.create(resource, SILENT).name, flush=True)
except AlreadyExistsError:
    print("exists", flush=True)
sys.stdin.readline()
"""


@contextmanager
def parent(here) -> Iterator[subprocess.Popen[str]]:
    """A command that is about to start the job; killed with the block."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(here.root)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:  # fmt: skip
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_job_outlives_the_command_that_started_it_and_two_processes_make_one(here) -> None:
    door = here.root.parent / "door"
    here.write("slow.py", WAITS_FOR.format(door=str(door)))
    with parent(here) as one, parent(here) as other:
        for process in (one, other):
            go(process)
        said = sorted(process.stdout.readline().strip() for process in (one, other))
    assert said[1] == "exists"
    here.job(said[0], lambda now: now.state is JobState.RUNNING)
    door.touch()
    assert here.job(said[0]).state is JobState.SUCCEEDED
