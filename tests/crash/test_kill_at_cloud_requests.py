"""`up` on a cloud dies by SIGKILL at a request; the next `up` reaches the same end, nothing done twice, no orphan.

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from killed_project import PREDICT, PREPARE, PROJECT, TRAIN
from sample import SETTINGS

from cloudml_azure.double import double as azure_double
from cloudml_azure.double.rehearsal import NAMED
from cloudml_gcp.double import double as gcp_double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

HERE = Path(__file__).parent
POINTS = 4
PACE = 2000
CAPTURED = re.compile(r"\d{4}/\d\d/\d\d/.*")


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """What differs from cloud to cloud.

    Attributes:
        provider: Its name.
        changes: The requests that change something, of which an `up` sends at least so many kinds as `kinds`.
        opened: Opens its double.
        contents: All that is there.
        whole: Whether that is what one undisturbed `up` makes.
        schedule: When the monitor shall run, where the project's own cannot be said: as seldom as can be.
    """

    provider: str
    changes: re.Pattern[str]
    kinds: int
    opened: Callable[[], AbstractContextManager[Any]]
    contents: Callable[[Any], dict[str, Any]]
    whole: Callable[[dict[str, Any]], bool]
    schedule: str = "0 0 29 2 *"


def azure_opened() -> AbstractContextManager[Any]:
    return azure_double(**{name: SETTINGS["azure"][name] for name in NAMED}, pace=PACE)


def azure_contents(world: Any) -> dict[str, Any]:
    kinds = ("data", "codes", "environments", "models", "jobs", "onlineEndpoints", "schedules", "datastores")
    return {
        "objects": objects(world.storage.names("cloudml")),
        **{kind: sorted(path for path, _ in world.resources.all(kind)) for kind in kinds},
        "settings": sorted(world.settings),
    }


def azure_whole(outcome: dict[str, Any]) -> bool:
    once = [len(outcome[kind]) for kind in ("jobs", "models", "schedules", "settings")]
    return once == [2, 1, 1, 1] and len(outcome["onlineEndpoints"]) == 2  # the endpoint, and its one deployment


def gcp_opened() -> AbstractContextManager[Any]:
    said = SETTINGS["gcp"]
    return gcp_double(
        region=said["region"], project=said["project_id"], bucket=said["bucket"],
        service_account=said["service_account"], pace=PACE,
    )  # fmt: skip


def gcp_contents(world: Any) -> dict[str, Any]:
    records = (f"{name.split('/')[-2]} {message.display_name}" for name, message in world.records.items())
    endpoints = (one for one in world.records.values() if hasattr(one, "traffic_split"))
    return {
        "objects": objects(world.objects.names(SETTINGS["gcp"]["bucket"])),
        "records": sorted(records),
        "deployed": sorted(len(one.deployed_models) for one in endpoints),
        "schedules": sorted(world.schedules),
    }


def gcp_whole(outcome: dict[str, Any]) -> bool:
    kinds = Counter(one.partition(" ")[0] for one in outcome["records"])
    made = (kinds["customJobs"], kinds["models"], kinds["endpoints"])
    return made == (2, 1, 1) and outcome["deployed"] == [1] and len(outcome["schedules"]) == 1


def objects(names: Iterable[str]) -> list[str]:
    """The names of objects, those of captured requests without their times."""
    return sorted({CAPTURED.sub("captured", name) for name in names})


AZURE = Cloud(
    provider="azure",
    changes=re.compile(r"(ml|insights):\w+_(CreateOrUpdate|Delete|Cancel)"),
    kinds=8,
    opened=azure_opened,
    contents=azure_contents,
    whole=azure_whole,
    schedule="0 0 28 * *",
)
GCP = Cloud(
    provider="gcp",
    changes=re.compile(
        r"aiplatform:(Create|Upload|Deploy|Undeploy|Update|Merge|Delete|Cancel)\w+"
        r"|cloudscheduler:jobs.(create|patch|delete)"
    ),
    kinds=5,
    opened=gcp_opened,
    contents=gcp_contents,
    whole=gcp_whole,
)


class There:
    """A project, a double, and a client that does `up` after `up`."""

    def __init__(self, cloud: Cloud, journal: Path, double: Any, client: subprocess.Popen[str]) -> None:
        self.cloud, self.journal, self.double, self.client = cloud, journal, double, client

    def up(self, subject: str = "", first: int = 0) -> int:
        """One `up`, killed at that of those requests that is carried out, if any are named; how it ended."""
        pids: queue.SimpleQueue[int] = queue.SimpleQueue()

        def kill() -> None:
            pid = pids.get()
            pids.put(pid)
            os.kill(pid, signal.SIGKILL)

        self.double.faults.clear()
        if subject:
            self.double.faults.happen("lose", subject, first=first, then=kill)
        self.client.stdin.write("up\n")
        self.client.stdin.flush()
        pids.put(int(self.client.stdout.readline()))
        ended = int(self.client.stdout.readline())
        self.double.faults.clear()
        return ended

    def sent(self) -> list[str]:
        """What was asked so far."""
        return [one.name for one in self.double.requests]

    def outcome(self) -> dict[str, Any]:
        """All that is there, and how often each script ran."""
        return {"journal": Counter(self.journal.read_text().split()), **self.cloud.contents(self.double.world)}


@contextmanager
def beginning(cloud: Cloud, folder: Path, journal: Path):
    """A small project with everything in it, and nothing of it at the double yet."""
    journal.write_text("")
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text("x\n1\n2\n3\n")
    for name, text in {"prepare.py": PREPARE, "train.py": TRAIN, "predict.py": PREDICT}.items():
        (folder / name).write_text(text)
    said = ", ".join(f'{key}: "{value}"' for key, value in SETTINGS[cloud.provider].items())
    target = f"there: {{{{provider: {cloud.provider}, {said}}}}}"
    text = re.sub(r"there: .*", lambda _: target, PROJECT).replace("0 0 29 2 *", cloud.schedule)
    (folder / "cloudml.yaml").write_text(text.format(journal=journal))
    with cloud.opened() as double:
        command = [sys.executable, str(HERE / "client.py"), str(folder), "there"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **double.environ}, text=True
        ) as client:
            try:
                yield There(cloud, journal, double, client)
            finally:
                client.stdin.close()


@pytest.fixture(scope="module", params=[AZURE, GCP], ids=["azure", "gcp"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return request.param


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.txt"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud, journal: Path):
    """The requests of an undisturbed `up`, and what there is afterwards."""
    with beginning(cloud, tmp_path_factory.mktemp("undisturbed") / "project", journal) as there:
        assert there.up() == 0
        return there.sent(), there.outcome()


def test_an_undisturbed_up_does_each_thing_once(cloud, undisturbed) -> None:
    _, outcome = undisturbed
    assert outcome["journal"] == {"prepare": 1, "train": 1}
    assert cloud.whole(outcome), outcome


def test_a_chain_of_ups_each_killed_at_another_change_reaches_the_same_end(
    tmp_path, cloud, journal, undisturbed
) -> None:
    requests, outcome = undisturbed
    changes = list(dict.fromkeys(name for name in requests if cloud.changes.fullmatch(name)))
    assert len(changes) >= cloud.kinds
    with beginning(cloud, tmp_path / "project", journal) as there:
        assert {name: there.up(name) for name in changes} == dict.fromkeys(changes, -signal.SIGKILL)
        assert there.up() == 0
        assert there.outcome() == outcome


@pytest.mark.parametrize("point", range(POINTS))
def test_the_next_up_finishes_what_a_killed_one_began(tmp_path, cloud, journal, undisturbed, point: int) -> None:
    requests, outcome = undisturbed
    with beginning(cloud, tmp_path / "project", journal) as there:
        at = 1 + point * len(requests) * 8 // (10 * POINTS)  # the last fifth may be polls, of which there may be fewer
        assert there.up("*", at) == -signal.SIGKILL
        assert there.up() == 0
        assert there.outcome() == outcome
        before = len(there.sent())
        assert there.up() == 0
        assert [name for name in there.sent()[before:] if cloud.changes.fullmatch(name)] == []
