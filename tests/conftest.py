"""What concerns the whole test run."""

import gc
import itertools
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

# Tests that train at the same time would each take all processors, and spin while they wait for each other.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

LONGEST = (
    "tests/examples", "test_every_python", "test_moto", "test_kill_at_requests", "test_sdk", "test_images", "test_scan",
)  # fmt: skip
"""Parts of the names of the modules that take longest, those first that take most."""

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""So many bytes must be free in memory for the folders of the tests to be there."""


def holds_folders(place, room=ROOM):
    """Whether folders of tests may be at *place*: who runs them may write there, start programs, and has the room."""
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return False
    return not os.statvfs(place).f_flag & os.ST_NOEXEC and shutil.disk_usage(place).free >= room


# The tests make some hundred thousand small files and wait for each commit of SQLite: on a disk a tenth of all that is
# computed is the file system's.
MADE = ""
"""The folder that goes with this run: a process that a test kills leaves its own folders behind."""
if "TMPDIR" not in os.environ and holds_folders(MEMORY):
    MADE = tempfile.mkdtemp(prefix="cloudml-tests-", dir=MEMORY)
    os.environ["TMPDIR"] = MADE
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # what failed tests leave is there to be looked at

settings.register_profile("steady", deadline=None)  # how long an example takes depends on what else the machine does
settings.load_profile("steady")


def pytest_xdist_auto_num_workers(config):
    """More workers than cores, since many tests wait for a process that they have started; each collects all tests."""
    return (3 * max(1, os.cpu_count() or 1) + 1) // 2


def pytest_collection_modifyitems(config, items):
    """The longest modules first at every worker, which takes its share of *items* from the front to the back."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    shares = [[] for _ in range(workers)]
    long = sorted((item for item in items if place(item) < len(LONGEST)), key=place)
    for number, (_, group) in enumerate(itertools.groupby(long, key=together)):
        shares[number % workers] += group
    rest = [item for item in items if place(item) == len(LONGEST)]
    for number, share in enumerate(shares):
        share.extend(rest[len(rest) * number // workers : len(rest) * (number + 1) // workers])
    items[:] = itertools.chain.from_iterable(shares)


def place(item):
    """How soon a test shall run: where the name of its module stands in LONGEST."""
    return next((number for number, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))


def together(item):
    """What the tests have in common that share what their module sets up."""
    return item.path, getattr(item, "callspec", None) and str(item.callspec.params.get("cloud"))


def pytest_collection_finish():
    """What is loaded now stays: the collector of garbage need not go through a million objects again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure():
    """Remove what killed processes left; workers find the folder in their environment, and have made none."""
    if MADE:
        shutil.rmtree(MADE, ignore_errors=True)


def pytest_terminal_summary(terminalreporter):
    """Tell which Pythons the suite of the runtime ran under."""
    reports = terminalreporter.stats.get("passed", [])
    found = {value for report in reports for name, value in report.user_properties if name == "cpython"}
    if found:
        versions = sorted(found, key=lambda version: [int(part) for part in version.split(".")])
        terminalreporter.write_line(f"cloudml.runtime ran under CPython {', '.join(versions)}")
