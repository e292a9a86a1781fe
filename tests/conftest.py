"""What concerns the whole test run."""


def pytest_terminal_summary(terminalreporter):
    """Tell which Pythons the suite of the runtime ran under."""
    reports = terminalreporter.stats.get("passed", [])
    found = {value for report in reports for name, value in report.user_properties if name == "cpython"}
    if found:
        versions = sorted(found, key=lambda version: [int(part) for part in version.split(".")])
        terminalreporter.write_line(f"cloudml.runtime ran under CPython {', '.join(versions)}")
