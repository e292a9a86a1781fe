"""Which generation of workers the supervisor begins, without any process: its own look at the row."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from cloudml.resources import Identity
from cloudml.status import State as Stands
from cloudml_local.places import Places
from cloudml_local.schedule import Schedule
from cloudml_local.state import State, new
from cloudml_local.supervisor import Generation, Supervisor

NAME = "demo-scale"
IDENTITY = Identity(project="demo", resource="endpoints.scale", hash="0" * 64)


@pytest.fixture
def supervisor(tmp_path):
    """The supervisor of an endpoint whose second version has taken over, while the row still wishes for it."""
    database = State(Places(tmp_path))
    wish = {"hash": "1" * 64, "body": {"workers": 0}, "attempt": "second"}
    database.add(new(IDENTITY, NAME, Stands.UPDATING, {}).with_facts(wanted=wish))
    with closing(socket.socket()) as listener:
        found = Supervisor(database, NAME, listener, -1, Schedule(database, NAME))
        found.current = Generation(**wish)
        yield found


def test_a_version_that_took_over_is_not_begun_again_while_old_workers_let_go(supervisor) -> None:
    supervisor._follow_row()
    assert not supervisor.over
    assert supervisor.coming is None


def test_another_wish_is_begun_beside_it(supervisor) -> None:
    wish = {"hash": "2" * 64, "body": {"workers": 0}, "attempt": "third"}
    supervisor.database.edit("endpoints", NAME, lambda now: now.with_facts(wanted=wish))
    supervisor._follow_row()
    assert supervisor.coming.attempt == "third"
    assert supervisor.current.attempt == "second"
