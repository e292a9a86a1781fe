from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudml.errors import AlreadyExistsError, NotFoundError
from cloudml.plan import Note
from cloudml.progress import SILENT
from cloudml.specs import DatasetSpec
from cloudml.status import State
from cloudml_local.datasets import LocalDatasets, lift, lower
from cloudml_local.state import new

TABLE = DatasetSpec(name="table", path="data/*.csv", label="weight")


def test_the_request_names_the_version_by_its_content(here) -> None:
    resource = here.resource("datasets", TABLE)
    body = lower(resource)
    assert body == {
        "name": resource.identity.name,
        "prefix": f"datasets/{resource.identity.name}",
        "path": "data/*.csv",
        "label": "weight",
        "manifest": resource.manifest.hash,
        "files": 1,
        "bytes": (here.root / "data" / "table.csv").stat().st_size,
    }


def test_one_that_nobody_sends_any_more_has_failed(here) -> None:
    resource = here.resource("datasets", TABLE)
    row = new(resource.identity, resource.identity.name, State.CREATING, lower(resource))
    assert lift(row, "").state is State.CREATING
    assert lift(row.with_facts(owner="1@another-moment"), "").state is State.FAILED


def test_a_remote_dataset_is_noted_as_downloaded(here) -> None:
    from cloudml.resources import DatasetResource

    resource = here.resource("datasets", TABLE)
    remote = DatasetResource(
        spec=DatasetSpec(name="table", path="https://example.org/table.csv"),
        identity=resource.identity,
        manifest=resource.manifest,
    )
    assert here.provider.datasets.plan(remote).notes == (
        Note("datasets.table.path", "downloaded into the state folder before a job reads it"),
    )
    assert here.provider.datasets.plan(resource).notes == ()


def test_the_files_lie_read_only_where_the_uri_says(here) -> None:
    resource = here.resource("datasets", TABLE)
    made = here.provider.datasets.create(resource, SILENT)
    folder = here.provider.datasets.uri(resource.identity)
    assert (made.state, made.uri, made.files) == (State.READY, folder, 1)
    (file,) = Path(folder).iterdir()
    assert file.name == "table.csv"
    assert file.stat().st_mode & 0o222 == 0
    with pytest.raises(AlreadyExistsError):
        here.provider.datasets.create(resource, SILENT)


def test_an_interrupted_one_is_gone_on_with(here) -> None:
    class Interrupts:
        def advance(self, done: int, total: int | None, label: str, /) -> None:
            raise KeyboardInterrupt

    resource = here.resource("datasets", TABLE)
    with pytest.raises(KeyboardInterrupt):
        here.provider.datasets.create(resource, Interrupts())
    assert here.provider.datasets.get(resource.identity.name).state is State.FAILED
    assert here.provider.datasets.create(resource, SILENT).state is State.READY


PUSH = """
import os, sys
from pathlib import Path
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import DatasetSpec, ProjectSpec
from cloudml.targets import resolve


class Dies:
    def advance(self, done, total, label, /):
        os._exit(9)


spec = ProjectSpec(project="demo", datasets={"table": DatasetSpec(name="table", path="data/*.csv")})
session = Session.open(spec, Path(sys.argv[1]), resolve(spec, "local", environ={}))
session.provider.datasets.create(session.builder().resource("datasets.table", spec.datasets["table"]), Dies())
"""


def test_a_killed_one_has_failed_and_the_next_goes_on(here) -> None:
    assert subprocess.run([sys.executable, "-c", PUSH, str(here.root)], check=False).returncode == 9
    resource = here.resource("datasets", DatasetSpec(name="table", path="data/*.csv"))
    assert here.provider.datasets.get(resource.identity.name).state is State.FAILED
    assert here.provider.datasets.create(resource, SILENT).state is State.READY


def test_what_another_version_shares_stays_when_one_is_deleted(here) -> None:
    first = here.provider.datasets.create(here.resource("datasets", TABLE), SILENT)
    (here.root / "data" / "more.csv").write_text("a,b\n1,2\n")
    second = here.provider.datasets.create(here.resource("datasets", TABLE), SILENT)
    here.provider.datasets.delete(first.name)
    assert sorted(file.name for file in Path(second.uri).iterdir()) == ["more.csv", "table.csv"]
    assert (Path(second.uri) / "table.csv").read_text().startswith("height,weight")


def test_deleting_removes_row_and_folder_and_twice_is_no_error(here) -> None:
    resource = here.resource("datasets", TABLE)
    here.provider.datasets.create(resource, SILENT)
    here.provider.datasets.delete(resource.identity.name)
    here.provider.datasets.delete(resource.identity.name)
    assert not (here.home / "store").exists()
    with pytest.raises(NotFoundError):
        here.provider.datasets.get(resource.identity.name)


def test_many_versions_are_deleted_at_once(here) -> None:
    names = []
    for number in range(8):
        (here.root / "data" / "table.csv").write_text(f"a\n{number}\n")
        names.append(here.provider.datasets.create(here.resource("datasets", TABLE), SILENT).name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(here.provider.datasets.delete, names))
    assert list(here.provider.datasets.list("demo")) == []
    assert not (here.home / "store").exists()


def test_the_last_one_is_deleted_while_another_sweeps(here) -> None:
    resource = here.resource("datasets", TABLE)
    first = here.provider.datasets.create(resource, SILENT).name
    (here.root / "data" / "table.csv").write_text("a\n1\n")
    last = here.provider.datasets.create(here.resource("datasets", TABLE), SILENT).name

    class Overtaken(type(here.state)):
        """A state in which the last dataset goes between the look for others and what follows it."""

        def bin_when_empty(self, section, folder) -> bool:
            empty = super().bin_when_empty(section, folder)
            here.provider.datasets.delete(last)
            return empty

    LocalDatasets(here.state.places, Overtaken(here.state.places)).delete(first)
    assert list(here.provider.datasets.list("demo")) == []
    assert not (here.home / "store").exists()
