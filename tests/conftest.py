"""What concerns the whole test run."""

import os

from hypothesis import settings

settings.register_profile("steady", deadline=None)  # how long an example takes depends on what else the machine does
settings.load_profile("steady")


def pytest_xdist_auto_num_workers(config):
    """More workers than cores: many tests wait for a process that they have started."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_modifyitems(items):
    """The longest tests first, so that nobody waits for them in the end."""
    items.sort(key=lambda item: "test_every_python" not in item.nodeid)


def pytest_terminal_summary(terminalreporter):
    """Tell which Pythons the suite of the runtime ran under."""
    reports = terminalreporter.stats.get("passed", [])
    found = {value for report in reports for name, value in report.user_properties if name == "cpython"}
    if found:
        versions = sorted(found, key=lambda version: [int(part) for part in version.split(".")])
        terminalreporter.write_line(f"cloudml.runtime ran under CPython {', '.join(versions)}")
