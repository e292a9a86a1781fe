"""`up` on Azure ML dies by SIGKILL at a request; the next `up` reaches the same end, nothing done twice, no orphan.

As test_kill_at_requests.py has it for SageMaker: of a chain each `up` dies when another request that changes something
was carried out, before the answer came; transfers are cut at points all over an `up`.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from killed_project import PREDICT, PREPARE, PROJECT, TRAIN
from sample import SETTINGS

from cloudml_azure.double import double
from cloudml_azure.double.rehearsal import NAMED

HERE = Path(__file__).parent
POINTS = 4
CHANGES = re.compile(r"(ml|insights):\w+_(CreateOrUpdate|Delete|Cancel)")
TARGET = "{provider: azure, " + ", ".join(f'{key}: "{value}"' for key, value in SETTINGS["azure"].items()) + "}"
TEXT = re.sub(r"there: .*", lambda _: f"there: {TARGET.replace('{', '{{').replace('}', '}}')}", PROJECT).replace(
    "0 0 29 2 *", "0 0 28 * *"
)


class There:
    """A project, a double, and a client that does `up` after `up`."""

    def __init__(self, journal: Path, azure, client: subprocess.Popen[str]) -> None:
        self.journal, self.azure, self.client = journal, azure, client

    def up(self, kills: tuple[tuple[str, int], ...] = ()) -> int:
        """One `up`, killed at the first of those requests that is carried out; how it ended."""
        pids: queue.SimpleQueue[int] = queue.SimpleQueue()

        def kill() -> None:
            pid = pids.get()
            pids.put(pid)
            os.kill(pid, signal.SIGKILL)

        self.azure.faults.clear()
        for subject, first in kills:
            self.azure.faults.happen("lose", subject, first=first, then=kill)
        self.client.stdin.write("up\n")
        self.client.stdin.flush()
        pids.put(int(self.client.stdout.readline()))
        ended = int(self.client.stdout.readline())
        self.azure.faults.clear()
        return ended

    def outcome(self) -> dict[str, object]:
        """All that is there, and how often each script ran."""
        world = self.azure.world
        kinds = ("data", "codes", "environments", "models", "jobs", "onlineEndpoints", "schedules", "datastores")
        blobs = (re.sub(r"\d{4}/\d\d/\d\d/.*", "captured", name) for name in world.storage.names("cloudml"))
        return {
            "journal": Counter(self.journal.read_text().split()),
            "objects": sorted(set(blobs)),
            **{kind: sorted(path for path, _ in world.resources.all(kind)) for kind in kinds},
            "settings": sorted(world.settings),
        }


@contextmanager
def beginning(folder: Path, journal: Path):
    """A small project with everything in it, and nothing of it at the double yet."""
    journal.write_text("")
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("x\n1\n2\n3\n")
    for name, text in {"prepare.py": PREPARE, "train.py": TRAIN, "predict.py": PREDICT}.items():
        (folder / name).write_text(text)
    (folder / "cloudml.yaml").write_text(TEXT.format(journal=journal))
    with double(**{name: SETTINGS["azure"][name] for name in NAMED}, pace=2000) as azure:
        command = [sys.executable, str(HERE / "client.py"), str(folder), "there"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **azure.environ}, text=True
        ) as client:
            try:
                yield There(journal, azure, client)
            finally:
                client.stdin.close()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.txt"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, journal: Path):
    """The requests of an undisturbed `up`, and what there is afterwards."""
    with beginning(tmp_path_factory.mktemp("undisturbed") / "project", journal) as there:
        assert there.up() == 0
        return [one.name for one in there.azure.requests], there.outcome()


def test_an_undisturbed_up_does_each_thing_once(undisturbed) -> None:
    _, outcome = undisturbed
    assert outcome["journal"] == {"prepare": 1, "train": 1}
    assert [len(outcome[kind]) for kind in ("jobs", "models", "schedules", "settings")] == [2, 1, 1, 1]
    assert len(outcome["onlineEndpoints"]) == 2  # the endpoint, and its one deployment


def test_a_chain_of_ups_each_killed_at_another_change_reaches_the_same_end(tmp_path, journal, undisturbed) -> None:
    requests, outcome = undisturbed
    changes = list(dict.fromkeys(name for name in requests if CHANGES.fullmatch(name)))
    assert len(changes) >= 8
    with beginning(tmp_path / "project", journal) as there:
        assert {name: there.up(((name, 0),)) for name in changes} == dict.fromkeys(changes, -signal.SIGKILL)
        assert there.up() == 0
        assert there.outcome() == outcome


@pytest.mark.parametrize("point", range(POINTS))
def test_the_next_up_finishes_what_a_killed_one_began(tmp_path, journal, undisturbed, point: int) -> None:
    requests, outcome = undisturbed
    with beginning(tmp_path / "project", journal) as there:
        at = 1 + point * len(requests) * 8 // (10 * POINTS)  # the last fifth may be polls, of which there may be fewer
        assert there.up((("*", at),)) == -signal.SIGKILL
        assert there.up() == 0
        assert there.outcome() == outcome
        sent = len(there.azure.requests)
        assert there.up() == 0
        assert [one.name for one in there.azure.requests[sent:] if CHANGES.fullmatch(one.name)] == []
