from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, ProviderError, SettingsError
from cloudml.resources import Identity
from cloudml_local import processes
from cloudml_local.places import Places
from cloudml_local.state import Row, State, new


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(Places(tmp_path / ".cloudml"))


def identity(resource: str = "jobs.train", project: str = "demo", digest: str = "ab" * 32) -> Identity:
    return Identity(project=project, resource=resource, hash=digest)


def row(state: str = "queued", **said: str) -> Row:
    one = identity(**said)
    return new(one, one.name, state, {"odd": "naïve 東京 \ud800", "n": 1.5})


def test_a_row_comes_back_as_it_was(state: State) -> None:
    added = state.add(row())
    assert state.get("jobs", added.name) == added
    assert state.find("jobs", "demo") == [added]
    assert state.find("jobs", "other") == []


def test_looking_makes_no_folder(state: State) -> None:
    assert state.find("jobs", "demo") == []
    assert state.look("jobs", "x") is None
    assert not state.places.home.exists()


def test_the_state_folder_is_invisible_to_git(state: State) -> None:
    state.add(row())
    assert (state.places.home / ".gitignore").read_text().splitlines()[-1] == "*"


def test_what_is_not_there_is_not_found(state: State) -> None:
    with pytest.raises(NotFoundError, match="no job `x` here"):
        state.get("jobs", "x")


def test_a_name_is_given_once(state: State) -> None:
    state.add(row())
    with pytest.raises(AlreadyExistsError):
        state.add(row())


def test_a_name_of_another_resource_is_a_conflict_that_says_whose_it_is(state: State) -> None:
    state.add(row(resource="endpoints.b-c", project="aa"))
    with pytest.raises(ConflictError, match=r"`endpoints\.b-c` of project `aa`"):
        state.add(row(resource="endpoints.c", project="aa-b"))


def test_a_row_that_may_go_is_replaced_with_its_folder(state: State) -> None:
    added = state.add(row(state="failed"))
    folder = state.places.folder("jobs", added.name)
    folder.mkdir(parents=True)
    (folder / "old").touch()
    again = state.add(row(), instead=lambda old: old.state == "failed")
    assert state.get("jobs", added.name).facts["attempt"] == again.facts["attempt"]
    assert not folder.exists()
    assert list(state.places.trash.iterdir()) == []


def test_many_at_once_throw_away_their_folders(state: State) -> None:
    added = [state.add(row(resource=f"jobs.j{number}")) for number in range(24)]
    for one in added:
        (state.places.folder("jobs", one.name) / "deep").mkdir(parents=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: state.drop("jobs", one.name), added))
    assert list(state.places.folder("jobs", "x").parent.iterdir()) == []
    assert list(state.places.trash.iterdir()) == []


def test_an_edit_of_a_missing_row_changes_nothing(state: State) -> None:
    assert state.edit("jobs", "x", lambda now: now) is None


def test_an_edit_that_fails_leaves_the_row(state: State) -> None:
    added = state.add(row())
    with pytest.raises(ZeroDivisionError):
        state.edit("jobs", added.name, lambda now: replace(now, reason=str(1 / 0)))
    assert state.get("jobs", added.name) == added


def test_versions_count_within_a_family_and_are_not_given_again(state: State) -> None:
    def version(number: int, family: str) -> int:
        added = state.add(row(resource="models.m", digest=f"{number:064x}"[::-1]), family=family)
        return int(added.facts["version"])

    assert [version(1, "a"), version(2, "a"), version(3, "b")] == [1, 2, 1]
    state.drop("models", row(resource="models.m", digest=f"{2:064x}"[::-1]).name)
    assert version(4, "a") == 3


def test_a_replaced_row_hands_its_number_on(state: State) -> None:
    first = row(resource="models.m")
    assert state.add(first, family="a").facts["version"] == 1
    assert state.add(first, family="a", instead=lambda _: True).facts["version"] == 1


def test_a_newer_schema_is_refused_with_what_to_do(state: State) -> None:
    state.add(row())
    with sqlite3.connect(state.places.database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SettingsError, match="newer cloudml"):
        state.find("jobs")


def test_a_file_that_is_no_database_is_an_error_of_ours(state: State) -> None:
    state.places.home.mkdir()
    state.places.database.write_text("no database at all, but long enough to be read as one" * 20)
    with pytest.raises(ProviderError, match="not a database") as caught:
        state.find("jobs")
    assert "cloudml up" in caught.value.hint


ADD = """
import sys
from pathlib import Path
from cloudml.errors import AlreadyExistsError
from cloudml.resources import Identity
from cloudml_local.places import Places
from cloudml_local.state import State, new
state = State(Places(Path(sys.argv[1])))
sys.stdin.readline()
for number in range(20):
    identity = Identity(project="demo", resource="models.m", hash=f"{number:064x}"[::-1])
    try:
        print(number, state.add(new(identity, identity.name, "creating", {}), family="m").facts["version"])
    except AlreadyExistsError:
        pass
"""


def test_of_several_processes_one_makes_each_and_versions_have_no_gap(state: State) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", ADD, str(state.places.home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    printed = []
    for process in started:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in started:
        out, _ = process.communicate()
        assert process.returncode == 0
        printed += [tuple(map(int, line.split())) for line in out.splitlines()]
    assert sorted(number for number, _ in printed) == list(range(20))
    assert sorted(version for _, version in printed) == list(range(1, 21))


FRESH = """
import sys
from pathlib import Path
from cloudml_local.places import Places
from cloudml_local.state import State
for home in sys.stdin.read().split():
    State(Places(Path(home))).clear("jobs", "nobody")
"""


def test_processes_that_open_a_fresh_folder_at_the_same_moment_all_find_a_database(tmp_path) -> None:
    homes = [str(tmp_path / f"home{number}") for number in range(60)]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FRESH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        process.stdin.write("\n".join(homes))
        process.stdin.close()
        process.stdin = None
    assert [process.communicate()[1] for process in started] == [""] * 4
    for home in homes:
        with closing(sqlite3.connect(f"{home}/state.db")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert list((Path(home) / "trash").iterdir()) == []


def test_an_owner_that_is_gone_leaves_an_orphan(state: State) -> None:
    added = state.add(row())
    assert not added.orphaned
    assert added.with_facts(owner="").orphaned
    assert added.with_facts(owner=f"{os.getpid()}@another-moment").orphaned
    assert processes.alive(processes.me())
