"""A run that knows parts of the data gives what a run over all of them gives, and reads what is new."""

import itertools
import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudml.profile import analyse, parts
from cloudml.profile.capture import SCHEMA

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 40


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a baseline, where each file of a capture is a part."""
    monkeypatch.setattr(parts, "BYTES", 1)
    train = pa.table({"delay": [n % 7 for n in range(200)], "carrier": ["AA", "UA"] * 100, "late": [0, 1] * 100})
    pq.write_table(train, tmp_path / "train.parquet")
    (tmp_path / "captured").mkdir()
    return tmp_path


def hour(here, number, delay=0, name=None, **more):
    """An hour of traffic, in our own format."""
    rows = [
        {
            "time": MIDNIGHT + timedelta(hours=number, minutes=n),
            "instance": json.dumps({"delay": (n + delay) % 9, "carrier": "AA" if n % 3 else "ZZ", **more}),
            "prediction": str(n % 2),
        }
        for n in range(ROWS)
    ]
    path = here / "captured" / (name or f"{number:02}.parquet")
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    return path


def lines(here, number, *texts):
    """An hour of what Azure records, and what cannot be read."""
    when = (MIDNIGHT + timedelta(hours=number)).isoformat()
    events = [{"type": "a.model_inputs", "time": when, "data": [{"delay": n % 9, "carrier": "AA"}]} for n in range(9)]
    said = [*map(json.dumps, events), *texts]
    (here / "captured" / f"{number:02}.jsonl").write_text("\n".join(said) + "\n", "utf-8")


def report(here, kept="kept", **more):
    """What a run finds, the profiles that it writes included; `kept=None` knows nothing and keeps nothing."""
    out = here / "out"
    analyse(
        {
            "baseline": [str(here / "train.parquet")],
            "capture": [str(here / "captured")],
            "label": "late",
            "checks": [{"metric": "psi", "max": 0.2}, {"metric": "ks", "max": 0.1}, {"metric": "missing", "max": 0.1}],
            "out": str(out),
            **({"kept": str(here / kept)} if kept else {}),
            **more,
        }
    )
    return {name: (out / name).read_text("utf-8") for name in ("report.json", "baseline.json", "current.json")}


def rows(found):
    return json.loads(found["report.json"])["rows"]


def kept(here, folder="kept", side="capture"):
    return sorted((here / folder).glob(f"{side}-*.json"))


def overstate(path):
    """Change what is kept of a part, so that it shows whether a run believed it."""
    document = json.loads(path.read_text("utf-8"))
    document["features"]["rows"] += 1_000
    path.write_text(json.dumps(document), "utf-8")


def test_hour_after_hour_a_run_gives_what_a_run_over_all_gives(here):
    for number in range(4):
        hour(here, number, delay=number)
        assert report(here) == report(here, kept=None)
        assert len(kept(here)) == number + 1


def test_a_known_part_is_not_read_again_and_a_new_one_is(here):
    hour(here, 0)
    report(here)
    overstate(kept(here)[0])
    hour(here, 1)
    assert rows(report(here)) == 2 * ROWS + 1_000


def test_the_baseline_is_known_too(here):
    hour(here, 0)
    report(here)
    overstate(kept(here, side="baseline")[0])
    assert json.loads(report(here)["report.json"])["baseline_rows"] == 1_200


def test_an_edited_file_is_seen_even_when_its_time_and_size_say_nothing(here):
    path = hour(here, 0)
    report(here)
    before, content = path.stat(), path.read_bytes()
    hour(here, 0, delay=3)
    assert path.read_bytes() != content
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert report(here) == report(here, kept=None)


def test_a_file_that_lies_as_it_lay_is_not_even_read_and_an_edited_one_is(here, monkeypatch):
    monkeypatch.setattr(parts, "SETTLED_NS", 0)
    path = hour(here, 0)
    report(here)
    document = json.loads(kept(here)[0].read_text("utf-8"))
    kept(here)[0].write_text(json.dumps({**document, "digest": "another"}), "utf-8")
    overstate(kept(here)[0])
    assert rows(report(here)) == ROWS + 1_000
    before = path.stat()
    hour(here, 0, delay=3)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert report(here) == report(here, kept=None)


def test_a_file_that_changed_just_now_is_known_by_its_digest_alone(here):
    hour(here, 0)
    report(here)
    assert json.loads(kept(here)[0].read_text("utf-8"))["stamp"] is None


def test_a_file_that_comes_late_is_seen(here):
    hour(here, 1)
    hour(here, 3)
    report(here)
    hour(here, 2)
    hour(here, 0)
    assert rows(report(here)) == 4 * ROWS
    assert report(here) == report(here, kept=None)


def test_a_file_that_joins_a_known_part_is_seen(here, monkeypatch):
    monkeypatch.setattr(parts, "BYTES", 1 << 20)
    hour(here, 0)
    report(here)
    hour(here, 1)
    assert rows(report(here)) == 2 * ROWS
    assert len(kept(here)) == 1


def test_a_part_whose_files_are_gone_is_forgotten(here):
    path = hour(here, 0)
    hour(here, 1)
    report(here)
    path.unlink()
    assert rows(report(here)) == ROWS
    assert len(kept(here)) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": 1}'])
def test_a_damaged_record_is_made_again(here, text):
    hour(here, 0)
    found = report(here)
    kept(here)[0].write_text(text, "utf-8")
    assert report(here) == found


def test_where_a_part_is_mounted_does_not_matter(here):
    hour(here, 0)
    report(here)
    overstate(kept(here)[0])
    shutil.move(here / "captured", here / "elsewhere")
    assert rows(report(here, capture=[str(here / "elsewhere")])) == ROWS + 1_000


def test_parts_may_be_known_in_one_folder_and_kept_in_another(here):
    hour(here, 0)
    report(here)
    overstate(kept(here)[0])
    hour(here, 1)
    assert rows(report(here, kept="new", known=str(here / "kept"))) == 2 * ROWS + 1_000
    assert (len(kept(here)), len(kept(here, "new"))) == (1, 1)


def test_another_baseline_or_format_is_another_part(here):
    hour(here, 0)
    report(here)
    overstate(kept(here)[0])
    train = pa.table({"delay": ["a", "b"], "carrier": ["AA", "UA"], "late": [0, 1]})
    pq.write_table(train, here / "train.parquet")
    assert rows(report(here)) == ROWS


def test_a_column_that_the_baseline_lacks_keeps_its_first_kind(here):
    for number, extra in enumerate([1, "2", "many", 3]):
        hour(here, number, extra=extra)
    found = report(here)
    assert found == report(here, kept=None) == report(here)
    extra = json.loads(found["current.json"])["features"]["columns"]["extra"]
    assert (extra["kind"], extra["invalid"]) == ("number", ROWS)


WINDOWS = {
    "all": {},
    "whole hours": {"since": MIDNIGHT + timedelta(hours=1), "until": MIDNIGHT + timedelta(hours=3)},
    "half hours": {"since": MIDNIGHT + timedelta(hours=0.5), "until": MIDNIGHT + timedelta(hours=2.5)},
    "one side": {"since": MIDNIGHT + timedelta(hours=1.5)},
    "nothing": {"until": MIDNIGHT - timedelta(hours=1)},
}


@pytest.mark.parametrize(("first", "then"), [*itertools.permutations(WINDOWS, 2)])
def test_a_part_that_was_kept_in_one_window_is_right_in_another(here, first, then):
    for number in range(4):
        hour(here, number, delay=number)
        lines(here, number)
    for form, ending in (("cloudml", "parquet"), ("azure", "jsonl")):
        asked = {"format": form, "capture": [str(here / "captured" / f"*.{ending}")]}
        for name in (first, then):
            times = {key: moment.isoformat() for key, moment in WINDOWS[name].items()}
            assert report(here, **asked, **times) == report(here, None, **asked, **times)


@pytest.mark.parametrize("first", WINDOWS)
def test_what_could_not_be_read_is_told_by_every_run(here, first):
    timeless = json.dumps({"type": "a.model_inputs", "data": [{"delay": 1, "carrier": "AA"}]})
    lines(here, 0, "{", '{"type": 3}')
    lines(here, 1, timeless)
    for name in (first, *WINDOWS):
        times = {key: moment.isoformat() for key, moment in WINDOWS[name].items()}
        found = report(here, format="azure", **times)
        assert found == report(here, None, format="azure", **times)
        assert json.loads(found["report.json"])["problems"]
