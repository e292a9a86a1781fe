"""The suite of the runtime, under every CPython from 3.8 that this machine has, with nothing installed.

The runtime lies alone in a folder, as it does in a container. Which versions ran is told at the end of the test run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloudml import runtime

SUITE = Path(__file__).parent / "suite"
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
    shutil.copytree(Path(runtime.__file__).parent, tmp_path / "cloudml" / "runtime")
    (tmp_path / "cloudml" / "__init__.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("minor", MINORS, ids=lambda minor: f"3.{minor}")
def test_the_suite_passes_with_the_standard_library_alone(minor, travelling, record_property):
    found = ((path, started(path, minor)) for path in interpreters(minor) if path)
    path, version = next((pair for pair in found if pair[1]), (None, None))
    if path is None:
        pytest.skip(f"no CPython 3.{minor} starts on this machine")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV_"))}
    environ |= {"PYTHONPATH": str(travelling), "PYTHONPYCACHEPREFIX": str(travelling / "compiled")}
    command = [
        path,
        "-W",
        "error",
        "-m",
        "unittest",
        "discover",
        "--start-directory",
        SUITE,
        "--top-level-directory",
        SUITE,
    ]
    done = subprocess.run(
        command, cwd=travelling, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-20_000:]
    record_property("cpython", version)
