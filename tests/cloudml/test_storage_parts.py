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
from cloudml.storage import parts, pieces
from cloudml.storage.parts import Part, Piece, Upload

PIECE = 4


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

    def holds(self, part, piece):
        return part.digest == piece.sha256.hex()

    def put(self, upload, number, piece):
        self._meet("put")
        if upload not in self.there:
            raise NotFoundError("no upload")
        self.there[upload][number] = piece.content
        self.sent.append(number)
        return self._part(piece.content)

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
    monkeypatch.setattr(pieces, "SMALLEST_BYTES", PIECE)
    return Kept()


class Held:
    """A content in memory."""

    def __init__(self, content):
        self.content = content

    def pieces(self):
        for place in range(0, len(self.content), PIECE):
            yield Piece(len(found := self.content[place : place + PIECE]), lambda found=found: found)

    def counting(self):
        return int

    def check(self, digests):
        assert digests == [piece.sha256 for piece in self.pieces()]


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


class Unreadable(Held):
    """Pieces of known digests, of which some cannot be read."""

    def __init__(self, content, numbers):
        super().__init__(content)
        self.numbers = numbers

    def pieces(self):
        for number, piece in enumerate(super().pieces(), 1):
            read = None if number in self.numbers else lambda piece=piece: piece.content
            yield Piece(piece.size, read, piece.sha256)

    def check(self, digests):
        assert digests == [piece.sha256 for piece in Held(self.content).pieces()]


def test_what_is_there_is_not_read_again_where_its_digest_is_known(kept):
    kept.there[kept.begin("a")] = {2: CONTENT[PIECE : 2 * PIECE], 4: CONTENT[3 * PIECE : 4 * PIECE]}
    parts.send(kept, "a", Unreadable(CONTENT, {2, 4}), len(CONTENT), lambda: False)
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
