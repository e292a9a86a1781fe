"""A folder with one job in it, and the driver run on it as a process. No test of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

from cloudml.runtime import read_record

FOREIGN = ("CLOUDML_", "SM_", "AIP_", "AZURE", "CLOUD_ML_", "CLUSTER_SPEC", "TRAINING_JOB", "PIP_")
PATIENCE_S = 120


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def eventually(claim, what):
    """Wait until *claim* gives something true, and give it."""
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        found = claim()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(what)


def alive(pid):
    """Does that process run? A zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform == "linux":
        try:
            return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, check=False)
    return listed.stdout.strip() != b"" and not listed.stdout.strip().startswith(b"Z")


class JobCase(unittest.TestCase):
    """Each test has a folder of its own, with the job's code in `src`."""

    def setUp(self):
        self.home = Path(os.path.realpath(tempfile.mkdtemp(prefix="cloudml-test-")))
        self.addCleanup(shutil.rmtree, str(self.home), ignore_errors=True)
        self.source = self.home / "src"
        self.source.mkdir()
        self.place = self.home / "_cloudml"

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def request(self, script=None, **changes):
        """A request; *script* is the text of train.py."""
        if script is not None:
            self.write("src/train.py", script)
        document = {
            "version": 1,
            "name": "flights-train-3fa9c1d2e4",
            "script": "train.py",
            "source": str(self.source),
            "record": str(self.place),
            "checkpoints": str(self.home / "checkpoints"),
        }
        document.update(changes)
        return document

    def command(self, request, *options):
        path = self.home / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        return [sys.executable, "-m", "cloudml.runtime.driver", "--request", str(path), *options]

    def drive(self, request, *options, environ=None):
        """Run the driver to its end; texts in the result."""
        done = subprocess.run(
            self.command(request, *options),
            env=dict(clean_environment(), **(environ or {})),
            cwd=str(self.home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
        self.seen = (done.stdout + done.stderr).decode("utf-8", "replace")
        return done

    def start(self, request, **how):
        """Start the driver and wait for the file `ready`, which the script makes."""
        how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **how}
        driver = subprocess.Popen(self.command(request), env=clean_environment(), cwd=str(self.home), **how)
        self.addCleanup(self._end, driver)
        eventually(lambda: (self.home / "ready").exists() or driver.poll() is not None, "the script did not start")
        return driver

    def wait(self, driver):
        return driver.wait(PATIENCE_S)

    def record(self):
        return read_record(self.place)

    def written_pid(self, name):
        """The process id that a script wrote into a file; killed at the end if it still runs."""
        pid = int(eventually(lambda: (self.home / name).exists() and (self.home / name).read_text(), name))
        self.addCleanup(_kill, pid)
        return pid

    @staticmethod
    def _end(driver):
        if driver.poll() is None:
            driver.terminate()
            try:
                driver.wait(5)
            except subprocess.TimeoutExpired:
                driver.kill()
                driver.wait()
        for pipe in (driver.stdout, driver.stderr):
            if pipe:
                pipe.close()


def _kill(pid):
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
