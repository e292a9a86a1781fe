"""Contents that copies share, and that are put together without being copied."""

import gc
import io
import os
import weakref
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from cloudml.doubles import contents
from cloudml.doubles.contents import Log, Reader, joined

PARTS = st.lists(st.binary(max_size=5), max_size=5)


@given(parts=PARTS, start=st.integers(0, 30), size=st.integers(0, 30))
def test_what_is_put_together_is_read_as_if_it_were_one(parts, start, size):
    logs = [Log(), Log()]
    kept = joined([logs[number % 2].add(part) for number, part in enumerate(parts)])
    whole = b"".join(parts)
    assert (kept.size, kept.read(), b"".join(kept.pieces())) == (len(whole), whole, whole)
    assert kept.part(start, size).read() == whole[start : start + size]


@given(parts=PARTS, steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(-1, 9)), max_size=5))
def test_a_reader_is_a_file(parts, steps):
    log = Log()
    ours, theirs = Reader(joined(map(log.add, parts))), io.BytesIO(b"".join(parts))
    for whence, place, size in steps:
        assert ours.seek(place, whence) == theirs.seek(place, whence)
        assert ours.read(size) == theirs.read(size)
    assert ours.seek(0) == 0
    assert io.BufferedReader(ours).read() == theirs.getvalue()


def test_threads_add_to_one_log_and_large_contents_come_in_pieces(monkeypatch):
    monkeypatch.setattr(contents, "PIECE_BYTES", 100)
    log, parts = Log(), [os.urandom(1000) for _ in range(50)]
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(log.add, parts))
    assert [one.read() for one in kept] == parts
    assert {len(piece) for piece in joined(kept).pieces()} == {100}


def test_a_file_goes_with_the_last_content_in_it():
    log = Log()
    kept = log.add(b"content")
    gone = weakref.ref(log)
    del log
    part = kept.part(1, 2)
    del kept
    gc.collect()
    assert (part.read(), gone() is None) == (b"on", False)
    del part
    gc.collect()
    assert gone() is None
