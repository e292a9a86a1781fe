"""Amazon's serving toolkits, over a folder that stands for /opt/ml."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import Routes, free_port, interpreter, running

HERE = Path(__file__).parent
JAVA = "multi-model-server needs Java: `apt-get install --no-install-recommends openjdk-17-jre-headless`"
ROUTES = Routes("/ping", "/invocations")


def needs_java() -> None:
    """Skip where Java is missing on somebody's own machine, and say so; a build without it fails."""
    if shutil.which("java") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(JAVA)


@contextmanager
def serving(toolkit: str, base: Path, environment: dict[str, str]):
    """That toolkit over *base*, which stands for /opt/ml; `model` is in it."""
    if toolkit == "inference":
        needs_java()
    python, port = interpreter(toolkit), free_port()
    scratch = base / "scratch"
    for folder in (scratch, base / "site"):
        folder.mkdir()
    environ = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(base),
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_TARGET": str(base / "site"),
        "PIP_CACHE_DIR": str(base / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **environment,
        "SAGEMAKER_SUBMIT_DIRECTORY": str(base / "model" / "code"),
    }
    command = {
        "containers": ["-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--timeout", "60", "served_by_containers:app"],
        "inference": [str(HERE / "served_by_inference.py"), str(base / "mms.properties")],
    }[toolkit]
    if toolkit == "containers":
        environ["PYTHONPATH"] = os.pathsep.join([str(base / "site"), str(HERE)])
    with running([python, *command], environ, port, ROUTES, base) as server:
        yield server
