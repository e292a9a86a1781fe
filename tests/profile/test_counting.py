"""What is counted fast is what is counted slowly: batch by batch, with `of_array` and `merge`."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml.profile import columns, counting, distribution, files, reading, table, tally
from cloudml.profile.kinds import Kind
from cloudml.profile.problems import Problems

WHOLE = st.integers(-3, 3) | st.sampled_from([0, 255, 70_000, -70_000, 2**53, 2**53 + 1, -(2**62)])
VALUES = {
    "int8": (st.integers(-128, 127), pa.int8()),
    "uint64": (st.integers(0, 5) | st.sampled_from([2**53 + 1, 2**64 - 1]), pa.uint64()),
    "int64": (WHOLE, pa.int64()),
    "whole floats": (st.sampled_from([-0.0, 0.0, 1.0, 7.0, float("nan"), float("inf"), float("-inf")]), pa.float64()),
    "floats": (st.floats(-10, 10, width=32) | st.sampled_from([1e100, 2.0, 3.0]), pa.float64()),
    "narrow floats": (st.floats(width=32), pa.float32()),
    "text": (st.text(alphabet="ab", max_size=2) | st.just("x" * 200), pa.string()),
    "dictionary": (st.text(alphabet="ab", max_size=2), pa.dictionary(pa.int8(), pa.string())),
    "numbered": (st.integers(0, 3), pa.dictionary(pa.int8(), pa.int64())),
    "flags": (st.booleans(), pa.bool_()),
    "days": (st.dates(), pa.date32()),
    "lists": (st.lists(st.integers(0, 1), max_size=1), pa.list_(pa.int64())),
}
KINDS = (None, Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN)


def slowly(arrays, kind=None):
    """By the definition."""
    whole = columns.empty(0)
    for array in arrays:
        known = whole.kind if kind is None else kind
        whole = columns.merge(whole, columns.of_array(array, known))
    return whole


def counted(arrays, kind=None):
    counter = counting.ColumnCounter(kind)
    for array in arrays:
        counter.add(array)
    return counter.column()


def document(column):
    """The profile as it is saved, its moments apart."""
    body = json.loads(json.dumps(table.Profile(column.rows, {"x": column}).as_json()))["columns"]["x"]
    moments = [body["numbers"].pop(name) for name in ("mean", "m2")] if "numbers" in body else []
    return body, moments


def same(found, wanted):
    (body, moments), (expected, wanted_moments) = document(found), document(wanted)
    assert body == expected
    assert moments == pytest.approx(wanted_moments, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=50)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_a_counted_column_is_the_merge_of_its_batches(name, kind, data):
    values, type_ = VALUES[name]
    parts = data.draw(st.lists(st.lists(st.none() | values, max_size=5), min_size=1, max_size=4))
    arrays = [pa.array(part, type_) for part in parts]
    same(counted(arrays, kind), slowly(arrays, kind))


@settings(max_examples=50)
@given(st.lists(st.sampled_from([name for name in VALUES if name != "lists"]), min_size=2, max_size=4), st.data())
def test_a_column_whose_type_changes_keeps_its_first_kind(names, data):
    arrays = [pa.array(data.draw(st.lists(st.none() | VALUES[name][0], max_size=3)), VALUES[name][1]) for name in names]
    same(counted(arrays), slowly(arrays))


def test_a_column_that_outgrows_the_tables_is_within_the_bounds_of_its_sketches():
    random = np.random.default_rng(0)
    numbers = random.integers(0, 60_000, 200_000)
    words = pa.array([f"w{n}" for n in random.zipf(1.2, 200_000).clip(max=100_000)])
    found = counted(pa.array(numbers[start : start + 50_000]) for start in range(0, 200_000, 50_000))
    at = np.arange(0, 60_000, 100.0)
    ranks = np.searchsorted(np.sort(numbers), at, side="right") / len(numbers)
    assert np.abs(found.numbers.distribution.cdf(at) - ranks).max() < distribution.RANK_ERROR
    assert found.distinct == pytest.approx(len(np.unique(numbers)), rel=0.1)
    texts = counted(words[start : start + 50_000] for start in range(0, 200_000, 50_000)).tally
    often = len(words.filter(pa.compute.equal(words, "w1")))
    assert 0 < texts.slack <= len(words) / (tally.EXACT + 1)
    assert often - texts.slack <= texts.counts["w1"] <= often


def test_texts_beyond_those_held_are_bounded_on_the_way(monkeypatch):
    monkeypatch.setattr(counting, "HELD", 2_000)
    words = pa.array(["often", *(f"w{n}" for n in range(3_000))] * 2)
    names = counting.Names()
    for part in (words[:3_001], words[3_001:]):
        names.add(part, np.ones(len(part), dtype=np.int64))
        names.count("often", 5_000)
    found = names.tally()
    assert found.total == len(words) + 10_000
    assert 10_002 - found.slack <= found.counts["often"] <= 10_002
    assert len(found.counts) <= tally.EXACT


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A file of every kind of column, in several groups of rows."""
    random = np.random.default_rng(1)
    size = 30_000
    made = pa.table(
        {
            "month": random.integers(1, 13, size),
            "delay": pa.array(random.integers(-60, 900, size), mask=random.random(size) < 0.1),
            "share": random.normal(size=size),
            "carrier": random.choice(["AA", "UA", None], size).tolist(),
            "late": random.random(size) < 0.3,
            "seen": pa.array(random.integers(0, 10**9, size), pa.timestamp("s")),
            "pair": [{"a": 1, "b": 2}] * size,
            "nothing": pa.nulls(size),
        }
    )
    path = tmp_path_factory.mktemp("mixed") / "mixed.parquet"
    pq.write_table(made, path, row_group_size=7_000)
    return path, made


def of_file(path):
    found = Problems()
    return files.profile(path, {}, {}, found), found


def test_columns_that_are_read_apart_give_the_profile_of_the_rows(mixed):
    path, made = mixed
    found, problems = of_file(path)
    assert not problems.total
    assert (found.rows, [*found.columns]) == (made.num_rows, made.column_names)
    wanted = table.stream(reading.parquet(path), {})
    for name in made.column_names:
        same(found.columns[name], wanted.columns[name])


def test_the_number_of_threads_changes_no_bit(mixed, monkeypatch):
    wanted = of_file(mixed[0])[0].as_json()
    monkeypatch.setattr(files, "THREADS", 1)
    assert of_file(mixed[0])[0].as_json() == wanted


def test_columns_that_cannot_be_asked_for_by_name_are_read(tmp_path):
    path = tmp_path / "dots.parquet"
    pq.write_table(pa.table({"a.b": [1, 2], "a": [3, 4]}), path)
    found, _ = of_file(path)
    assert {name: column.numbers.minimum for name, column in found.columns.items()} == {"a.b": 1, "a": 3}


def test_a_file_without_rows_has_no_columns(tmp_path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "empty.parquet")
    assert of_file(tmp_path / "empty.parquet")[0] == table.Profile()


def test_of_a_damaged_file_every_column_has_the_same_rows(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "ROWS", 5_000)
    content = bytearray(mixed[0].read_bytes())
    chunk = pq.read_metadata(mixed[0]).row_group(2).column(3)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path = tmp_path / "damaged.parquet"
    path.write_bytes(content)
    found, problems = of_file(path)
    assert problems.total == 1
    assert 0 < found.rows < pq.read_metadata(path).num_rows
    assert {column.rows for column in found.columns.values()} == {found.rows}
