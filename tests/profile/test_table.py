import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.errors import SpecError
from cloudml.profile import columns, table, tally
from cloudml.profile.kinds import Kind
from cloudml.profile.table import Profile

ROW = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(-1e6, 1e6) | st.sampled_from([float("nan"), float("inf"), float("-inf")]),
        "flag": st.none() | st.booleans(),
        "word": st.none() | st.text(alphabet="abc", max_size=2),
        "day": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    }
)
SCHEMA = pa.schema({"number": pa.float64(), "flag": pa.bool_(), "word": pa.string(), "day": pa.date32()})


def batch(rows):
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


def profiled(**values):
    return table.of_batch(pa.record_batch(values))


def same(left, right):
    """Equal but for the rounding of the moments."""
    one, other = (json.loads(json.dumps(side.as_json())) for side in (left, right))
    for document in (one, other):
        for column in document["columns"].values():
            column.get("categories", {}).pop("counts", None)
    moments = [
        [column["numbers"].pop(name) for column in document["columns"].values() if "numbers" in column]
        for document in (one, other)
        for name in ("mean", "m2")
    ]
    assert one == other
    assert moments[0] == pytest.approx(moments[2], rel=1e-9, abs=1e-6)
    assert moments[1] == pytest.approx(moments[3], rel=1e-9, abs=1e-6)
    for name, column in left.columns.items():
        assert dict(column.tally.counts) == dict(right.columns[name].tally.counts)


@given(st.lists(ROW), st.lists(ROW), st.lists(ROW))
def test_merging_parts_gives_the_profile_of_the_whole(left, middle, right):
    whole = table.of_batch(batch([*left, *middle, *right]))
    parts = [table.of_batch(batch(rows)) for rows in (left, middle, right)]
    same(table.merge(table.merge(parts[0], parts[1]), parts[2]), whole)
    same(table.merge(parts[2], table.merge(parts[1], parts[0])), whole)


@given(st.lists(ROW))
def test_a_profile_survives_its_json(rows):
    found = table.of_batch(batch(rows))
    document = json.dumps(found.as_json(), allow_nan=False)
    assert table.from_json(json.loads(document)).as_json() == found.as_json()


def test_a_saved_profile_is_loaded_bit_for_bit_even_as_a_sketch(tmp_path):
    random = np.random.default_rng(0)
    found = profiled(x=random.normal(size=50_000), word=[f"w{n}" for n in random.integers(0, 9_000, 50_000)])
    found.save(tmp_path / "profile.json")
    loaded = table.load(tmp_path / "profile.json")
    before, after = (profile.columns["x"].numbers.distribution for profile in (found, loaded))
    np.testing.assert_array_equal(after.values, before.values)
    assert loaded.as_json() == found.as_json()
    assert not loaded.columns["word"].tally.exact


def test_another_format_is_refused_by_name(tmp_path):
    (tmp_path / "p.json").write_text('{"format": "cloudml-profile/9", "rows": 0, "columns": {}}')
    with pytest.raises(SpecError, match="cloudml-profile/9"):
        table.load(tmp_path / "p.json")
    (tmp_path / "p.json").write_text('{"format": "cloudml-profile/1"}')
    with pytest.raises(SpecError, match="is not a profile"):
        table.load(tmp_path / "p.json")


