"""What a command loads before it does anything, by module names and not by time."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "duckdb", "mlflow", "pandas", "polars", "pyarrow", "scipy", "sklearn", "skops", "starlette", "uvicorn", "xgboost",
}  # fmt: skip
SDKS = {"azure", "boto3", "botocore", "google", "moto", "sagemaker"}
LIBRARIES = {"numpy", "obstore", "pydantic", "rich", "ruamel"}


def loaded(folder, *arguments: str) -> set[str]:
    """The packages that a command loads, but for those that every start of this interpreter does."""
    program = (
        "import sys; before = set(sys.modules); from cloudml.cli import cloudml\n"
        "try: cloudml.main(sys.argv[1:], standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "sys.stderr.write('\\n' + ' '.join({*sys.modules} - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("job", "--help"), ("completion", "bash")])
def test_help_loads_no_library_that_it_does_not_need(tmp_path, arguments: tuple[str, ...]) -> None:
    assert not loaded(tmp_path, *arguments) & {*HEAVY, *SDKS, *LIBRARIES}


def test_plan_loads_nothing_that_reads_data_or_serves(shell) -> None:
    found = loaded(shell.folder, "plan")
    assert not found & {*HEAVY, *SDKS, "numpy"}
    assert "pydantic" in found


def test_a_second_up_loads_nothing_heavy(shell) -> None:
    assert shell("up", "-q").code == 0
    assert not loaded(shell.folder, "up", "-q") & {*HEAVY, *SDKS}


def test_a_command_looks_for_garbage_seldom(tmp_path) -> None:
    program = (
        "import atexit, gc, sys; threshold = lambda: gc.isenabled() and gc.get_threshold()\n"
        "atexit.register(lambda: sys.stderr.write(str(threshold())))\n"
        "from cloudml.cli import main; main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == "(50000, 20, 100)"


def test_a_command_ends_without_a_last_look_for_garbage(tmp_path) -> None:
    program = (
        "import atexit, gc, sys; atexit.register(lambda: sys.stderr.write(str(gc.get_freeze_count() > 0)))\n"
        "from cloudml.cli import main; main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == "True"
