from __future__ import annotations

import ast
import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cloudml import bootstrap, wheel
from cloudml.errors import SettingsError

HEIGHTS = [{"height": height} for height in range(150, 170)]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def packages(tmp_path_factory) -> Path:
    """A folder with what the engine needs, and nothing of cloudml."""
    folder = tmp_path_factory.mktemp("packages")
    for package in (np, pa):
        home = Path(package.__file__).parent
        for one in home.parent.glob(f"{home.name}*"):
            (folder / one.name).symlink_to(one)
    return folder


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """The folder as it lies in the container."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    made = wheel.wheel()
    (folder / made.name).write_bytes(made.content)
    (folder / wheel.BOOTSTRAP).write_bytes(wheel.bootstrap())
    (folder / "monitor.json").write_text(json.dumps(description(tmp_path)))
    return folder


def description(root: Path, **changes) -> dict:
    for name, rows in (("baseline", HEIGHTS), ("now", [{"height": one["height"] + 500} for one in HEIGHTS])):
        (root / name).mkdir(exist_ok=True)
        (root / name / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    analysis = {
        "monitor": "drift", "baseline": [str(root / "baseline")], "capture": [str(root / "now")], "format": "table",
        "checks": [{"metric": "psi", "max": 0.2}], "out": str(root / "out"),
    }  # fmt: skip
    return {
        "analysis": {**analysis, **changes}, "requirements": list(wheel.wheel().requirements), "window_s": None,
        "failure": str(root / "failure.txt"), "latest": str(root / "latest"),
    }  # fmt: skip


def start(shipped: Path, packages: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap with a Python that knows nothing of this checkout."""
    base = getattr(sys, "_base_executable", sys.executable)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(packages), "PYTHONNOUSERSITE": "1", **environment}
    return subprocess.run(
        [base, str(shipped / wheel.BOOTSTRAP), str(shipped / "monitor.json")],
        env=env, cwd=shipped, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_same_files_give_the_same_wheel_to_the_byte() -> None:
    metadata = "Metadata-Version: 2.4\nName: cloudml-adapters\nVersion: 0.1.0\nRequires-Dist: numpy>=2.0\n"
    one, other = (wheel.build(wheel.PACKAGE, metadata) for _ in range(2))
    assert one.content == other.content
    assert one.name == "cloudml_adapters-0.1.0-py3-none-any.whl"


def test_the_record_says_every_file_and_its_digest() -> None:
    made = wheel.wheel()
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        names = set(archive.namelist())
        record = next(name for name in names if name.endswith("/RECORD"))
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {row[0] for row in rows} == names
        assert all(row[1] == f"sha256={wheel._digest(archive.read(row[0]))}" for row in rows if row[0] != record)
    assert "cloudml/profile/report.css" in names
    assert {name.partition("/")[0] for name in names} == {"cloudml", record.partition("/")[0]}
    assert not any("__pycache__" in name for name in names)


def test_pip_takes_the_wheel(tmp_path: Path) -> None:
    made = wheel.wheel()
    (tmp_path / made.name).write_bytes(made.content)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path / "to"),
    ]
    subprocess.run([*pip, str(tmp_path / made.name)], check=True, capture_output=True)
    assert (tmp_path / "to" / "cloudml" / "profile" / "report.css").is_file()


def test_an_installed_copy_makes_the_wheel_that_the_checkout_makes(tmp_path: Path, packages: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel.wheel().content)) as archive:
        archive.extractall(tmp_path)
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; from cloudml import wheel; print(wheel.wheel().digest)"
    base = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([base, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == wheel.wheel().digest


def test_without_metadata_there_is_no_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel.wheel().content)) as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("cloudml/")])
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}]\nfrom cloudml import wheel\n"
        "try:\n    wheel.wheel()\nexcept wheel.SettingsError as error:\n    print(error.message)"
    )
    base = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([base, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert "metadata of cloudml-adapters is missing" in done.stdout
    assert SettingsError.__name__ == wheel.SettingsError.__name__


def test_the_engine_imports_what_is_written_down_and_nothing_else() -> None:
    modules = [*(wheel.PACKAGE / "profile").glob("*.py"), wheel.PACKAGE / "errors.py", wheel.PACKAGE / "spelling.py"]
    found = {name.partition(".")[0] for path in modules for name in imported(ast.parse(path.read_text()))}
    assert found - {*sys.stdlib_module_names, "cloudml"} == {*wheel.ENGINE}
    assert [one.partition(">=")[0] for one in wheel.wheel().requirements] == [*wheel.ENGINE]


def imported(tree: ast.AST) -> list[str]:
    nodes = list(ast.walk(tree))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]


def test_the_analysis_runs_from_the_wheel_alone(shipped: Path, packages: Path, tmp_path: Path) -> None:
    done = start(shipped, packages, CLOUDML_RUN="run-1")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "latest" / "report.json").read_text())
    assert (report["state"], report["rows"], report["run"]) == ("violated", 20, "run-1")
    assert datetime.fromisoformat(report["ran"]).tzinfo
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    page = (tmp_path / "out" / "report.html").read_text()
    assert (wheel.PACKAGE / "profile" / "report.css").read_text() in page
    assert not (tmp_path / "failure.txt").exists()


