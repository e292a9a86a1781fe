"""`up` on Vertex AI dies by SIGKILL at a request; the next `up` reaches the same end, nothing done twice, no orphan.

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

from cloudml_gcp.double import double

HERE = Path(__file__).parent
POINTS = 4
BUCKET = SETTINGS["gcp"]["bucket"]
CHANGES = re.compile(
    r"aiplatform:(Create|Upload|Deploy|Undeploy|Update|Merge|Delete|Cancel)\w+|cloudscheduler:jobs.(create|patch|delete)"
)
TARGET = "{provider: gcp, " + ", ".join(f'{key}: "{value}"' for key, value in SETTINGS["gcp"].items()) + "}"
TEXT = re.sub(r"there: .*", lambda _: f"there: {TARGET.replace('{', '{{').replace('}', '}}')}", PROJECT)


class There:
    """A project, a double, and a client that does `up` after `up`."""

    def __init__(self, journal: Path, gcp, client: subprocess.Popen[str]) -> None:
        self.journal, self.gcp, self.client = journal, gcp, client

    def up(self, kills: tuple[tuple[str, int], ...] = ()) -> int:
        """One `up`, killed at the first of those requests that is carried out; how it ended."""
        pids: queue.SimpleQueue[int] = queue.SimpleQueue()

        def kill() -> None:
            pid = pids.get()
            pids.put(pid)
            os.kill(pid, signal.SIGKILL)

        self.gcp.faults.clear()
        for subject, first in kills:
            self.gcp.faults.happen("lose", subject, first=first, then=kill)
        self.client.stdin.write("up\n")
        self.client.stdin.flush()
        pids.put(int(self.client.stdout.readline()))
        ended = int(self.client.stdout.readline())
        self.gcp.faults.clear()
        return ended

    def outcome(self) -> dict[str, object]:
        """All that is there, and how often each script ran."""
        world = self.gcp.world
        blobs = (re.sub(r"\d{4}/\d\d/\d\d/.*", "captured", name) for name in world.objects.names(BUCKET))
        records = (f"{name.split('/')[-2]} {message.display_name}" for name, message in world.records.items())
        return {
            "journal": Counter(self.journal.read_text().split()),
            "objects": sorted(set(blobs)),
            "records": sorted(records),
            "deployed": sorted(
                len(one.deployed_models) for one in world.records.values() if hasattr(one, "traffic_split")
            ),
            "schedules": sorted(world.schedules),
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
    said = SETTINGS["gcp"]
    with double(
        region=said["region"], project=said["project_id"], bucket=BUCKET, service_account=said["service_account"],
        pace=2000,
    ) as gcp:  # fmt: skip
        command = [sys.executable, str(HERE / "client.py"), str(folder), "there"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **gcp.environ}, text=True
        ) as client:
            try:
                yield There(journal, gcp, client)
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
        return [one.name for one in there.gcp.requests], there.outcome()


def test_an_undisturbed_up_does_each_thing_once(undisturbed) -> None:
    _, outcome = undisturbed
    assert outcome["journal"] == {"prepare": 1, "train": 1}
    kinds = Counter(one.partition(" ")[0] for one in outcome["records"])
    assert (kinds["customJobs"], kinds["models"], kinds["endpoints"]) == (2, 1, 1)
    assert (outcome["deployed"], len(outcome["schedules"])) == ([1], 1)


def test_a_chain_of_ups_each_killed_at_another_change_reaches_the_same_end(tmp_path, journal, undisturbed) -> None:
    requests, outcome = undisturbed
    changes = list(dict.fromkeys(name for name in requests if CHANGES.fullmatch(name)))
    assert len(changes) >= 5
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
        sent = len(there.gcp.requests)
        assert there.up() == 0
        assert [one.name for one in there.gcp.requests[sent:] if CHANGES.fullmatch(one.name)] == []
