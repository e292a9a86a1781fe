from __future__ import annotations

import sys

import pytest

from cloudml.capabilities import Capability
from cloudml.errors import NotFoundError, SpecError
from cloudml.specs import DatasetSpec
from cloudml.status import State

TABLE = DatasetSpec(name="table", path="data/*.csv", label="weight")


def test_a_pushed_dataset_is_ready_and_found(client) -> None:
    pushed = client.datasets.push(TABLE)
    assert pushed.state is State.READY
    assert pushed.files == 1
    assert pushed.bytes == (client.session.root / "data" / "table.csv").stat().st_size
    assert client.datasets.get("table").name == pushed.name
    assert [one.resource for one in client.datasets.list()] == ["datasets.table"]


def test_the_same_content_is_the_same_version(client) -> None:
    first = client.datasets.push(TABLE)
    (client.session.root / "data" / "table.csv").touch()
    assert client.datasets.push(TABLE).name == first.name
    assert len(client.datasets.list()) == 1


def test_other_content_is_another_version_and_the_newest_is_meant(client) -> None:
    first = client.datasets.push(TABLE)
    (client.session.root / "data" / "more.csv").write_text("height,weight\n1,2\n")
    second = client.datasets.push(TABLE)
    assert second.name != first.name
    assert second.files == 2
    assert client.datasets.get("table").name == second.name
    assert client.datasets.get(first.name).name == first.name
    assert {one.name for one in client.datasets.list()} == {first.name, second.name}


@pytest.mark.parametrize(("path", "files"), [("data", 2), ("data/table.csv", 1), ("data/**/*.csv", 2)])
def test_a_folder_a_file_and_a_deep_glob_are_datasets(client, path: str, files: int) -> None:
    inner = client.session.root / "data" / "inner"
    inner.mkdir()
    (inner / "ünder score.csv").write_text("height,weight\n3,4\n")
    assert client.datasets.push(DatasetSpec(name="table", path=path)).files == files


def test_a_pattern_that_matches_nothing_says_so(client) -> None:
    with pytest.raises(SpecError, match=r"data/\*\.parquet"):
        client.datasets.push(DatasetSpec(name="table", path="data/*.parquet"))
    assert client.datasets.list() == ()


def test_an_unknown_dataset_is_not_found_and_a_near_name_is_offered(client) -> None:
    client.datasets.push(TABLE)
    with pytest.raises(NotFoundError) as caught:
        client.datasets.get("tabel")
    assert "`table`" in caught.value.hint


def test_a_name_of_the_project_is_found_with_one_list(client) -> None:
    pushed, lists = client.datasets.push(TABLE), set()
    listing = type(client.session.provider.datasets).list.__code__
    sys.setprofile(lambda frame, *_: lists.add(frame) if frame.f_code is listing else None)
    try:
        full = client.datasets.full("table")
    finally:
        sys.setprofile(None)
    assert full == pushed.name
    assert len(lists) == 1


def test_deleting_twice_is_no_error(client) -> None:
    name = client.datasets.push(TABLE).name
    client.datasets.delete(name)
    client.datasets.delete(name)
    client.datasets.delete("table")
    assert client.datasets.list() == ()


def test_a_deleted_dataset_can_be_pushed_again(client) -> None:
    name = client.datasets.push(TABLE).name
    client.datasets.delete(name)
    assert client.datasets.push(TABLE).name == name


def test_many_versions_are_all_listed(client) -> None:
    for number in range(25):
        (client.session.root / "data" / "table.csv").write_text(f"height,weight\n{number},1\n")
        client.datasets.push(TABLE)
    assert len(client.datasets.list()) == 25


@pytest.mark.needs(Capability.DATASET_LABEL)
def test_the_label_is_kept(client) -> None:
    assert client.datasets.push(TABLE).state is State.READY
