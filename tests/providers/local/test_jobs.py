from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from cloudml.errors import AlreadyExistsError, NotFoundError, SpecError
from cloudml.progress import SILENT
from cloudml.resources import Identity
from cloudml.specs import JobSpec
from cloudml.status import JobState
from cloudml_local import processes, runs
from cloudml_local.jobs import lift, lower, site_digest
from cloudml_local.places import Run
from cloudml_local.runner import may_start
from cloudml_local.state import new

WAITS = "import time\nprint('waiting', flush=True)\ntime.sleep(300)\n"
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
    """The processes that a script has said it started."""
    log = here.home / "runs" / name / "log.txt"

    def said() -> list[int]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith("child ")]

    assert processes.wait_until(lambda: len(said()) == number, 60)
    return said()


def gone(pids: list[int]) -> bool:
    return not any(processes.identity(pid) for pid in pids)


def row(name: str, state: str, owner: str):
    identity = Identity(project="demo", resource=f"jobs.{name}", hash=name * 10)
    return replace(new(identity, name, state, {"at_once": 2}), facts={"owner": owner, "role": runs.RUNNER})


# What is sent, and what is made of the answer.


def test_the_request_is_the_drivers_and_depends_on_nothing_but_the_resource(here) -> None:
    here.write("requirements.txt", "numpy\n")
    spec = JobSpec(name="train", script="train.py", outputs=("model",), parameters={"n": 3}, timeout="90s",
                   requirements="requirements.txt", environment={"A": "b"}, machine={"cpus": 2})  # fmt: skip
    resource = here.resource("jobs", spec)
    body = lower(resource, here.state.places)
    run = Run(here.home / "runs" / resource.identity.name)
    assert body == lower(resource, here.state.places)
    assert body["request"] == {
        "version": 1,
        "name": resource.identity.name,
        "resource": "jobs.train",
        "script": "train.py",
        "source": str(run.code),
        "inputs": {},
        "outputs": {"model": str(run.staging / "model")},
        "parameters": {"n": 3},
        "environment": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2",
                        "NUMEXPR_NUM_THREADS": "2", "A": "b"},
        "record": str(run.record),
        "checkpoints": str(here.home / "checkpoints" / resource.identity.name),
        "requirements": "requirements.txt",
        "site": str(here.state.places.site(site_digest("numpy\n", resource.source.digest))),
        "timeout_s": 90.0,
        "grace_s": 30.0,
        "hosts": ["localhost"],
        "current_host": "localhost",
    }  # fmt: skip
    assert not here.home.joinpath("state.db").exists()


def test_what_the_user_says_of_threads_wins(here) -> None:
    spec = JobSpec(name="t", script="train.py", machine={"cpus": 2}, environment={"OMP_NUM_THREADS": "7"})
    environment = lower(here.resource("jobs", spec), here.state.places)["request"]["environment"]
    assert environment["OMP_NUM_THREADS"] == "7"
    assert environment["MKL_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"grace": "soon"}, "not a duration"),
        ({"grace": 5}, "not a duration"),
        ({"graze": "5s"}, "is no word"),
        ({"request": {}}, "is set from the rest"),
    ],
)
def test_words_of_the_provider_are_refused_by_path(here, block, said: str) -> None:
    resource = here.resource("jobs", JobSpec(name="t", script="train.py", local=block))
    with pytest.raises(SpecError, match=said) as caught:
        lower(resource, here.state.places)
    assert caught.value.path.startswith("jobs.t.local.")


def test_the_word_grace_reaches_driver_and_runner(here) -> None:
    body = lower(here.resource("jobs", JobSpec(name="t", script="train.py", local={"grace": "5s"})), here.state.places)
    assert (body["grace_s"], body["request"]["grace_s"]) == (5.0, 5.0)


def test_packages_are_shared_by_equal_lines_and_by_equal_code_where_a_line_names_a_file() -> None:
    assert site_digest("numpy\n", "a") == site_digest("numpy\n", "b") != site_digest("numpy<2\n", "a")
    assert site_digest("numpy\n./wheels/x.whl\n", "a") != site_digest("numpy\n./wheels/x.whl\n", "b")


@pytest.mark.parametrize("state", [*JobState, "something new"])
def test_every_state_is_lifted_and_an_unknown_one_is_not_over(state: str) -> None:
    lifted = lift(row("train", state, ""), runs.Seen(), {})
    assert lifted.state == (state if state in set(JobState) else JobState.UNKNOWN)


@pytest.mark.parametrize(
    ("seen", "stopping", "driver", "state", "reason"),
    [
        ({"state": "succeeded"}, False, 0, "succeeded", ""),
        ({"state": "succeeded"}, False, None, "succeeded", ""),
        ({"state": "succeeded"}, True, 0, "cancelled", "cancelled"),
        ({"state": "failed", "reason": "x"}, False, 3, "failed", "x"),
        ({"state": "failed", "exit_code": 3}, False, 3, "failed", "exit code 3"),
        ({"state": "timed_out", "reason": "y"}, False, 124, "timed_out", "y"),
        ({"state": "running"}, False, -9, "failed", "killed by signal 9"),
        ({"state": "running"}, False, None, "failed", "the runner was killed"),
        ({}, False, None, "failed", "before the script began"),
        ({"state": "cancelled"}, False, None, "failed", "the runner was killed"),
        ({"tail": ("a", "No module named x")}, False, 1, "failed", "No module named x"),
    ],
)
def test_how_a_run_ends(seen, stopping: bool, driver, state: str, reason: str) -> None:
    ended, why = runs.outcome(runs.Seen(**seen), stopping=stopping, driver=driver)
    assert ended == state
    assert reason in why


def test_a_job_waits_while_as_many_as_the_limit_run_or_came_before() -> None:
    me = processes.me()
    mine = row("mine", "queued", me)
    first, second = row("first", "running", me), row("second", "stopping", me)
    later = replace(row("later", "queued", me), created=mine.created.replace(year=9999))
    dead = row("dead", "running", "1@another-moment")
    assert not may_start(mine, [mine, first, second, later])
    assert may_start(mine, [mine, first, later, dead])
    earlier = replace(row("earlier", "queued", me), created=mine.created.replace(year=2000))
    assert not may_start(mine, [mine, first, earlier])


# Real processes.


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
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 20)


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
    started = children(here, name)
    assert here.job(name).state is JobState.TIMED_OUT
    assert gone(started)


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


def test_a_runner_that_never_started_is_not_waited_for(here) -> None:
    resource = here.resource("jobs", JobSpec(name="t", script="train.py"))
    lost = new(resource.identity, resource.identity.name, JobState.QUEUED, lower(resource, here.state.places))
    here.state.add(replace(lost, facts={"owner": "1@another-moment", "attempt": "lost"}))
    assert here.provider.jobs.get(resource.identity.name).state is JobState.FAILED
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


def parent(here) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(here.root)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_job_outlives_the_command_that_started_it_and_two_processes_make_one(here) -> None:
    door = here.root.parent / "door"
    here.write(
        "slow.py", f"import pathlib, time\nwhile not pathlib.Path({str(door)!r}).exists():\n    time.sleep(0.01)\n"
    )
    parents = [parent(here), parent(here)]
    for process in parents:
        go(process)
    said = sorted(process.stdout.readline().strip() for process in parents)
    assert said[1] == "exists"
    for process in parents:
        process.kill()
        process.communicate()
    here.job(said[0], lambda now: now.state is JobState.RUNNING)
    door.touch()
    assert here.job(said[0]).state is JobState.SUCCEEDED
