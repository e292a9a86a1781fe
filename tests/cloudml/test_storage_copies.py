"""Names that many contents get by one request, at a cloud that has such a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cloudml.errors import NotFoundError, PermissionDeniedError, UnavailableError
from cloudml.storage import Storage, blobs, copies, copying, pushing, scan
from cloudml.storage.copies import Waiting, cut, together

MANY = 3 * copies.TURNS * 16 * copies.FEWEST // 2


class Together:
    """Copies in memory; each call is a request."""

    most = 10

    def __init__(self) -> None:
        self.storage = Storage("memory:///", copies=self)
        self.requests: list[list[str]] = []
        self.refused: dict[str, Exception] = {}
        self.swept: set[str] = set()

    def copy(self, pairs):
        self.requests.append([target for _, target in pairs])
        return [self._copy(source, target) for source, target in pairs]

    def _copy(self, source, target):
        if target in self.swept:
            self.storage.remove([source])
        if target in self.refused:
            return self.refused[target]
        try:
            blobs.duplicate(self.storage, source, target, 1)
        except NotFoundError as error:
            return error
        return None


@pytest.fixture
def cloud():
    return Together()


@pytest.fixture
def files(tmp_path):
    return lay(tmp_path, MANY)


def lay(folder, count):
    (folder / "data").mkdir(exist_ok=True)
    for number in range(count):
        (folder / "data" / f"{number:04}").write_text(f"content {number}")
    return scan("data", folder)


def stored(cloud, folder):
    return {one.path.removeprefix(f"{folder}/"): cloud.storage.read(one.path).decode() for one in whole(cloud, folder)}


def whole(cloud, folder):
    return [one for one in cloud.storage.list(folder) if one.path != f"{folder}.json"]


def expected(count):
    return {f"{number:04}": f"content {number}" for number in range(count)}


def test_many_files_are_named_by_few_requests_and_each_is_there_once(cloud, files):
    pushed = cloud.storage.push(files, "d")
    assert stored(cloud, "d") == expected(MANY)
    assert (pushed.uploaded, pushed.copied) == (MANY, MANY)
    named = [target for request in cloud.requests for target in request]
    assert len(named) == len({*named}) >= MANY - 10
    assert {len(request) for request in cloud.requests} == {10}


def test_few_files_are_named_one_by_one(cloud, tmp_path):
    cloud.storage.push(lay(tmp_path, copies.TURNS * 16 * copies.FEWEST - 1), "d")
    assert cloud.requests == []
    assert len(whole(cloud, "d")) == copies.TURNS * 16 * copies.FEWEST - 1


def test_a_large_content_is_copied_by_a_request_of_its_own(cloud, files, tmp_path, monkeypatch):
    for module in (pushing, copying):
        monkeypatch.setattr(module, "LARGE_BYTES", 20)
    (tmp_path / "data" / "large").write_bytes(bytes(21))
    cloud.storage.push(scan("data", tmp_path), "d")
    cloud.storage.copy_folder("d", "e")
    assert cloud.storage.read("e/large") == bytes(21)
    assert not {"d/large", "e/large"} & {target for request in cloud.requests for target in request}


def test_a_content_with_many_names_gets_them_all(cloud, tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(MANY):
        (tmp_path / "data" / f"{number}").write_text("same")
    assert cloud.storage.push(scan("data", tmp_path), "d").copied == MANY
    assert len(whole(cloud, "d")) == MANY
    assert cloud.requests


def test_a_content_that_was_swept_meanwhile_is_sent_again(cloud, files):
    cloud.swept = {f"d/{number:04}" for number in range(0, MANY, 7)}
    cloud.storage.push(files, "d")
    assert stored(cloud, "d") == expected(MANY)


def test_a_refusal_of_one_ends_the_push_and_the_next_goes_on(cloud, files):
    cloud.refused = {f"d/{number:04}": PermissionDeniedError("no") for number in range(MANY)}
    with pytest.raises(PermissionDeniedError):
        cloud.storage.push(files, "d")
    assert not cloud.storage.exists("d.json")
    cloud.refused = {}
    cloud.storage.push(files, "d")
    assert stored(cloud, "d") == expected(MANY)


def test_a_folder_is_copied_by_few_requests(cloud, files):
    cloud.storage.push(files, "d")
    cloud.requests.clear()
    assert len(cloud.storage.copy_folder("d", "e")) == MANY
    assert stored(cloud, "e") == expected(MANY)
    assert len(cloud.requests) == -(-MANY // 10)
    cloud.refused = {"f/0003": UnavailableError("down")}
    with pytest.raises(UnavailableError):
        cloud.storage.copy_folder("d", "f")


@given(some.integers(0, 10_000), some.integers(1, 32))
def test_no_request_is_larger_than_the_store_takes_and_every_worker_has_some(count, workers):
    size = together(Together(), count, workers)
    assert size == 1 or copies.FEWEST <= size <= Together.most
    assert size == 1 or count >= size * workers * copies.TURNS
    assert together(None, count, workers) == 1


@given(some.lists(some.lists(some.integers(), max_size=20), max_size=20), some.integers(1, 7))
def test_what_waits_comes_out_once_and_in_its_order(added, enough):
    waiting = Waiting[int](enough)
    groups = [group for items in added for group in waiting.add(items)]
    rest = waiting.rest()
    assert all(len(group) == enough for group in groups)
    assert len(rest) < enough
    assert [*(one for group in groups for one in group), *rest] == [one for items in added for one in items]
    assert not waiting.rest()


@given(some.lists(some.integers()), some.integers(1, 7))
def test_groups_are_all_that_was_cut(items, size):
    groups = cut(items, size)
    assert [one for group in groups for one in group] == items
    assert all(len(group) == size for group in groups[:-1])
