from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import threading
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from pyarrow import parquet

from cloudml.errors import (
    AlreadyExistsError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    SpecError,
    UnavailableError,
)
from cloudml.resources import Identity
from cloudml.specs import EndpointSpec
from cloudml.status import State
from cloudml_local import processes
from cloudml_local.endpoints import DOWN, ask, lift, lower, make_token, refusal
from cloudml_local.state import new
from cloudml_local.supervisor import listen

IDENTITY = Identity(project="demo", resource="endpoints.scale", hash="ab" * 32)
NAME = "demo-scale"


def row(state: str, **facts):
    return new(IDENTITY, NAME, state, {"model": "demo-scale-1"}).with_facts(**facts)


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


# What is sent, and what is made of the answer.


def test_the_request_names_the_model_and_depends_on_nothing_but_the_resource(here) -> None:
    spec = EndpointSpec(name="scale", model="models.scale", instances=2, capture=0.5, machine={"cpus": 1},
                        local={"port": 9000})  # fmt: skip
    here.add("endpoints", spec)
    from cloudml.resources import EndpointResource

    resource = EndpointResource(spec=spec, identity=IDENTITY, model="demo-scale-1")
    folder = here.home / "endpoints" / NAME
    assert lower(resource, here.state.places) == {
        "name": NAME,
        "model": "demo-scale-1",
        "folder": str(here.home / "models" / "demo-scale-1"),
        "workers": 2,
        "environment": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
                        "NUMEXPR_NUM_THREADS": "1"},
        "capture": 0.5,
        "capture_folder": str(folder / "capture"),
        "token_file": str(folder / "token"),
        "port": 9000,
    }  # fmt: skip


@pytest.mark.parametrize("block", [{"port": "http"}, {"port": 0}, {"port": True}, {"workers": 3}, {"prot": 1}])
def test_words_of_the_provider_are_refused_by_path(here, block) -> None:
    from cloudml.resources import EndpointResource

    spec = EndpointSpec(name="scale", model="models.scale", local=block)
    with pytest.raises(SpecError, match=r"endpoints\.scale\.local\."):
        lower(EndpointResource(spec=spec, identity=IDENTITY, model="m"), here.state.places)


@pytest.mark.parametrize(
    ("state", "running", "deleting", "expected"),
    [
        ("creating", True, False, State.CREATING),
        ("updating", True, False, State.UPDATING),
        ("ready", True, False, State.READY),
        ("ready", True, True, State.DELETING),
        ("ready", False, False, State.FAILED),
        ("creating", False, False, State.FAILED),
        ("failed", False, False, State.FAILED),
        ("something new", True, False, State.UNKNOWN),
    ],
)
def test_every_state_is_lifted(state: str, running: bool, deleting: bool, expected: State) -> None:
    lifted = lift(row(state, port=81, workers=2), running=running, deleting=deleting)
    assert lifted.state is expected
    assert lifted.instances == (2 if running else 0)
    assert lifted.url == "http://127.0.0.1:81/invocations"


def test_an_endpoint_that_nobody_looks_after_says_so_unless_it_failed_for_a_reason() -> None:
    assert lift(row("ready"), running=False, deleting=False).reason == DOWN
    failed = replace(row("failed"), reason="no module named hope")
    assert lift(failed, running=False, deleting=False).reason == "no module named hope"


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, b'{"error": {"message": "row 1: no field `x`", "request_id": "r"}}', InvalidRequestError, "row 1"),
        (401, b'{"error": {"message": "no"}}', AuthenticationError, "401"),
        (404, b"nothing here", NotFoundError, "nothing here"),
        (500, b'{"error": {"message": "the model failed"}}', UnavailableError, "the model failed"),
        (503, b'{"error": null}', UnavailableError, "503"),
        (502, b"[]", UnavailableError, "502"),
    ],
)
def test_an_answer_that_is_none_becomes_an_error_with_the_servers_words(status, body, kind, said: str) -> None:
    error = refusal("scale", status, body)
    assert type(error) is kind
    assert said in error.message
    assert error.code == str(status)


def test_a_token_is_for_this_user_only_and_stays(tmp_path) -> None:
    make_token(tmp_path / "token")
    written = (tmp_path / "token").read_text()
    make_token(tmp_path / "token")
    assert (tmp_path / "token").read_text() == written
    assert len(written) >= 32
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_the_port_is_the_one_asked_for_else_the_one_it_had_else_a_free_one() -> None:
    with closing(listen(None, None)) as first:
        port = first.getsockname()[1]
        with closing(listen(port, None)) as second:
            assert second.getsockname()[1] not in {0, port}
        with pytest.raises(OSError, match="in use"):
            listen(None, port)
    with closing(listen(port, None)) as again:
        assert again.getsockname()[1] == port


def test_a_port_without_a_listener_is_unavailable() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UnavailableError):
            ask(taken.getsockname()[1], b"", {})


# Real processes.


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
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 20)
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
        assert processes.wait_until(lambda: bool(answers), 20)
        here.provider.endpoints.update(wanted)
        after = here.endpoint()
        assert processes.wait_until(lambda: len(workers(here)) == 1, 40)
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
    assert processes.wait_until(lambda: processes.marked(here.home) == [], 20)
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
    assert processes.wait_until(lambda: len(captured(here)) == 3, 20)
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
