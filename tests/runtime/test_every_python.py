"""The suite of the runtime, under every CPython from 3.8 that this machine has, with nothing installed.

The oldest and the newest run all of it, those between all but a few long modules. Which versions ran is told at the end
of the test run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloudml.packing import runtime_archive, runtime_files

SUITE = Path(__file__).parent / "suite"
MODULES = sorted(path.stem for path in SUITE.glob("test_*.py"))
LONG = ("test_driver", "test_requirements", "test_signals")
"""They start many interpreters and take up to a minute. What they try runs under the oldest and the newest only."""
MINORS = sorted({*range(8, 14), sys.version_info.minor})
PROBE = "import sys; print(sys.implementation.name, *sys.version_info[:3])"
LIMIT_S = 600


def interpreters(minor):
    """Where a CPython 3.minor may be: this one first, then on the path, then pyenv's."""
    if minor == sys.version_info.minor:
        yield sys.executable
    for folder in os.get_exec_path():
        yield shutil.which(f"python3.{minor}", path=folder)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(map(str, root.glob(f"versions/3.{minor}.*/bin/python")))


def started(path, minor):
    """The full version of an interpreter that starts and is a CPython 3.minor; pyenv's shims often are not."""
    try:
        done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return None
    words = done.stdout.split()
    return ".".join(words[1:]) if words[:3] == ["cpython", "3", str(minor)] else None


@pytest.fixture
def travelling(tmp_path):
    """A folder with the runtime and nothing else."""
    for name, content in runtime_files().items():
        path = tmp_path / "laid-out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "laid-out"


@pytest.fixture
def archive(tmp_path):
    """The file in which the runtime travels."""
    path = tmp_path / "runtime.zip"
    path.write_bytes(runtime_archive())
    return path


def run_suite(minor, place, folder, modules):
    """Run *modules* of the suite with the runtime at *place*; the version that they ran under."""
    found = ((path, started(path, minor)) for path in interpreters(minor) if path)
    path, version = next((pair for pair in found if pair[1]), (None, None))
    if path is None:
        pytest.skip(f"no CPython 3.{minor} starts on this machine")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV_"))}
    environ["PYTHONPATH"] = f"{place}{os.pathsep}{SUITE}"
    done = subprocess.run(
        [path, "-W", "error", "-m", "unittest", *modules],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-20_000:]
    return version


@pytest.mark.parametrize("minor", [MINORS[0], MINORS[-1]], ids=lambda minor: f"3.{minor}")
def test_the_whole_suite_passes_under_the_oldest_and_the_newest(minor, travelling, tmp_path):
    run_suite(minor, travelling, tmp_path, MODULES)


@pytest.mark.parametrize("minor", MINORS, ids=lambda minor: f"3.{minor}")
def test_the_suite_passes_with_the_standard_library_alone(minor, archive, tmp_path, record_property):
    """All but the modules that take minutes, with the runtime in the file in which it travels."""
    record_property("cpython", run_suite(minor, archive, tmp_path, [one for one in MODULES if one not in LONG]))
