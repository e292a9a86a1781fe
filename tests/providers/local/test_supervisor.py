"""Endpoints in real processes: the supervisor, its workers, and what may happen to them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from pyarrow import parquet

from cloudml import clock
from cloudml.errors import (
    AlreadyExistsError,
    InvalidRequestError,
    NotFoundError,
    SpecError,
    UnavailableError,
)
from cloudml.progress import SILENT
from cloudml.status import State, Verdict
from cloudml_local import processes
from cloudml_local.endpoints import DOWN, ask
from cloudml_local.schedule import Schedule

NAME = "demo-scale"


def invoke(here, *weights) -> list[float]:
    body = json.dumps({"instances": [{"weight": weight} for weight in weights]}).encode()
    answer = here.provider.endpoints.invoke(NAME, body, content_type="application/json", accept="application/json")
    return json.loads(answer.body)["predictions"]


def workers(here) -> list[int]:
    """The processes that answer, as the log and the process table know them."""
    supervisor = here.state.get("endpoints", NAME).owner.partition("@")[0]
    return [pid for pid in processes.marked(here.home / "endpoints" / NAME) if pid != int(supervisor)]


def deploy(here, **said):
    """Bring the endpoint up."""
    here.model()
    resource = here.deployed(**said)
    here.provider.endpoints.create(resource)
    return here.endpoint()


def test_an_endpoint_answers_refuses_strangers_and_names_bad_rows(here) -> None:
    ready = deploy(here)
    assert (ready.state, ready.instances) == (State.READY, 1)
    assert invoke(here, 80, 77.25) == [2.75, 0.0]
    with pytest.raises(InvalidRequestError, match=r"row 1\b.*weight"):
        here.provider.endpoints.invoke(
            NAME, b'{"instances": [{"weight": 1}, {}]}', content_type="application/json", accept="application/json"
        )
    port = here.state.get("endpoints", NAME).facts["port"]
    status, _, _ = ask(
        port, b'{"instances": []}', {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    )
    assert status == 401
    token = here.home / "endpoints" / NAME / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert any("loaded in" in line for line in here.provider.logs.read("endpoints", NAME, "").lines)
    with pytest.raises(AlreadyExistsError):
        here.provider.endpoints.create(here.deployed())
    here.provider.endpoints.delete(NAME)
    here.provider.endpoints.delete(NAME)
    assert processes.marked(here.home) == []
    assert not token.parent.exists()
    with pytest.raises(NotFoundError):
        invoke(here, 1)


def test_a_worker_that_is_killed_is_started_again(here) -> None:
    deploy(here)
    (worker,) = workers(here)
    os.kill(worker, signal.SIGKILL)
    assert invoke(here, 80) == [2.75]  # it waits in the socket's queue until a worker is there
    assert workers(here) != [worker]
    assert here.provider.endpoints.get(NAME).state is State.READY


def test_several_workers_answer_at_one_port(here) -> None:
    assert deploy(here, instances=2).instances == 2
    assert len(workers(here)) == 2
    assert invoke(here, 80) == [2.75]


def test_a_model_that_kills_its_workers_again_and_again_makes_the_endpoint_fail(here) -> None:
    deploy(here)
    over = threading.Event()

    def ask_for_death() -> None:
        while not over.is_set():
            try:
                invoke(here, "die")
            except (UnavailableError, http.client.HTTPException):
                continue

    asking = threading.Thread(target=ask_for_death)
    asking.start()
    try:
        failed = here.endpoint(lambda now: now.state is State.FAILED)
    finally:
        over.set()
        asking.join()
    assert "again and again" in failed.reason


def test_a_killed_supervisor_takes_its_workers_along_and_an_update_brings_the_endpoint_back_at_its_port(here) -> None:
    before = deploy(here)
    token = (here.home / "endpoints" / NAME / "token").read_text()
    supervisor = int(here.state.get("endpoints", NAME).owner.partition("@")[0])
    os.kill(supervisor, signal.SIGKILL)
    down = here.endpoint(lambda now: now.state is State.FAILED)
    assert down.reason == DOWN
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 60)
    with pytest.raises(UnavailableError) as caught:
        invoke(here, 80)
    assert "cloudml up" in caught.value.hint
    here.provider.endpoints.update(here.deployed())
    after = here.endpoint()
    assert (after.state, after.url, after.hash) == (State.READY, before.url, before.hash)
    assert (here.home / "endpoints" / NAME / "token").read_text() == token
    assert invoke(here, 80) == [2.75]


@contextmanager
def hammered(here, clients: int):
    """So many clients that ask without a pause; the answers and the failures they got."""
    over = threading.Event()
    answers: list[float] = []
    failures: list[Exception] = []

    def hammer() -> None:
        while not over.is_set():
            try:
                answers.extend(invoke(here, 77.25))
            except Exception as error:  # noqa: BLE001  any failure counts
                failures.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers, failures
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_new_version_comes_in_under_load_without_a_failed_request(here) -> None:
    deploy(here)
    here.model(parameters={"factor": 2})
    wanted = here.deployed()
    with hammered(here, clients=4) as (answers, failures):
        assert processes.wait_until(lambda: bool(answers), 60)
        here.provider.endpoints.update(wanted)
        after = here.endpoint()
        assert processes.wait_until(lambda: len(workers(here)) == 1, 60)
        last = invoke(here, 77.25)
    assert failures == []
    assert (after.hash, after.model) == (wanted.identity.hash, wanted.model)
    assert last == [-77.25]
    assert set(answers) == {0.0, -77.25}


def test_a_change_of_mind_right_after_the_start_is_not_lost(here) -> None:
    here.model()
    here.provider.endpoints.create(here.deployed())
    wanted = here.deployed(instances=2)
    here.provider.endpoints.update(wanted)
    after = here.endpoint()
    assert (after.state, after.hash, after.instances) == (State.READY, wanted.identity.hash, 2)


def test_a_version_that_cannot_start_leaves_the_old_one_and_says_why(here) -> None:
    before = deploy(here)
    here.write("predict.py", "raise ImportError('no module named hope')\n")
    here.model()
    here.provider.endpoints.update(here.deployed())
    after = here.endpoint()
    assert (after.state, after.hash, after.model) == (State.READY, before.hash, before.model)
    assert "no module named hope" in after.reason
    assert invoke(here, 80) == [2.75]


def test_a_first_version_that_cannot_start_fails_with_its_last_words_and_can_be_mended(here) -> None:
    good = (here.root / "predict.py").read_text()
    here.write("predict.py", "raise ImportError('no module named hope')\n")
    failed = deploy(here)
    assert failed.state is State.FAILED
    assert "no module named hope" in failed.reason
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 60)
    here.write("predict.py", good)
    here.model()
    here.provider.endpoints.update(here.deployed())
    assert here.endpoint().state is State.READY


def test_a_taken_port_is_a_reason(here) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        failed = deploy(here, local={"port": taken.getsockname()[1]})
    assert failed.state is State.FAILED
    assert "cannot be had" in failed.reason


def test_a_model_can_be_asked_without_a_socket_and_answers_the_same(here) -> None:
    deploy(here)
    model = here.provider.endpoints.local_model(NAME)
    assert model.predict([{"weight": 80}]) == invoke(here, 80) == [2.75]
    reply = model.invoke(b'{"instances": [{}]}', "application/json")
    assert reply.status == 400
    assert b"weight" in reply.body


def captured(here) -> list[dict]:
    """What the endpoint has captured so far."""
    folder = here.home / "endpoints" / NAME / "capture"
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    return [row for file in files for row in parquet.read_table(file).to_pylist()]


def test_what_was_asked_and_answered_is_captured_also_over_a_change_of_version(here) -> None:
    deploy(here, capture=1.0)
    invoke(here, 80, 77.25)
    here.model(parameters={"factor": 2})
    here.provider.endpoints.update(here.deployed(capture=1.0))
    here.endpoint()
    invoke(here, 77.25)
    assert processes.wait_until(lambda: len(captured(here)) == 3, 60)
    rows = {(row["version"], row["row"], row["instance"], row["prediction"]) for row in captured(here)}
    assert rows == {
        ("v1", 0, '{"weight":80}', "2.75"),
        ("v1", 1, '{"weight":77.25}', "0.0"),
        ("v2", 0, '{"weight":77.25}', "-77.25"),
    }
    assert {row["endpoint"] for row in captured(here)} == {NAME}


def test_nothing_is_captured_unless_asked(here) -> None:
    deploy(here)
    invoke(here, 80)
    here.provider.endpoints.update(here.deployed(instances=2))
    here.endpoint()
    assert not (here.home / "endpoints" / NAME / "capture").exists()


DEPLOY = """
import sys
from pathlib import Path
from cloudml.errors import AlreadyExistsError
from cloudml.resources import EndpointResource, Identity
from cloudml.seam import Context
from cloudml.specs import EndpointSpec
from cloudml_local.plugin import connect
from cloudml_local.settings import LocalSettings
endpoints = connect(LocalSettings(), Context(root=Path(sys.argv[1]), project="demo")).endpoints
identity = Identity(project="demo", resource="endpoints.scale", hash=sys.argv[3])
resource = EndpointResource(spec=EndpointSpec(name="scale", model="models.scale"), identity=identity, model=sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
try:
    print(getattr(endpoints, sys.argv[4])(resource).state, flush=True)
except AlreadyExistsError:
    print("exists", flush=True)
sys.stdin.readline()
"""


@contextmanager
def at_once(here, verb: str, hashes: list[str]):
    """So many processes that deploy at the same moment, and what they printed; killed in the end."""
    model = here.model()
    arguments = ["-c", DEPLOY, str(here.root), model]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, *arguments, digest, verb], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            for digest in hashes
        ]
        for process in started:
            stack.callback(process.kill)
        for process in started:
            assert process.stdout.readline() == b"ready\n"
        for process in started:
            process.stdin.write(b"\n")
            process.stdin.flush()
        yield sorted(process.stdout.readline().decode().strip() for process in started)


def test_two_processes_that_create_make_one_and_it_outlives_them(here) -> None:
    with at_once(here, "create", ["ab" * 32] * 2) as said:
        assert said == ["creating", "exists"]
    assert here.endpoint().state is State.READY
    assert len(processes.marked(here.home)) == 2  # a supervisor and its worker
    assert invoke(here, 80) == [2.75]


def test_two_processes_that_revive_start_one_supervisor(here) -> None:
    deploy(here)
    processes.end(here.home)
    with at_once(here, "update", ["ab" * 32, "cd" * 32]) as said:
        assert said == ["updating", "updating"]
    after = here.endpoint()
    assert after.state is State.READY
    assert after.hash in {"ab" * 32, "cd" * 32}
    assert processes.wait_until(lambda: len(processes.marked(here.home)) == 2, 60)
    assert invoke(here, 80) == [2.75]


def report_of(here, rows: int, **times):
    """What the monitor finds once the capture, which trails the answers, has so many rows."""
    found = []

    def run() -> bool:
        found.append(
            here.provider.monitors.run("demo-drift", **{"since": None, "until": None, **times}, progress=SILENT)
        )
        return found[-1].rows >= rows

    assert processes.wait_until(run, 60)
    return found[-1]


def test_a_monitor_finds_no_data_then_likeness_then_drift_and_keeps_each_report(here) -> None:
    deploy(here, capture=1.0)
    monitors = here.provider.monitors
    monitors.create(here.watched())
    assert report_of(here, 0).state is Verdict.NO_DATA
    assert monitors.get("demo-drift").verdict is Verdict.NO_DATA
    invoke(here, *([height / 2 for height in range(150, 160)] * 20))
    quiet = report_of(here, 200)
    assert (quiet.state, quiet.rows, quiet.baseline_rows) == (Verdict.OK, 200, 10)
    before = clock.now()
    invoke(here, *([300.0] * 200))
    drift = report_of(here, 400)
    assert drift.state is Verdict.VIOLATED
    assert [one.column for one in drift.violations] == ["weight"]
    assert monitors.report("demo-drift") == drift
    assert "violated" in Path(drift.html).read_text()
    assert monitors.get("demo-drift").ran == drift.ran
    assert report_of(here, 0, since=before).rows == 200
    assert report_of(here, 0, until=before).rows == 200
    monitors.update(here.watched(window="1h"))
    assert report_of(here, 400).rows == 400
    folder = here.home / "monitors" / "demo-drift"
    assert len(list(folder.glob("*/report.json"))) >= 6
    monitors.delete("demo-drift")
    assert not folder.exists()


def test_a_scheduled_monitor_runs_in_a_process_of_its_own_and_its_report_is_found(here) -> None:
    deploy(here, capture=1.0)
    here.provider.monitors.create(here.watched(schedule="0 * * * *"))
    time = [clock.EPOCH.replace(year=2026, minute=30)]
    schedule = Schedule(here.state, NAME, now=lambda: time[0])
    schedule.tick()
    time[0] = time[0].replace(hour=1, minute=0)
    assert schedule.tick() == ["demo-drift"]
    assert processes.wait_until(lambda: here.provider.monitors.get("demo-drift").verdict is Verdict.NO_DATA, 60)


def test_a_monitor_that_cannot_run_leaves_no_half_report(here) -> None:
    deploy(here)
    here.provider.monitors.create(here.watched(checks=({"metric": "psi", "max": 0.2, "columns": ["nowhere"]},)))

    def run() -> None:
        here.provider.monitors.run("demo-drift", since=None, until=None, progress=SILENT)

    with pytest.raises(SpecError, match="nowhere"):
        run()
    assert list((here.home / "monitors" / "demo-drift").glob("2*")) == []
    here.provider.monitors.update(here.watched())
    run()
    assert here.provider.monitors.get("demo-drift").verdict is Verdict.NO_DATA  # nothing was captured
    here.provider.endpoints.delete(NAME)
    with pytest.raises(NotFoundError, match="endpoint"):
        run()
