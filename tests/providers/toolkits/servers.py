"""Starting a vendor's server as a process, and talking to it."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import environments
import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

START_S = 60


def interpreter(name: str) -> Path:
    """The Python of a toolkit's environment."""
    path = environments.python(name)
    if not path.exists():
        pytest.fail("the vendors' toolkits are not installed: run `make toolkits`")
    return path


def free_port() -> int:
    """A free port below those that the system hands out, which multi-model-server refuses."""
    for port in random.sample(range(20_000, 32_000), 100):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


class Routes(NamedTuple):
    """Where a server is asked."""

    health: str
    predict: str


class Server:
    """A server of somebody's that serves a folder."""

    def __init__(self, port: int, routes: Routes, process: subprocess.Popen, log: Path) -> None:
        self.port, self.routes, self.process, self.log = port, routes, process, log

    def ask(self, body: bytes, kind: str = "application/json", accept: str = "application/json"):
        return self.send("POST", self.routes.predict, body, {"Content-Type": kind, "Accept": accept})

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
                if self.send("GET", self.routes.health)[0] == 200:
                    return
            except OSError:
                pass
            self.process.poll() or _pause()
        pytest.fail(f"the server is not well:\n{self.log.read_text()[-4000:]}")


def _pause() -> None:
    """A server of another program has no other signal than its port."""
    time.sleep(0.05)


@contextmanager
def running(command: Sequence[object], environment: Mapping[str, str], port: int, routes: Routes, folder: Path):
    """The server that *command* starts in *folder*, once it is well."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command], env={**environment}, cwd=folder, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        server = Server(port, routes, process, log)
        server.ready()
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
