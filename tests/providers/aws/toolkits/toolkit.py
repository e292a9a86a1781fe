"""Starting the vendor's toolkits and talking to them."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import environments
import pytest

HERE = Path(__file__).parent

JAVA = "multi-model-server needs Java: `apt-get install --no-install-recommends openjdk-17-jre-headless`"
START_S = 60


def interpreter(name: str) -> Path:
    """The Python of a toolkit's environment."""
    path = environments.python(name)
    if not path.exists():
        pytest.fail("the vendor's toolkits are not installed: run `make toolkits`")
    return path


def needs_java() -> None:
    """Skip where Java is missing on somebody's own machine, and say so; a build without it fails."""
    if shutil.which("java") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(JAVA)


def free_port() -> int:
    """A free port below those that the system hands out, which multi-model-server refuses."""
    for port in random.sample(range(20_000, 32_000), 100):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


class Server:
    """A toolkit that serves a folder."""

    def __init__(self, port: int, process: subprocess.Popen, log: Path) -> None:
        self.port, self.process, self.log = port, process, log

    def ask(self, body: bytes, kind: str = "application/json", accept: str = "application/json"):
        return self.send("POST", "/invocations", body, {"Content-Type": kind, "Accept": accept})

    def send(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None):
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Content-Type", "")

    def predictions(self, rows: list) -> list:
        status, body, _ = self.ask(json.dumps({"instances": rows}).encode())
        assert status == 200, body
        return json.loads(body)["predictions"]

    def ready(self) -> None:
        """Wait until it is well."""
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if self.send("GET", "/ping")[0] == 200:
                    return
            except OSError:
                pass
            self.process.poll() or _pause()
        pytest.fail(f"the server is not well:\n{self.log.read_text()[-4000:]}")


def _pause() -> None:
    """A server of another program has no other signal than its port."""
    time.sleep(0.05)


@contextmanager
def serving(toolkit: str, base: Path, environment: dict[str, str]):
    """That toolkit over *base*, which stands for /opt/ml; `model` is in it."""
    if toolkit == "inference":
        needs_java()
    python, port, log = interpreter(toolkit), free_port(), base / "log.txt"
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
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), *command], env=environ, cwd=base, stdout=output, stderr=output, start_new_session=True
        )
    try:
        server = Server(port, process, log)
        server.ready()
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
