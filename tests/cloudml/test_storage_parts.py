"""Contents in parts: where each begins, and what becomes of uploads that others end."""

import hashlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ThrottledError,
)
from cloudml.progress import Meter, Once
from cloudml.storage import parts
from cloudml.storage.parts import Part, Upload

PIECE = 4
LEAST_AT_S3, MOST_AT_S3, LARGEST_AT_S3 = 5 << 20, 10_000, 5 << 40


@given(st.integers(1, LARGEST_AT_S3))
def test_the_parts_of_a_content_are_all_of_it_and_such_as_every_store_takes(size):
    found = parts.sizes(size)
    assert sum(found) == size
    assert len(found) <= MOST_AT_S3
    assert all(LEAST_AT_S3 <= one == parts.part_bytes(size) for one in found[:-1])
    assert 0 < found[-1] <= parts.part_bytes(size)


@given(st.lists(st.binary(max_size=9)), st.integers(1, 5))
def test_a_content_is_cut_into_pieces_of_one_size_whatever_it_comes_in(chunks, size):
    pieces = [*parts.cut(chunks, size)]
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(0 < len(piece) <= size for piece in pieces)


@given(st.dictionaries(st.integers(0, 6), st.integers(0, 3)), st.lists(st.integers(1, 3), max_size=5))
def test_of_what_is_there_only_parts_of_the_right_place_and_size_count(there, wanted):
    found = parts.fitting({number: Part(size, "") for number, size in there.items()}, wanted)
    assert {number: part.size for number, part in found.items()} == {
        number: size for number, size in enumerate(wanted, 1) if there.get(number) == size
    }


class Kept:
    """A store of uploads in memory; *trouble* is raised by what is asked next of that name."""

    def __init__(self):
        self.made, self.there, self.sent, self.trouble = {}, {}, [], {}
        self._lock = threading.Lock()

    def _meet(self, name):
        with self._lock:
            if self.trouble.get(name):
                raise self.trouble[name].pop()

    def find(self, path):
        self._meet("find")
        return [one for one in self.there if one.path == path]

    def begin(self, path):
        upload = Upload(path, str(len(self.there)))
        self.there[upload] = {}
        return upload

    def parts(self, upload):
        self._meet("parts")
        return {number: self._part(content) for number, content in self.there[upload].items()}

    def holds(self, part, content):
        return part == self._part(content)

    def put(self, upload, number, content):
        self._meet("put")
        if upload not in self.there:
            raise NotFoundError("no upload")
        self.there[upload][number] = content
        self.sent.append(number)
        return self._part(content)

    def complete(self, upload, whole):
        self._meet("complete")
        there = self.there.pop(upload)
        assert [self._part(there[number]) for number in range(1, len(whole) + 1)] == [*whole]
        self.made[upload.path] = b"".join(there[number] for number in range(1, len(whole) + 1))

    def abort(self, upload):
        self.there.pop(upload, None)

    def unfinished(self, folder):
        return [*self.there]

    def _part(self, content):
        return Part(len(content), "", hashlib.sha256(content).hexdigest())


CONTENT = bytes(range(4 * PIECE + 1))


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(parts, "SMALLEST_BYTES", PIECE)
    return Kept()


class Held:
    """A content in memory."""

    ahead = 2

    def __init__(self, content):
        self.content = content

    def pieces(self):
        return (lambda piece=piece: piece for piece in parts.cut([self.content], PIECE))

    def check(self):
        pass


def send(kept, content=CONTENT, arrived=lambda: False):
    return parts.send(kept, "a", Held(content), len(content), arrived)


def test_of_several_uploads_the_one_is_gone_on_with_of_which_most_has_come(kept):
    little, much = kept.begin("a"), kept.begin("a")
    kept.begin("ab")
    kept.there[little] = {1: CONTENT[:PIECE]}
    kept.there[much] = {2: CONTENT[PIECE : 2 * PIECE], 4: CONTENT[3 * PIECE : 4 * PIECE], 9: CONTENT}
    kept.there[much].pop(9)
    assert send(kept) == len(CONTENT) - 2 * PIECE
    assert sorted(kept.sent) == [1, 3, 5]
    assert kept.made == {"a": CONTENT}


@pytest.mark.parametrize("operation", ["put", "complete"])
def test_who_finds_the_upload_gone_and_the_object_there_is_done(kept, operation):
    kept.trouble[operation] = [NotFoundError("gone")]
    send(kept, arrived=lambda: True)
    assert kept.made == {}


def test_an_upload_is_begun_anew_so_often_and_not_for_ever(kept):
    kept.trouble["complete"] = [NotFoundError("gone") for _ in range(parts.TRIES - 1)]
    send(kept)
    assert kept.made == {"a": CONTENT}
    kept.trouble["complete"] = [NotFoundError("gone") for _ in range(parts.TRIES)]
    with pytest.raises(NotFoundError, match="gone"):
        send(kept)


@pytest.mark.parametrize(
    "error", [PermissionDeniedError("no"), InvalidRequestError("not known"), NotFoundError("gone")]
)
@pytest.mark.parametrize("operation", ["find", "parts"])
def test_where_nothing_is_told_of_what_has_come_all_is_sent(kept, operation, error):
    kept.there[kept.begin("a")] = {1: CONTENT[:PIECE]}
    kept.trouble[operation] = [error]
    assert send(kept) == len(CONTENT)
    assert kept.made == {"a": CONTENT}


@pytest.mark.parametrize("error", [AuthenticationError("who"), ThrottledError("slowly")])
def test_what_has_another_reason_is_told(kept, error):
    kept.trouble["find"] = [error]
    with pytest.raises(type(error)):
        send(kept)
    assert kept.there == {}


class Onlooker:
    def __init__(self):
        self.seen = []

    def advance(self, done_bytes, total_bytes, label, /):
        self.seen.append(done_bytes)


def test_a_content_that_is_read_again_counts_once():
    onlooker = Onlooker()
    once = Once(Meter(onlooker, 10, "sending"))
    first = once.again()
    first(3)
    first(3)
    second = once.again()
    second(4)
    second(4)
    once.all(10)
    assert onlooker.seen == [3, 6, 6, 8, 10]
