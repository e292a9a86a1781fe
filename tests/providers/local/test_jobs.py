from __future__ import annotations

from dataclasses import replace

import pytest

from cloudml.errors import SpecError
from cloudml.resources import Identity
from cloudml.specs import JobSpec
from cloudml.status import JobState
from cloudml_local import processes, runs
from cloudml_local.jobs import lift, lower, site_digest
from cloudml_local.places import Run
from cloudml_local.runner import may_start
from cloudml_local.state import new


def row(name: str, state: str, owner: str):
    identity = Identity(project="demo", resource=f"jobs.{name}", hash=name * 10)
    return replace(new(identity, name, state, {"at_once": 2}), facts={"owner": owner, "role": runs.RUNNER})


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
