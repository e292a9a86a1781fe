"""How large contents are divided, and the digests of files that are."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.errors import ConflictError, SpecError
from cloudml.storage import DigestCache, Storage, digests, pieces, scan
from cloudml.storage.pieces import Reckoning

LEAST_AT_S3, MOST_AT_S3, LARGEST_AT_S3 = 5 << 20, 10_000, 5 << 40
PIECE = 4
LONG_AGO = 1_000_000_000


@given(st.integers(1, LARGEST_AT_S3))
def test_the_pieces_of_a_content_are_all_of_it_and_such_as_every_store_takes(size):
    found = pieces.sizes(size)
    assert sum(found) == size
    assert len(found) <= MOST_AT_S3
    assert all(LEAST_AT_S3 <= one == pieces.piece_bytes(size) for one in found[:-1])
    assert 0 < found[-1] <= pieces.piece_bytes(size)


def divide(patch):
    """Contents of more than two pieces are large from now on."""
    patch.setattr(pieces, "SMALLEST_BYTES", PIECE)
    patch.setattr(pieces, "LARGE_BYTES", 2 * PIECE)


@pytest.fixture
def small(monkeypatch):
    divide(monkeypatch)


def plain(content):
    return hashlib.sha256(content).hexdigest()


def of_pieces(content):
    """By the definition."""
    cut = [content[place : place + PIECE] for place in range(0, len(content), PIECE)]
    return f"{plain(b''.join(hashlib.sha256(one).digest() for one in cut))}-{len(cut)}"


@given(chunks=st.lists(st.binary(max_size=9), max_size=8))
def test_a_digest_is_the_same_whatever_the_content_comes_in(chunks):
    content = b"".join(chunks)
    with pytest.MonkeyPatch.context() as patch:
        divide(patch)
        expected = {
            "": of_pieces(content) if len(content) > 2 * PIECE else plain(content),
            plain(b""): plain(content),
            of_pieces(b"another"): of_pieces(content),
        }
        for like, digest in expected.items():
            reckoning = Reckoning(len(content), like)
            for chunk in chunks:
                reckoning.update(chunk)
            assert reckoning.digest() == digest


def laid(root, **contents):
    for name, content in contents.items():
        (root / name).write_bytes(content)
        os.utime(root / name, (LONG_AGO, LONG_AGO))
    return scan("*", root)


@pytest.mark.usefixtures("small")
def test_a_scan_tells_large_files_by_their_pieces_and_others_by_their_bytes(tmp_path):
    contents = {"a": b"", "b": bytes(range(8)), "c": bytes(range(9)), "d": bytes(range(200)), "e": bytes(range(12))}
    found = laid(tmp_path, **contents)
    told = {entry.path: entry.digest for entry in found.entries}
    assert told == {name: (of_pieces if name in "cde" else plain)(content) for name, content in contents.items()}
    cache = DigestCache(tmp_path / ".digests.db")
    assert [scan("*", tmp_path, cache), scan("*", tmp_path, cache)] == [found, found]
    assert [digests.digest(str(tmp_path / name), len(contents[name])) for name in told] == [*told.values()]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("changed", [b"shorter", bytes(41), bytes([1] * 40)])
def test_a_large_file_that_changes_while_it_is_read_is_reported(tmp_path, changed):
    laid(tmp_path, a=bytes(40))

    class Writer:
        done = False

        def advance(self, done, total, label, /):
            if not self.done:
                self.done = True
                (tmp_path / "a").write_bytes(changed)

    with pytest.raises(SpecError, match="a` changed while it was read"):
        scan("a", tmp_path, None, Writer())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("to", ["folder", "bucket"])
def test_large_files_go_to_a_store_and_back_and_damage_is_found(tmp_path, to):
    (tmp_path / "data").mkdir()
    contents = {"a": bytes(range(100)), "b": bytes(range(5))}
    manifest = laid(tmp_path / "data", **contents)
    storage = Storage(tmp_path / "store") if to == "folder" else Storage("memory:///")
    assert storage.push(manifest, "d").uploaded == 2
    assert storage.push(manifest, "e").uploaded == 0
    assert storage.pull("d", tmp_path / "back").downloaded == 2
    assert storage.pull("d", tmp_path / "back").downloaded == 0
    assert {name: (tmp_path / "back" / name).read_bytes() for name in contents} == contents
    storage.remove(["e/a"])
    storage.write("e/a", bytes(100))
    with pytest.raises(ConflictError, match="its digest is another"):
        storage.pull("e", tmp_path / "other")


def test_what_was_pushed_before_digests_were_of_pieces_is_pulled_still(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    content = bytes(range(100))
    manifest = laid(tmp_path / "data", a=content)
    assert manifest.entries[0].digest == plain(content)
    divide(monkeypatch)
    storage = Storage("memory:///")
    storage.push(manifest, "d")
    assert storage.pull("d", tmp_path / "back").downloaded == 1
    assert storage.pull("d", tmp_path / "back").skipped == 1
    assert storage.manifest("d") == manifest
