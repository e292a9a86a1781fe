from __future__ import annotations

import socket
import stat
from contextlib import closing
from dataclasses import replace

import pytest

from cloudml.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    SpecError,
    UnavailableError,
)
from cloudml.resources import Identity
from cloudml.specs import EndpointSpec
from cloudml.status import State
from cloudml_local.endpoints import DOWN, ask, lift, lower, make_token, refusal
from cloudml_local.state import new
from cloudml_local.supervisor import listen

IDENTITY = Identity(project="demo", resource="endpoints.scale", hash="ab" * 32)
NAME = "demo-scale"


def row(state: str, **facts):
    return new(IDENTITY, NAME, state, {"model": "demo-scale-1"}).with_facts(**facts)


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
