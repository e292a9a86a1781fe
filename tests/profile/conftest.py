"""A headless Chromium over the DevTools protocol, by the pipe: no port, no library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

AS_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
UNPACKED = Path(__file__).parents[2] / ".browser"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-zygote",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
DEADLINE_S = 60


def executable():
    """A Chromium on PATH, else the one that `make browser` unpacked; None when there is neither."""
    names = ("chromium", "chromium-browser", "google-chrome")
    unpacked = UNPACKED / "chromium"
    return next(filter(None, map(shutil.which, names)), None) or (str(unpacked) if unpacked.exists() else None)


def environment(folder):
    """Where the unpacked browser finds its libraries, and fonts on a machine that has none."""
    unpacked = str(UNPACKED) in executable()
    libraries = {"LD_LIBRARY_PATH": f"{UNPACKED / 'lib'}:{UNPACKED}"} if unpacked else {}
    fonts = {"FONTCONFIG_FILE": str(UNPACKED / "fonts.conf")} if unpacked and not Path("/etc/fonts").exists() else {}
    return os.environ | {"HOME": str(folder)} | libraries | fonts


@contextmanager
def browser(folder):
    """A browser whose files all lie in *folder*; ended with the block."""
    (to_read, to_write), (from_read, from_write) = os.pipe(), os.pipe()
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-ISc",
                AS_3_AND_4,
                str(to_read),
                str(from_write),
                executable(),
                *FLAGS,
                f"--user-data-dir={folder / 'user'}",
                "about:blank",
            ],
            pass_fds=(to_read, from_write),
            stdout=log,
            stderr=log,
            env=environment(folder),
        )
    os.close(to_read)
    os.close(from_write)
    try:
        yield Pipe(to_write, from_read)
    finally:
        process.kill()
        process.wait()
        os.close(to_write)
        os.close(from_read)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A function that opens a page: url, width, colour scheme -> `Tab`."""
    if executable() is None:
        pytest.fail("no browser: run `make browser`, or install chromium")
    with browser(tmp_path_factory.mktemp("browser")) as pipe:
        yield partial(Tab, pipe)


class Pipe:
    """Commands out, answers and events in; messages end with a null byte."""

    def __init__(self, to, of):
        self._to, self._of, self._number, self._rest = to, of, 0, b""
        self.events = []

    def send(self, method, session=None, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._to, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        return self._until(lambda found: found.get("id") == self._number)["result"]

    def event(self, method):
        seen = [event for event in self.events if event["method"] == method]
        return seen[0] if seen else self._until(lambda found: found.get("method") == method)

    def _until(self, wanted):
        deadline = time.monotonic() + DEADLINE_S
        while True:
            message = self._next(deadline)
            if "method" in message:
                self.events.append(message)
            assert "error" not in message, message
            if wanted(message):
                return message

    def _next(self, deadline):
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._of], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            read = os.read(self._of, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        text, _, self._rest = self._rest.partition(b"\0")
        return json.loads(text)


class Tab:
    """One page, opened at a width and in a colour scheme."""

    def __init__(self, pipe, url, width=1200, scheme="light"):
        self._pipe = pipe
        target = pipe.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = pipe.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        pipe.events.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.send("Page.navigate", url=url)
        pipe.event("Page.loadEventFired")

    def send(self, method, **parameters):
        return self._pipe.send(method, self._session, **parameters)

    def value(self, expression):
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def png(self, clip):
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    @property
    def requests(self):
        return [
            event["params"]["request"]["url"]
            for event in self._pipe.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    @property
    def complaints(self):
        """What the page wrote to the console, and what the browser had to say of it."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event["params"] for event in self._pipe.events if event["method"] in kinds]
