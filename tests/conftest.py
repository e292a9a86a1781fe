"""What concerns the whole test run."""

import gc
import os

from hypothesis import settings

LONGEST = (
    "test_every_python",
    "tests/examples",
    "test_kill_at_requests",
    "double/test_sdk",
    "test_images",
    "test_scan",
)

settings.register_profile("steady", deadline=None)  # how long an example takes depends on what else the machine does
settings.load_profile("steady")


def pytest_xdist_auto_num_workers(config):
    """More workers than cores: many tests wait for a process that they have started."""
    return 2 * max(1, os.cpu_count() or 1)


def pytest_collection_modifyitems(config, items):
    """The longest tests first at every worker, which takes its share of *items* from the front to the back."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONGEST))
    number = sum(any(name in item.nodeid for name in LONGEST) for item in items)
    longest, rest = items[:number], items[number:]
    items[:] = [
        item
        for worker in range(workers)
        for item in [
            *longest[worker::workers],
            *rest[len(rest) * worker // workers : len(rest) * (worker + 1) // workers],
        ]
    ]


def pytest_collection_finish():
    """What is loaded now stays: the collector of garbage need not go through a million objects again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_terminal_summary(terminalreporter):
    """Tell which Pythons the suite of the runtime ran under."""
    reports = terminalreporter.stats.get("passed", [])
    found = {value for report in reports for name, value in report.user_properties if name == "cpython"}
    if found:
        versions = sorted(found, key=lambda version: [int(part) for part in version.split(".")])
        terminalreporter.write_line(f"cloudml.runtime ran under CPython {', '.join(versions)}")
