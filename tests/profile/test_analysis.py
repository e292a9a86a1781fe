import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudml.errors import SpecError
from cloudml.profile import State, analyse
from cloudml.profile.analysis import load
from cloudml.profile.capture import SCHEMA


@pytest.fixture
def description(tmp_path):
    """A baseline of 2000 rows, a capture of 400 whose carriers have changed, and what to check."""
    random = np.random.default_rng(0)
    train = {
        "delay": random.gamma(2, 10, 2_000),
        "carrier": random.choice(["UA", "AA"], 2_000),
        "late": random.integers(0, 2, 2_000),
    }
    pq.write_table(pa.table(train), tmp_path / "train.parquet")
    rows = [
        {"time": 0, "instance": json.dumps({"delay": delay, "carrier": "ZZ"}), "prediction": str(n % 2)}
        for n, delay in enumerate(random.gamma(2, 10, 400))
    ]
    (tmp_path / "captured").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / "captured" / "a.parquet")
    return {
        "monitor": "delay-drift",
        "baseline": [str(tmp_path / "train.parquet")],
        "capture": [str(tmp_path / "captured")],
        "format": "cloudml",
        "label": "late",
        "checks": [
            {"metric": "psi", "max": 0.2},
            {"metric": "new_category", "max": 0.01, "columns": ["carrier"]},
            {"metric": "linf", "max": 0.1, "on": "predictions"},
        ],
        "out": str(tmp_path / "out"),
    }


def run(*arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "cloudml.profile", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_writes_the_report_both_profiles_and_the_page(description, tmp_path):
    report = analyse(description)
    assert report.state is State.VIOLATED
    assert [(result.column, result.metric, result.violated) for result in report.checks] == [
        ("delay", "psi", False),
        ("carrier", "psi", True),
        ("carrier", "new_category", True),
        ("prediction", "linf", False),
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report.as_json()
    assert "Drift found" in (tmp_path / "out" / "report.html").read_text()
    assert load(tmp_path / "out" / "baseline.json").features.rows == 2_000
    assert load(tmp_path / "out" / "current.json").predictions.rows == 400


def test_the_label_is_no_feature_and_so_is_not_absent(description):
    assert analyse(description).absent == ()
    assert analyse({**description, "label": None, "checks": description["checks"][:2]}).absent == ("late",)


def test_a_saved_baseline_gives_the_same_report(description, tmp_path):
    first = analyse(description)
    again = analyse(
        {**description, "baseline": [str(tmp_path / "out" / "baseline.json")], "out": str(tmp_path / "again")}
    )
    assert again.as_json() == first.as_json()


def test_a_window_without_traffic_is_no_data(description, tmp_path):
    report = analyse({**description, "since": "2026-01-01T00:00:00Z"})
    assert report.state is State.NO_DATA
    assert "No rows were captured" in (tmp_path / "out" / "report.html").read_text()


def test_what_could_not_be_read_is_in_the_report(description, tmp_path):
    (tmp_path / "captured" / "b.parquet").write_bytes(b"cut off")
    assert "b.parquet: cannot be read to its end" in analyse(description).problems[0]


def test_tables_are_compared_as_they_are(description, tmp_path):
    report = analyse(
        {**description, "capture": description["baseline"], "format": "table", "checks": description["checks"][:2]}
    )
    assert report.state is State.OK
    assert report.extra == ("late",)


WRONG = {
    "unknown key": ({"chekcs": []}, "no key `chekcs`"),
    "since": ({"since": "yesterday"}, "`since` is 'yesterday'"),
    "format": ({"format": "gcp"}, "no capture format `gcp`"),
    "label": ({"label": "nothing"}, "is on predictions, and there is nothing"),
    "baseline": ({"baseline": ["/none/at/all"]}, "no file at `/none/at/all`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_description_is_refused(description, name):
    change, message = WRONG[name]
    with pytest.raises(SpecError, match=message):
        analyse({**description, **change})


def test_the_module_runs_a_description_and_prints_the_report(description, tmp_path):
    (tmp_path / "job.json").write_text(json.dumps(description))
    done = run(str(tmp_path / "job.json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "violated"
    assert run("--strict", str(tmp_path / "job.json")).returncode == 3


def test_the_module_does_not_import_pandas_which_takes_longer_than_all_it_does(description, tmp_path):
    (tmp_path / "job.json").write_text(json.dumps(description))
    (tmp_path / "pandas.py").write_text("raise SystemExit('it was imported')")
    done = run(str(tmp_path / "job.json"), PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_pandas_is_found_again_by_everybody_else():
    program = (
        "from cloudml.profile.arrow import without_pandas\n"
        "with without_pandas():\n"
        "    try: import pandas\n"
        "    except ModuleNotFoundError: print('none')\n"
        "import pandas\n"
        "with without_pandas(): import pandas\n"
        "print('one')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["none", "one"]


def test_the_module_says_what_is_wrong_on_standard_error(description, tmp_path):
    (tmp_path / "job.json").write_text(json.dumps({**description, "format": "gcp"}))
    done = run(str(tmp_path / "job.json"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no capture format `gcp`\n\nhint: one of: cloudml")
    assert run().returncode == 2
    assert run(str(tmp_path / "none.json")).returncode == 2
