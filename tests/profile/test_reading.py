import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudml.errors import SpecError
from cloudml.profile import reading, table
from cloudml.profile.kinds import Kind
from cloudml.profile.problems import Problems


def profile(*paths, like=None):
    problems = Problems()
    found = table.of_batches(reading.read(paths, like.kinds if like else {}, problems), like)
    return found, problems.sentences()


ROWS = [
    {"n": 1, "word": "a", "flag": True},
    {"n": 2.5, "word": None, "flag": False},
    {"n": None, "word": "c", "flag": None},
]


def write_all(folder):
    """The same rows in every format."""
    pq.write_table(pa.Table.from_pylist([{**row, "n": row["n"]} for row in ROWS]), folder / "rows.parquet")
    (folder / "rows.csv").write_text("n,word,flag\n1,a,true\n2.5,,false\n,c,\n")
    (folder / "rows.tsv").write_text("n\tword\tflag\n1\ta\ttrue\n2.5\t\tfalse\n\tc\t\n")
    text = "\n".join(json.dumps(row) for row in ROWS)
    (folder / "rows.jsonl").write_text(text + "\n\n")
    (folder / "rows.json").write_text(json.dumps(ROWS))
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "packed.csv.gz").write_bytes(gzip.compress((folder / "rows.csv").read_bytes()))


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv", "jsonl", "json"])
def test_every_format_gives_the_same_profile(tmp_path, ending):
    write_all(tmp_path)
    expected, _ = profile(tmp_path / "rows.parquet")
    found, problems = profile(tmp_path / f"rows.{ending}")
    assert found.as_json() == expected.as_json()
    assert problems == ()


def test_folders_globs_and_files_may_be_mixed(tmp_path):
    write_all(tmp_path)
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden.csv").write_text("x\n1\n")
    assert profile(tmp_path)[0].rows == 7 * 3
    assert profile(f"{tmp_path}/*.csv", tmp_path / "rows.json")[0].rows == 6
    assert profile(tmp_path)[0].kinds == {"n": Kind.NUMBER, "word": Kind.CATEGORY, "flag": Kind.BOOLEAN}


def test_times_of_csv_are_times(tmp_path):
    (tmp_path / "t.csv").write_text("at,day\n2026-01-01T00:00:01Z,1970-01-02\n2026-01-01T00:00:03Z,1970-01-03\n")
    found, _ = profile(tmp_path / "t.csv")
    assert found.kinds == {"at": Kind.TIME, "day": Kind.TIME}
    assert found.columns["day"].numbers.minimum == 86_400


def test_codes_that_look_like_numbers_stay_text_where_the_baseline_has_text(tmp_path):
    like = table.of_batch(pa.record_batch({"zip": ["01234"]}))
    (tmp_path / "z.csv").write_text("zip\n01234\n00001\n")
    assert set(profile(tmp_path / "z.csv", like=like)[0].columns["zip"].tally.counts) == {"01234", "00001"}
    assert profile(tmp_path / "z.csv")[0].columns["zip"].numbers.minimum == 1


def test_damaged_lines_cells_and_files_are_counted_and_the_rest_is_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n{"n": \n{"n": 3}\n')
    (tmp_path / "b.csv").write_text("n,m\n" + "1,2\n" * 1_200_000 + "oops,2\n1,2,3\n")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "d.csv").write_bytes(b"")
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(b'{"n": 1}\n' * 10)[:-12])
    (tmp_path / "notes.txt").write_text("x")
    found, problems = profile(tmp_path)
    text = "\n".join(problems)
    assert found.rows >= 1_200_003
    assert "a.jsonl: a line is not JSON (1 times)" in text
    assert "b.csv: a row has 3 fields instead of 2 (1 times)" in text
    assert "b.csv: a value of column `n` is not a number (1 times)" in text
    assert "c.parquet: cannot be read to its end" in text
    assert "d.csv: cannot be read to its end" in text
    assert "e.jsonl.gz: cannot be read to its end" in text
    assert "notes.txt: is not of a kind that is read" in text


def test_columns_may_differ_from_file_to_file(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"n": 1, "x": "1"}\n')
    (tmp_path / "b.jsonl").write_text('{"n": "2", "y": [1]}\n{"n": {"deep": 1}}\n')
    found, _ = profile(tmp_path)
    assert found.rows == 3
    assert (found.columns["n"].numbers.finite, found.columns["n"].invalid) == (2, 1)
    assert (found.columns["x"].nulls, found.columns["y"].nulls) == (2, 2)


def test_awkward_json_is_read(tmp_path):
    huge = f'{{"n": {10**400}, "w": 3}}'
    (tmp_path / "a.jsonl").write_text(f'{{"n": 1e400, "w": "\\ud800"}}\n{{"n": NaN, "w": "b"}}\n{huge}\n')
    found, problems = profile(tmp_path / "a.jsonl")
    assert problems == ()
    assert (found.columns["n"].numbers.above, found.columns["n"].numbers.nans) == (2, 1)
    assert set(found.columns["w"].tally.counts) == {"?", "b", "3"}


def test_a_path_that_matches_nothing_or_is_not_read_is_named(tmp_path):
    with pytest.raises(SpecError, match="no file at"):
        profile(tmp_path / "none.csv")
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(SpecError, match="is of a kind that is not read"):
        profile(tmp_path / "a.xlsx")


def test_an_empty_folder_has_no_rows(tmp_path):
    assert profile(tmp_path)[0].rows == 0
