"""`up` on a cloud dies by SIGKILL at a request; the next `up` reaches the same end, nothing done twice, no orphan.

Being killed before a request is being killed after the one before it, since what is only read changes nothing. So of a
chain each `up` dies when another request that changes something was carried out, before the answer came: every such
request of a service, and of every kind of object in the bucket the first, is the last of some `up`. Besides an `up` is
cut in the middle, and the very next one is let through.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from killed_clouds import AWS, AZURE, GCP, Cloud, changes, differing
from killed_project import PREDICT, PREPARE, PROJECT, TRAIN
from sample import SETTINGS

if TYPE_CHECKING:
    from killed_clouds import Contents

HERE = Path(__file__).parent


class There:
    """A project, a double, and a client that does `up` after `up`."""

    def __init__(self, cloud: Cloud, journal: Path, double: Any, client: subprocess.Popen[str]) -> None:
        self.cloud, self.journal, self.double, self.client = cloud, journal, double, client

    def up(self, subject: str = "", about: str = "*", first: int = 1) -> int:
        """One `up`, killed when the first of those requests was carried out, if any are named; how it ended."""
        pids: queue.SimpleQueue[int] = queue.SimpleQueue()

        def kill() -> None:
            pid = pids.get()
            pids.put(pid)
            os.kill(pid, signal.SIGKILL)

        self.double.faults.clear()
        if subject:
            self.double.faults.happen("lose", subject, about=about, first=first, then=kill)
        self.client.stdin.write("up\n")
        self.client.stdin.flush()
        pids.put(int(self.client.stdout.readline()))
        ended = int(self.client.stdout.readline())
        self.double.faults.clear()
        return ended

    def outcome(self) -> Contents:
        """All that is there, and how often each script ran."""
        return {"journal": self.journal.read_text().split(), **self.cloud.contents(self.double)}


@contextmanager
def beginning(cloud: Cloud, folder: Path, journal: Path):
    """A small project with everything in it, and nothing of it at the double yet.

    The scripts write into *journal*, which is the same for all: what is made from the same text has the same hash.
    """
    journal.write_text("")
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("x\n1\n2\n3\n")
    for name, text in {"prepare.py": PREPARE, "train.py": TRAIN, "predict.py": PREDICT}.items():
        (folder / name).write_text(text)
    said = ", ".join(f'{key}: "{value}"' for key, value in SETTINGS[cloud.provider].items())
    text = PROJECT.format(journal=journal, provider=cloud.provider, settings=said, schedule=cloud.schedule)
    (folder / "cloudml.yaml").write_text(text)
    with cloud.opened() as double:
        command = [sys.executable, str(HERE / "client.py"), str(folder), "there"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **double.environ}, text=True
        ) as client:
            try:
                yield There(cloud, journal, double, client)
            finally:
                client.stdin.close()


@pytest.fixture(scope="module", params=[AWS, AZURE, GCP], ids=["aws", "azure", "gcp"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return request.param


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.txt"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud, journal: Path):
    """What an undisturbed `up` sends, and what there is afterwards."""
    with beginning(cloud, tmp_path_factory.mktemp("undisturbed") / "project", journal) as there:
        assert there.up() == 0
        return there.double.requests, there.outcome()


def test_an_undisturbed_up_does_each_thing_once(cloud, undisturbed) -> None:
    _, outcome = undisturbed
    assert Counter(outcome["journal"]) == {"prepare": 1, "train": 1}
    assert {what: len(outcome[what]) for what in cloud.whole} == cloud.whole


def test_a_chain_of_ups_each_killed_at_another_change_reaches_the_same_end(
    tmp_path, cloud, journal, undisturbed
) -> None:
    requests, outcome = undisturbed
    chain = changes(cloud, requests)
    assert len(chain) >= cloud.kinds
    with beginning(cloud, tmp_path / "project", journal) as there:
        assert {one: there.up(*one) for one in chain} == dict.fromkeys(chain, -signal.SIGKILL)
        assert there.up() == 0
        assert differing(there.outcome(), outcome) == {}


def test_the_next_up_finishes_what_a_killed_one_began(tmp_path, cloud, journal, undisturbed) -> None:
    requests, outcome = undisturbed
    with beginning(cloud, tmp_path / "project", journal) as there:
        assert there.up("*", first=len(requests) // 2) == -signal.SIGKILL
        assert there.up() == 0
        assert differing(there.outcome(), outcome) == {}
        sent = len(there.double.requests)
        assert there.up() == 0
        assert changes(cloud, there.double.requests[sent:]) == []