ARRAYS = {
    "integer": (pa.array([1, 2, None]), Kind.NUMBER, 1),
    "unsigned": (pa.array([1, 2, None], pa.uint64()), Kind.NUMBER, 1),
    "half": (pa.array(np.array([1, 2], np.float16)), Kind.NUMBER, 1),
    "decimal": (pa.array([Decimal("1.50"), Decimal("2.00"), None]), Kind.NUMBER, 1.5),
    "duration": (pa.array([timedelta(seconds=90)]), Kind.NUMBER, 90),
    "time of day": (pa.array([45_000], pa.time32("s")), Kind.NUMBER, 45_000),
    "date": (pa.array([date(1970, 1, 3)]), Kind.TIME, 2 * 86_400),
    "date in milliseconds": (pa.array([date(1970, 1, 3)], pa.date64()), Kind.TIME, 2 * 86_400),
    "naive": (pa.array([datetime(1970, 1, 1, 0, 1)]), Kind.TIME, 60),  # noqa: DTZ001 -- the case itself
    "zoned": (pa.array([datetime(1970, 1, 1, 0, 1, tzinfo=UTC)], pa.timestamp("ns", "Asia/Tokyo")), Kind.TIME, 60),
    "dictionary": (pa.array(["a", "b"]).dictionary_encode(), Kind.CATEGORY, None),
    "large text": (pa.array(["a", "b"], pa.large_string()), Kind.CATEGORY, None),
    "boolean": (pa.array([True, False]), Kind.BOOLEAN, None),
    "list": (pa.array([[1], None]), Kind.OPAQUE, None),
    "bytes": (pa.array([b"a"]), Kind.OPAQUE, None),
    "null": (pa.nulls(3), Kind.EMPTY, None),
    "all null": (pa.array([None, None], pa.int64()), Kind.EMPTY, None),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_every_arrow_type_has_a_kind(name):
    array, kind, minimum = ARRAYS[name]
    found = columns.of_array(array)
    assert found.kind is kind
    assert found.nulls == array.null_count
    assert found.invalid == 0
    if minimum is not None:
        assert found.numbers.minimum == minimum


def test_null_nan_and_infinities_are_counted_apart():
    low, high = float("-inf"), float("inf")
    found = columns.of_array(pa.array([1.0, 3.0, None, float("nan"), high, low, low]))
    assert (found.nulls, found.numbers.nans, found.numbers.above, found.numbers.below) == (1, 1, 1, 2)
    assert (found.numbers.mean, found.numbers.deviation, found.present) == (2.0, 1.0, 5)


def test_mean_and_variance_of_parts_are_those_of_numpy():
    values = np.random.default_rng(1).normal(1e6, 3, 100_000)
    batches = pa.table({"x": values}).to_batches(max_chunksize=7_000)
    numbers = table.of_batches(batches).columns["x"].numbers
    assert numbers.mean == pytest.approx(values.mean(), rel=1e-12)
    assert numbers.deviation == pytest.approx(values.std(), rel=1e-9)


COERCED = {
    "text as number": (pa.array([" 1.5", "2e3", "-.5", "inf", "x", "", None]), Kind.NUMBER, 2),
    "text as time": (
        pa.array(["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01 10:00:00.5 UTC", "-"]),
        Kind.TIME,
        1,
    ),
    "number as boolean": (pa.array([0, 1, 1, 2]), Kind.BOOLEAN, 1),
    "text as boolean": (pa.array(["True", "false", "1", "yes"]), Kind.BOOLEAN, 1),
    "number as category": (pa.array([1.0, 3.0, None]), Kind.CATEGORY, 0),
    "list as category": (pa.array([["a"], None]), Kind.CATEGORY, 1),
    "time as number": (pa.array([datetime(2026, 1, 1, tzinfo=UTC)]), Kind.NUMBER, 1),
}


@pytest.mark.parametrize("name", COERCED)
def test_a_value_that_cannot_be_read_as_the_kind_is_invalid_not_fatal(name):
    array, kind, invalid = COERCED[name]
    found = columns.of_array(array, kind)
    assert found.kind is kind
    assert found.invalid == invalid
    assert found.present == len(array) - array.null_count - invalid


def test_whole_floats_are_the_categories_of_integers():
    found = columns.of_array(pa.array([1.0, 3.0, None, float("nan")]), Kind.CATEGORY)
    assert set(found.tally.counts) == {"1", "3"}


def test_a_stream_keeps_the_kind_of_its_first_value():
    batches = [pa.record_batch({"x": values}) for values in (pa.nulls(2), [1, 2], ["3", "many"])]
    found = table.of_batches(batches).columns["x"]
    assert found.kind is Kind.NUMBER
    assert (found.nulls, found.invalid, found.numbers.finite) == (2, 1, 3)


def test_parts_of_different_kinds_are_refused_and_named():
    with pytest.raises(SpecError, match=r"column `x` is number in one part and category in another") as caught:
        table.merge(profiled(x=[1]), profiled(x=["a"]))
    assert "like=" in caught.value.hint


def test_a_column_that_a_part_lacks_has_no_value_there():
    found = table.merge(profiled(a=[1, 2]), profiled(b=["x"]))
    assert found.rows == 3
    assert (found.columns["a"].nulls, found.columns["b"].nulls) == (1, 2)


def test_heavy_hitters_are_counted_within_the_slack():
    random = np.random.default_rng(2)
    words = np.where(random.random(60_000) < 0.3, "often", random.integers(0, 30_000, 60_000).astype(str))
    found = tally.EMPTY
    for part in np.array_split(words, 12):
        found = tally.merge(found, tally.of_strings(pa.array(part.tolist())))
    often = int((words == "often").sum())
    assert len(found.counts) <= tally.EXACT
    assert 0 < found.slack <= len(words) / (tally.EXACT + 1)
    assert often - found.slack <= found.counts["often"] <= often
    assert found.total == len(words)
    assert found.distinct == pytest.approx(len(set(words)), rel=0.1)


def test_long_text_is_cut_but_told_apart():
    found = columns.of_array(pa.array(["a" * 5_000 + "x", "a" * 5_000 + "y", "short"]))
    assert found.distinct == 3
    assert max(map(len, found.tally.counts)) <= tally.LONGEST


def test_the_bytes_of_a_profile_do_not_grow_with_its_rows():
    random = np.random.default_rng(3)

    def size(rows):
        words = [f"customer number {n} of many" for n in random.integers(0, 10**9, rows)]
        return len(json.dumps(profiled(x=random.normal(size=rows), word=words).as_json()))

    largest = size(80_000)
    assert largest < 1.5 * size(16_000)
    assert largest < 200_000


MEMORY = """
import resource, sys
from cloudml.profile import reading, table
found = table.of_batches(reading.read([sys.argv[1]]))
print(found.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_rows(tmp_path):
    random = np.random.default_rng(4)
    part = pa.table({"x": random.normal(size=50_000), "word": random.integers(0, 100, 50_000).astype(str)})
    peaks = []
    for parts in (2, 20):
        path = tmp_path / f"{parts}.parquet"
        with pq.ParquetWriter(path, part.schema) as writer:
            for _ in range(parts):
                writer.write_table(part)
        out = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True).stdout
        rows, peak = map(int, out.split())
        assert rows == parts * 50_000
        peaks.append(peak)
    assert peaks[1] < 1.25 * peaks[0]


def test_an_empty_stream_is_a_profile_without_rows():
    assert table.of_batches([]) == Profile()
