"""How what a call gives looks in a notebook: plain tables, everything escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from cloudml.encoding import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudml.status import MonitorReport, Status

CELL = "text-align:left;padding:.15em .8em .15em 0;vertical-align:top"


def status_html(status: Status) -> str:
    """A table of what is known of one object."""
    said = {key: value for key, value in as_json(status).items() if value not in ("", None, {}, [])}
    kind = type(status).__name__.removesuffix("Status")
    rows = (
        f"<tr><th style='{CELL}'>{escape(key)}</th><td style='{CELL}'>{_text(value)}</td></tr>"
        for key, value in said.items()
    )
    return f"<table><caption>{kind} <b>{escape(status.resource)}</b></caption>{''.join(rows)}</table>"


def table(title: str, head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table with a title."""
    lines = "".join(_row(map(str, row)) for row in rows)
    return f"<table><caption>{escape(title)}</caption>{_row(head, 'th')}{lines}</table>"


def report_html(report: MonitorReport) -> str:
    """The verdict of a monitor run, and its comparisons, those that are violated first."""
    checks = sorted(report.checks, key=lambda one: not one.violated)
    rows = "".join(
        _row(
            (
                one.column,
                one.metric,
                "" if one.value is None else f"{one.value:.4g}",
                f"{one.max:g}",
                "✗" if one.violated else "✓",
            )
        )
        for one in checks
    )
    head = _row(("column", "metric", "value", "max", ""), "th")
    title = f"{escape(report.monitor)}: <b>{escape(str(report.state))}</b>, {report.rows} rows"
    return f"<table><caption>{title} against {report.baseline_rows}</caption>{head}{rows}</table>"


def _row(cells: Iterable[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag} style='{CELL}'>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{escape(str(key))}: {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "<br>".join(_text(inner) for inner in value)
    return escape(str(value))
