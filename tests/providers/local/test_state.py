from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cloudml.errors import AlreadyExistsError, ConflictError, NotFoundError, ProviderError, SettingsError
from cloudml.resources import Identity
from cloudml_local import processes
from cloudml_local.places import Places
from cloudml_local.state import Row, State, new

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize(("version", "whose"), [(99, "a newer"), (0, "another")])
def test_a_schema_of_another_version_is_refused_with_what_to_do(state: State, version: int, whose: str) -> None:
    state.add(row())
    with closing(sqlite3.connect(state.places.database)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(SettingsError, match=f"{whose} cloudml") as caught:
        state.find("jobs")
    assert "`state` of the target" in caught.value.hint


def test_a_file_that_is_no_database_is_an_error_of_ours(state: State) -> None:
    state.places.home.mkdir()
    state.places.database.write_text("no database at all, but long enough to be read as one" * 20)
    with pytest.raises(ProviderError, match="not a database") as caught:
        state.find("jobs")
    assert "cloudml up" in caught.value.hint


def test_while_it_is_held_the_database_stays_open_and_nobody_writes_its_log_back(state: State) -> None:
    log = state.places.home / "state.db-wal"
    with state.holding():
        added = state.add(row())
        with state.holding():
            assert state.get("jobs", added.name) == added
        assert log.exists()
        assert State(state.places).get("jobs", added.name) == added
    assert not log.exists()


def test_an_error_while_the_database_is_held_leaves_it_usable(state: State) -> None:
    with state.holding():
        added = state.add(row())
        with pytest.raises(ZeroDivisionError):
            state.edit("jobs", added.name, lambda now: replace(now, reason=str(1 / 0)))
        assert state.edit("jobs", added.name, lambda now: replace(now, reason="again")).reason == "again"


def test_a_database_that_was_removed_while_it_was_held_is_made_anew(state: State) -> None:
    with state.holding():
        state.add(row())
        shutil.rmtree(state.places.home)
        assert state.find("jobs") == []
        added = state.add(row(resource="jobs.other"))
        assert State(state.places).find("jobs") == [added]


FORKS = """
import os, sys
from pathlib import Path
from cloudml_local.places import Places
from cloudml_local.state import State
state = State(Places(Path(sys.argv[1])))
opened = []
sys.addaudithook(lambda event, _: opened.append(event) if event == "sqlite3.connect" else None)
with state.holding():
    found = [state.find("jobs"), state.find("jobs")]
    child = os.fork()
    found += [state.find("jobs")]
    os.write(1, f"{len(opened)} {len(found[0])} {found == found[:1] * 3}\\n".encode())
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    state.find("jobs")
    os.write(1, f"{len(opened)}\\n".encode())
"""


def test_a_forked_process_opens_a_database_of_its_own_and_leaves_its_parents_open(state: State) -> None:
    state.add(row())
    told = subprocess.run([sys.executable, "-c", FORKS, state.places.home], capture_output=True, text=True, check=True)
    assert sorted(told.stdout.splitlines()) == ["1", "1 1 True", "2 1 True"]


ADD = """
import sys
from pathlib import Path
from cloudml.errors import AlreadyExistsError
from cloudml.resources import Identity
from cloudml_local.places import Places
from cloudml_local.state import State, new
state = State(Places(Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    identity = Identity(project="demo", resource="models.m", hash=f"{number:064x}"[::-1])
    try:
        print(number, state.add(new(identity, identity.name, "creating", {}), family="m").facts["version"])
    except AlreadyExistsError:
        pass
"""


@contextmanager
def together(number: int, program: str, *arguments: str):
    """So many processes that run *program*, which reads a line before each round; ended with the block."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(number)
        ]
        for process in started:
            stack.callback(process.kill)
        for process in started:
            assert process.stdout.readline() == "ready\n"
        yield started


def go(started, word: str = "") -> None:
    """Tell all of them to begin, as nearly at once as may be."""
    for process in started:
        process.stdin.write(f"{word}\n")
        process.stdin.flush()


def test_of_several_processes_one_makes_each_and_versions_have_no_gap(state: State) -> None:
    printed = []
    with together(3, ADD, str(state.places.home)) as started:
        go(started)
        for process in started:
            out, _ = process.communicate()
            assert process.returncode == 0
            printed += [tuple(map(int, line.split())) for line in out.splitlines()]
    assert sorted(number for number, _ in printed) == list(range(20))
    assert sorted(version for _, version in printed) == list(range(1, 21))


OPEN = """
import os, sys, time
from pathlib import Path
from cloudml.resources import Identity
from cloudml_local.places import Places
from cloudml_local.state import State, new
identity = Identity(project="demo", resource=f"jobs.j{os.getpid()}", hash="ab" * 32)
print("ready", flush=True)
for line in sys.stdin:
    moment, _, home = line.strip().partition(" ")
    while time.monotonic() < float(moment):
        pass  # all of them leave this loop at the same moment
    print(State(Places(Path(home))).add(new(identity, identity.name, "queued", {})).name, flush=True)
"""


def test_several_processes_open_a_fresh_state_at_the_same_moment_again_and_again(tmp_path: Path) -> None:
    with together(4, OPEN) as started:
        for turn in range(100):
            state = State(Places(tmp_path / f"{turn}"))
            go(started, f"{time.monotonic() + 0.005} {state.places.home}")
            added = [process.stdout.readline().strip() for process in started]
            assert sorted(one.name for one in state.find("jobs")) == sorted(added)
            there = {path.name for path in state.places.home.iterdir()}
            assert there <= {".gitignore", "state.db", "state.db-wal", "state.db-shm"}


DIES = """
import os, signal, sys
from pathlib import Path
from cloudml_local.database import connect
from cloudml_local.places import Places
left = int(sys.argv[2])

def die(event, arguments):
    global left
    if event in {"open", "os.rename", "os.remove", "os.mkdir", "sqlite3.connect", "sqlite3.connect/handle"}:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
connect(Places(Path(sys.argv[1]))).close()
"""


def test_whoever_is_killed_while_making_the_database_leaves_nothing_that_the_next_cannot_finish(tmp_path: Path) -> None:
    for left in range(1, 100):
        state = State(Places(tmp_path / f"{left}"))
        killed = subprocess.run([sys.executable, "-c", DIES, str(state.places.home), str(left)], check=False)
        state.add(row())
        assert sorted(path.name for path in state.places.home.iterdir()) == [".gitignore", "state.db"]
        assert (state.places.home / ".gitignore").stat().st_size
        if not killed.returncode:
            break
    assert left > 5


def test_an_owner_that_is_gone_leaves_an_orphan(state: State) -> None:
    added = state.add(row())
    assert not added.orphaned
    assert added.with_facts(owner="").orphaned
    assert added.with_facts(owner=f"{os.getpid()}@another-moment").orphaned
    assert processes.alive(processes.me())
