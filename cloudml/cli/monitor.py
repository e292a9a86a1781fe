"""cloudml monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cloudml.cli.options import Call, common, names

if TYPE_CHECKING:
    from cloudml.status import MonitorReport

NAME = click.argument("name", shell_complete=names("monitors"))
CHECK_SAID_NO = 3


@click.group(epilog="Example: cloudml monitor run delay-drift")
def command() -> None:
    """Create, run, list, report and delete monitors."""


@command.command(epilog="Example: cloudml monitor create delay-drift")
@NAME
@common
def create(call: Call, name: str) -> None:
    """Bring a monitor and what it needs into being."""
    with call.out.progress() as listener:
        status = call.client.monitors.create(name, listener)
    call.out.show(status)


@command.command(epilog="Example: cloudml monitor run delay-drift --since 2h")
@NAME
@click.option("--since", metavar="TIME", help="Only what came later: 2h ago, or an ISO 8601 time.")
@click.option("--until", metavar="TIME", help="Only what came earlier.")
@common
def run(call: Call, name: str, since: str | None, until: str | None) -> int:
    """Compare now. Exit code 3 when something is violated; 0 when all is well, and when there is no data."""
    from cloudml.cli.times import moment

    report = call.client.monitors.run(name, since=moment(since), until=moment(until))
    _show(call, report)
    return CHECK_SAID_NO if report.state == "violated" else 0


@command.command("list", epilog="Example: cloudml monitor list")
@common
def list_(call: Call) -> None:
    """All monitors at the target."""
    found = call.client.monitors.list()
    if call.out.json:
        call.out.data(found)
        return
    rows = [
        (
            one.resource[9:],
            str(one.state),
            one.schedule or "when asked",
            str(one.verdict or ""),
            one.ran.isoformat(timespec="seconds") if one.ran else "never",
        )
        for one in found
    ]
    call.out.table(("monitor", "state", "schedule", "verdict", "ran"), rows, "no monitors there")


@command.command(epilog="Example: cloudml monitor report delay-drift --html report.html")
@NAME
@click.option("--html", metavar="FILE", help="Write the page there.")
@common
def report(call: Call, name: str, html: str | None) -> None:
    """What the last run found."""
    from pathlib import Path

    found = call.client.monitors.report(name)
    if html:
        page = Path(found.html).read_text("utf-8") if not found.html.lstrip().startswith("<") else found.html
        Path(html).write_text(page, "utf-8")
        call.out.say(f"written to {html}")
    _show(call, found)


def as_json(found: MonitorReport) -> dict[str, Any]:
    """As `monitor run --json` prints it."""
    return {
        "monitor": found.monitor,
        "state": str(found.state),
        "rows": found.rows,
        "baseline_rows": found.baseline_rows,
        "checks": [
            {"column": one.column, "metric": one.metric, "value": one.value, "max": one.max, "violated": one.violated}
            for one in found.checks
        ],
    }


def _show(call: Call, found: MonitorReport) -> None:
    if call.out.json:
        call.out.data(as_json(found))
        return
    words = {"ok": "all is well", "violated": "VIOLATED", "no_data": "no data: nothing was captured"}
    call.out.line(f"{found.monitor}: {words[found.state]} ({found.rows:,} rows against {found.baseline_rows:,})")
    checks = sorted(found.checks, key=lambda one: (not one.violated, -(one.value or 0)))
    rows = [
        (
            "✗" if one.violated else "✓",
            one.column,
            one.metric,
            "-" if one.value is None else f"{one.value:.4g}",
            f"{one.max:g}",
        )
        for one in checks
    ]
    if rows:
        call.out.table(("", "column", "metric", "value", "max"), rows, "")


@command.command(epilog="Example: cloudml monitor delete delay-drift")
@NAME
@common
def delete(call: Call, name: str) -> None:
    """Remove a monitor and its reports; no error if it is gone."""
    call.removed(call.client.monitors, name)
