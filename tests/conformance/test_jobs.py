from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from sample import TABLE, job, script

from cloudml.capabilities import Capability
from cloudml.errors import NotFoundError, RunFailedError, WaitTimeoutError
from cloudml.status import JobState

ODD = {
    "integer": 3,
    "fraction": 1.0,
    "tiny": 1e-7,
    "flag": True,
    "off": False,
    "empty": "",
    "digits": "007",
    "spaces": "a b  c",
    "quotes": """it's "quoted" \\ `ticks`""",
    "shell": "$(echo pwned); $HOME && rm -rf / | cat > x",
    "dashes": "--verbose",
    "lines": "one\ntwo\r\nthree\ttab",
    "unicode": "naïve 東京 🚕",
    "braces": "${{inputs.x}} $(AIP_MODEL_DIR) %s {0}",
}
ECHO = """
import json
from cloudml import runtime

job = runtime.job()
(job.outputs["seen"] / "parameters.json").write_text(json.dumps(job.parameters))
"""
CHECK = """
import json
from cloudml import runtime

job = runtime.job()
seen = json.loads((job.inputs["seen"] / "parameters.json").read_text())
expected = json.loads((job.inputs["expected"] / "odd.json").read_text())
assert seen == expected, (seen, expected)
assert {k: type(v) for k, v in seen.items()} == {k: type(v) for k, v in expected.items()}
job.log_metric("equal", 1)
"""
WAITS = """
import signal, sys, threading
from cloudml import runtime

job = runtime.job()
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
print("waiting", flush=True)
stop.wait(120)
print("cleaned up", flush=True)
sys.exit(3)
"""


def write(client, name: str, text: str) -> None:
    (client.session.root / name).write_text(text)


def test_a_training_job_succeeds_with_metrics_outputs_and_logs(client) -> None:
    client.datasets.push(TABLE)
    done = client.jobs.run(job())
    assert done.state is JobState.SUCCEEDED
    assert done.metrics == {"mean": 77.25, "rows": 10}
    assert done.exit_code == 0
    assert "model" in done.outputs
    assert done.started <= done.ended
    assert "trained on 10 rows" in list(client.jobs.logs("train"))


def test_a_submitted_job_is_found_by_its_short_and_its_full_name(client) -> None:
    client.datasets.push(TABLE)
    submitted = client.jobs.submit(job())
    assert client.jobs.get("train").name == submitted.name
    assert client.jobs.get(submitted.name).resource == "jobs.train"
    assert client.jobs.wait("train").state is JobState.SUCCEEDED
    assert [one.name for one in client.jobs.list()] == [submitted.name]


def test_the_same_job_is_not_run_again_and_another_parameter_is_another_run(client) -> None:
    client.datasets.push(TABLE)
    first = client.jobs.run(job())
    assert client.jobs.run(job()).started == first.started
    second = client.jobs.run(job(parameters={"factor": 2}))
    assert second.name != first.name
    assert len(client.jobs.list()) == 2


def test_what_does_not_change_the_result_does_not_run_it_again(client) -> None:
    client.datasets.push(TABLE)
    first = client.jobs.run(job())
    write(client, "README.md", "# of no consequence\n")
    write(client, "other.py", "print('not imported')\n")
    assert client.jobs.run(job(timeout="7m")).name == first.name


def test_a_changed_script_is_another_run(client) -> None:
    client.datasets.push(TABLE)
    first = client.jobs.run(job())
    write(client, "train.py", (client.session.root / "train.py").read_text() + "\nprint('more')\n")
    assert client.jobs.run(job()).name != first.name


def test_a_failing_script_reaches_the_user_with_its_last_lines(client) -> None:
    write(client, "fails.py", "print('before')\nraise RuntimeError('no such column: weigth')\n")
    with pytest.raises(RunFailedError, match="no such column: weigth") as caught:
        client.jobs.run(script("fails.py"))
    assert caught.value.status.state is JobState.FAILED
    assert caught.value.status.exit_code == 1
    assert "before" in caught.value.status.tail


def test_a_failed_job_is_run_again_when_asked_again(client) -> None:
    write(client, "fails.py", "import sys\nsys.exit(4)\n")
    for _ in range(2):
        with pytest.raises(RunFailedError) as caught:
            client.jobs.run(script("fails.py"))
        assert caught.value.status.exit_code == 4
    assert len({one.name for one in client.jobs.list()}) >= 1


@pytest.mark.needs(Capability.JOB_TIMEOUT)
def test_a_job_is_stopped_after_its_timeout(client) -> None:
    write(client, "waits.py", "import threading\nthreading.Event().wait(300)\n")
    with pytest.raises(RunFailedError) as caught:
        client.jobs.run(script("waits.py", timeout="2s"))
    assert caught.value.status.state is JobState.TIMED_OUT


@pytest.mark.needs(Capability.JOB_CANCEL, Capability.JOB_LOGS)
def test_a_cancelled_job_may_clean_up_and_is_not_a_success(client) -> None:
    write(client, "waits.py", WAITS)
    client.jobs.submit(script("waits.py"))
    for line in client.jobs.logs("waits", follow=True):
        if line == "waiting":
            client.jobs.cancel("waits")
            break
    with pytest.raises(RunFailedError) as caught:
        client.jobs.wait("waits")
    assert caught.value.status.state is JobState.CANCELLED
    assert "cleaned up" in list(client.jobs.logs("waits"))
    client.jobs.cancel("waits")


