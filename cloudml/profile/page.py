"""The report as one page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.profile import columns, svg
from cloudml.profile.chart import NOTHING, chart, numbers
from cloudml.profile.kinds import Kind
from cloudml.profile.metrics import METRICS
from cloudml.profile.report import Report, Result, State
from cloudml.profile.svg import escaped
from cloudml.status import REPORT_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.profile.checks import Pair
    from cloudml.profile.columns import Column

SHOWN = 24
"""Checks that hold and are listed at once; more of them are folded away."""

_MARKS: Mapping[State, str] = {
    State.OK: "M5 12.5l4.5 4.5L19 7.5",
    State.VIOLATED: "M12 6v8M12 17.6v.4",
    State.NO_DATA: "M7 12h10",
}
_TITLES: Mapping[State, str] = {State.OK: "No drift", State.VIOLATED: "Drift found", State.NO_DATA: "No data"}

_FEW = 5  # remarks that are shown at once

Key = tuple[str, str]
"""Side, features or predictions, and column."""


def page(report: Report, pairs: Mapping[str, Pair]) -> str:
    """The whole page.

    *pairs* are the profiles that the report is about: features, predictions.
    """
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    title = f"{report.monitor or 'monitor'}: {_TITLES[report.state].lower()}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{REPORT_MARK}'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escaped(title)}</title><style>{style}</style></head>"
        f'<body class="{report.state}"><main>{_verdict(report)}{_checks(report)}{_remarks(report)}'
        f"{_columns(report, pairs)}</main></body></html>\n"
    )


def sentence(report: Report) -> str:
    """The verdict in words."""
    violated, total = sum(result.violated for result in report.checks), len(report.checks)
    if report.state is State.NO_DATA:
        return "No rows were captured." if not report.rows else "No check could be made on the captured rows."
    if report.state is State.OK:
        return f"All {total} checks hold." if total > 1 else "The check holds."
    return f"{violated} of {total} checks {'is' if violated == 1 else 'are'} violated."


def _verdict(report: Report) -> str:
    return (
        f'<header><p class="monitor">Monitor <bdi>{escaped(report.monitor or "without a name")}</bdi></p>'
        f'<h1>{_mark(report.state)}<span id="verdict">{_TITLES[report.state]}</span></h1>'
        f'<p class="sentence">{sentence(report)}</p>'
        f"<dl><div><dt>Current rows</dt><dd>{report.rows:,}</dd></div>"
        f"<div><dt>Baseline rows</dt><dd>{report.baseline_rows:,}</dd></div>"
        f"<div><dt>Checks</dt><dd>{len(report.checks):,}</dd></div></dl></header>"
    )


def _mark(state: State) -> str:
    drawn = f'<circle cx="12" cy="12" r="11"/><path d="{_MARKS[state]}"/>'
    return f'<svg class="mark" viewBox="0 0 24 24" aria-hidden="true">{drawn}</svg>'


def _checks(report: Report) -> str:
    if not report.checks:
        return ""
    ranked = sorted(report.checks, key=lambda result: (not result.violated, -_severity(result)))
    shown = max(SHOWN, sum(result.violated for result in ranked))
    rest = ranked[shown:]
    folded = f"<details><summary>{len(rest)} more checks hold</summary>{_table(rest)}</details>" if rest else ""
    return f'<section aria-labelledby="checks"><h2 id="checks">Checks</h2>{_table(ranked[:shown])}{folded}</section>'


def _severity(result: Result) -> float:
    if result.value is None:
        return float("inf") if result.violated else 0.0
    return result.value / result.max if result.max else float("inf") if result.value else 0.0


def _table(results: list[Result]) -> str:
    heads = "".join(f'<th scope="col"{kind}>{name}</th>' for name, kind in _HEADS)
    body = "".join(_result(result) for result in results)
    return (
        '<div class="scroll" role="region" aria-label="Checks" tabindex="0"><table class="checks">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_HEADS = (
    ("Verdict", ""),
    ("Column", ""),
    ("Metric", ""),
    ("Value", ' class="number"'),
    ("Limit", ' class="number"'),
    ("Value against limit", ' class="wide"'),
)


def _result(result: Result) -> str:
    side = ' <span class="side">prediction</span>' if result.on == "predictions" else ""
    return (
        f'<tr class="{_word(result)[0]}"><td>{_badge(result)}</td>'
        f'<th scope="row"><bdi>{escaped(result.column)}</bdi>{side}</th>'
        f'<td><abbr title="{escaped(METRICS[result.metric].about)}">{result.metric}</abbr></td>'
        f'<td class="number">{_number(result.value)}</td><td class="number">{_number(result.max)}</td>'
        f'<td class="wide">{svg.gauge(result.value, result.max)}</td></tr>'
    )


def _word(result: Result) -> tuple[str, str]:
    if result.violated:
        return "violated", "violated"
    return ("none", "no value") if result.value is None else ("ok", "holds")


def _badge(result: Result) -> str:
    kind, word = _word(result)
    return f'<span class="badge {kind}">{word}</span>'


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.4g}"


def _remarks(report: Report) -> str:
    """What was not compared or not read; nothing when there is nothing to say."""
    groups = (
        ("Columns of the baseline that the current data lack", report.absent),
        ("Columns that the baseline lacks", report.extra),
        ("Checks without a value", tuple(f"{note.metric} {note.column}: {note.reason}" for note in report.notes)),
        ("What could not be read", report.problems),
    )
    items = "".join(_remark(title, lines) for title, lines in groups if lines)
    return f'<section aria-labelledby="remarks"><h2 id="remarks">Remarks</h2>{items}</section>' if items else ""


def _remark(title: str, lines: tuple[str, ...]) -> str:
    body = "".join(f"<li><bdi>{escaped(line)}</bdi></li>" for line in lines)
    state = " open" if len(lines) <= _FEW else ""
    return f'<details class="remark"{state}><summary>{title} ({len(lines)})</summary><ul>{body}</ul></details>'


def _columns(report: Report, pairs: Mapping[str, Pair]) -> str:
    """A card for each column; those with a violated check first and open."""
    results: dict[Key, list[Result]] = {}
    for result in report.checks:
        results.setdefault((result.on, result.column), []).append(result)
    keys = [
        (side, name)
        for side, pair in pairs.items()
        for name in dict.fromkeys([*pair.baseline.columns, *pair.current.columns])
    ]
    worst = {key: any(result.violated for result in results.get(key, ())) for key in keys}
    ranked = sorted(keys, key=lambda key: not worst[key])
    cards = "".join(
        _card(key, pairs[key[0]], results.get(key, []), number, is_open=worst[key] or len(keys) == 1)
        for number, key in enumerate(ranked)
    )
    return (
        f'<section aria-labelledby="columns"><h2 id="columns">Columns</h2>{_LEGEND}{cards}</section>' if cards else ""
    )


def _swatch(side: str) -> str:
    square = f'<rect class="{side}" x="1" y="1" width="12" height="12"/>'
    return f'<span><svg viewBox="0 0 14 14" aria-hidden="true">{square}</svg>{side}</span>'


_LEGEND = (
    f'<p class="legend">{_swatch("baseline")}{_swatch("current")}'
    "<span>shares of all rows; the outer bins of an axis hold what lies beyond</span></p>"
)


def _card(key: Key, pair: Pair, results: list[Result], number: int, *, is_open: bool) -> str:
    side, name = key
    baseline = pair.baseline.columns.get(name) or columns.empty(pair.baseline.rows)
    current = pair.current.columns.get(name) or columns.empty(pair.current.rows)
    violated = " violated" if any(result.violated for result in results) else ""
    drawn = svg.svg(chart(baseline, current), name, number)
    return (
        f'<details class="card{violated}"{" open" if is_open else ""}><summary><span class="column">'
        f'<bdi>{escaped(name)}</bdi> <span class="kind">{_about(side, baseline, current)}</span></span>'
        f'<span class="chips">{"".join(map(_chip, results))}</span></summary><div class="body">'
        f"<figure>{drawn}</figure>{_numbers(baseline, current)}</div></details>"
    )


def _about(side: str, baseline: Column, current: Column) -> str:
    kind = current.kind if baseline.kind is Kind.EMPTY else baseline.kind
    return f"prediction, {kind}" if side == "predictions" else str(kind)


def _chip(result: Result) -> str:
    return f'<span class="chip {_word(result)[0]}">{result.metric} {_number(result.value)}</span>'


def _numbers(baseline: Column, current: Column) -> str:
    body = "".join(
        f'<tr><th scope="row">{name}</th><td>{escaped(left)}</td><td>{escaped(right)}</td></tr>'
        for name, left, right in numbers(baseline, current)
    )
    head = '<tr><td></td><th scope="col">baseline</th><th scope="col">current</th></tr>'
    return f'<table class="numbers"><thead>{head}</thead><tbody>{body}</tbody></table>'