def test_the_engine_runs_isolated_from_the_wheel_alone(packages: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel.wheel().content)) as archive:
        archive.extractall(tmp_path / "package")
    (tmp_path / "job.json").write_text(json.dumps(description(tmp_path)["analysis"]))
    paths = [str(tmp_path / "package"), str(packages)]
    program = (
        f"import sys; sys.path[:0] = {paths!r}\nfrom cloudml.profile.__main__ import main\n"
        f"sys.exit(main([{str(tmp_path / 'job.json')!r}]))"
    )
    base = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([base, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "violated"


def test_why_it_failed_is_written_where_the_provider_reads(shipped: Path, packages: Path, tmp_path: Path) -> None:
    wrong = description(tmp_path, checks=[{"metric": "ks", "max": 0.1, "columns": ["nothing"]}])
    (shipped / "monitor.json").write_text(json.dumps(wrong))
    done = start(shipped, packages)
    assert done.returncode == 2
    assert "nothing" in (tmp_path / "failure.txt").read_text()
    assert not (tmp_path / "latest").exists()


def test_a_package_that_is_missing_and_cannot_be_installed_is_named(shipped: Path, packages, tmp_path: Path) -> None:
    lacking = {**description(tmp_path), "requirements": ["numpy>=2.0", "no-such-package-of-ours>=3"]}
    (shipped / "monitor.json").write_text(json.dumps(lacking))
    done = start(shipped, packages, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert done.returncode == 1
    assert "the image lacks no-such-package-of-ours>=3, which" in (tmp_path / "failure.txt").read_text()


@pytest.mark.parametrize(
    ("requirement", "satisfied"),
    [("numpy>=1.0", True), ("numpy>=99.0", False), ("numpy", True), ("no-such-package>=1", False)],
)
def test_only_what_is_missing_or_older_is_lacking(requirement: str, satisfied: bool) -> None:
    assert bootstrap.there(requirement) is satisfied


@pytest.mark.parametrize(
    ("window_s", "environment", "expected"),
    [
        (None, {}, (None, None)),
        (None, {"CLOUDML_SCHEDULED": "2026-03-01T10:00:00Z"}, (None, None)),
        (3600.0, {}, ("2026-03-01T11:00:00+00:00", None)),
        (3600.0, {"CLOUDML_SCHEDULED": "2026-03-01T10:00:00Z"}, ("2026-03-01T09:00:00+00:00", "2026-03-01T10:00:00Z")),
        (3600.0, {"CLOUDML_UNTIL": "2026-03-01T10:00:00Z"}, ("2026-03-01T09:00:00+00:00", "2026-03-01T10:00:00Z")),
        (3600.0, {"CLOUDML_SINCE": "2026-02-01"}, ("2026-02-01", None)),
        (3600.0, {"CLOUDML_SINCE": "", "CLOUDML_UNTIL": ""}, ("2026-03-01T11:00:00+00:00", None)),
    ],
)
def test_a_window_is_reckoned_when_the_run_starts(window_s, environment, expected) -> None:
    assert bootstrap.window(window_s, environment, NOW) == expected


def test_an_old_python_is_told_so(monkeypatch, shipped: Path, tmp_path: Path, capsys) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (99, 0))
    assert bootstrap.main(str(shipped / "monitor.json")) == 1
    assert "the engine needs 3.11 or later" in (tmp_path / "failure.txt").read_text()