@pytest.mark.needs(Capability.JOB_LOGS)
def test_logs_can_be_followed_to_the_end(client) -> None:
    write(client, "talks.py", "for number in range(200):\n    print('line', number)\n")
    client.jobs.submit(script("talks.py"))
    lines = [line for line in client.jobs.logs("talks", follow=True) if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(200)]


def test_patience_ends_but_the_job_goes_on(client) -> None:
    write(client, "waits.py", WAITS)
    client.jobs.submit(script("waits.py"))
    with pytest.raises(WaitTimeoutError):
        client.jobs.wait("waits", timeout=timedelta(0))
    assert not client.jobs.get("waits").state.over
    client.jobs.cancel("waits")
    with pytest.raises(RunFailedError):
        client.jobs.wait("waits")


@pytest.mark.needs(Capability.JOB_PARAMETERS, Capability.JOB_PROCESSING)
def test_parameters_keep_their_types_and_odd_characters(client) -> None:
    from cloudml.specs import DatasetSpec

    write(client, "odd.json", json.dumps(ODD))
    write(client, "echo.py", ECHO)
    write(client, "check.py", CHECK)
    client.datasets.push(DatasetSpec(name="expected", path="odd.json"))
    client.jobs.run(script("echo.py", outputs=("seen",), parameters=ODD))
    inputs = {"seen": "jobs.echo.seen", "expected": "datasets.expected"}
    assert client.jobs.run(script("check.py", inputs=inputs, metrics=("equal",))).metrics == {"equal": 1}


@pytest.mark.needs(Capability.JOB_PARAMETERS)
def test_a_large_parameter_arrives_whole(client) -> None:
    size = 300_000
    write(client, "large.py", "from cloudml import runtime\njob = runtime.job()\n"
          "job.log_metric('size', len(job.parameters['text']))\n")  # fmt: skip
    assert client.jobs.run(script("large.py", parameters={"text": "ä" * size})).metrics == {"size": size}


@pytest.mark.needs(Capability.JOB_ENVIRONMENT)
def test_environment_variables_arrive(client) -> None:
    write(client, "env.py", "import os\nprint('threads', os.environ['OMP_NUM_THREADS'], os.environ['ODD'])\n")
    client.jobs.run(script("env.py", environment={"OMP_NUM_THREADS": "3", "ODD": "$(no) 'shell'"}))
    assert "threads 3 $(no) 'shell'" in list(client.jobs.logs("env"))


@pytest.mark.needs(Capability.JOB_SHELL)
def test_a_shell_script_is_a_job(client) -> None:
    write(client, "hello.sh", 'echo "hello from $0"\n')
    client.jobs.run(script("hello.sh"))
    assert any(line.startswith("hello from") for line in client.jobs.logs("hello"))


@pytest.mark.needs(Capability.JOB_METRICS)
def test_the_last_value_of_a_metric_counts(client) -> None:
    write(client, "steps.py", "from cloudml import runtime\njob = runtime.job()\n"
          "for step in range(5):\n    job.log_metric('loss', 1 / (step + 1), step=step)\n")  # fmt: skip
    assert client.jobs.run(script("steps.py", metrics=("loss",))).metrics == {"loss": 0.2}


@pytest.mark.needs(Capability.JOB_SPOT)
def test_a_spot_job_runs(client) -> None:
    write(client, "hello.py", "print('hello')\n")
    assert client.jobs.run(script("hello.py", spot=True)).state is JobState.SUCCEEDED


@pytest.mark.needs(Capability.JOB_NODES)
def test_a_job_on_two_machines_runs(client) -> None:
    write(client, "hello.py", "print('hello')\n")
    assert client.jobs.run(script("hello.py", nodes=2)).state is JobState.SUCCEEDED


@pytest.mark.needs(Capability.JOB_IN_PROCESS)
def test_a_job_runs_in_the_calling_process(client) -> None:
    client.datasets.push(TABLE)
    write(client, "here.py", "import os, sys\nfrom cloudml import runtime\n"
          "sys.modules['conformance_seen'] = os.getpid()\nruntime.job().log_metric('pid', os.getpid())\n")  # fmt: skip
    import os
    import sys

    status = client.jobs.run_in_process(script("here.py"))
    assert status.metrics == {"pid": os.getpid()}
    assert sys.modules.pop("conformance_seen") == os.getpid()


@pytest.mark.needs(Capability.JOB_REQUIREMENTS)
def test_a_missing_requirement_fails_with_its_name(client) -> None:
    write(client, "hello.py", "print('hello')\n")
    write(client, "requirements.txt", "./no-such-package-of-conformance\n")
    with pytest.raises(RunFailedError, match="no-such-package-of-conformance"):
        client.jobs.run(script("hello.py", requirements="requirements.txt"))


def test_two_at_once_make_one_job(client) -> None:
    client.datasets.push(TABLE)
    found: list[str] = []
    spec = job()

    def run() -> None:
        found.append(client.jobs.run(spec).name)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(client.jobs.list()) == 1


def test_an_unknown_job_is_not_found(client) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.jobs.get("nobody")
    assert caught.value.hint


def test_deleting_twice_is_no_error_and_a_running_job_is_stopped(client) -> None:
    write(client, "waits.py", WAITS)
    name = client.jobs.submit(script("waits.py")).name
    client.jobs.delete(name)
    client.jobs.delete(name)
    assert client.jobs.list() == ()
