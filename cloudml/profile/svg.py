"""Charts as inline SVG with a title and a description each; `report.css` gives them their colours."""

from __future__ import annotations

import html
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudml.profile.chart import Bar, Chart

WIDTH = 440
_LEFT, _TOP, _PLOT, _FOOT = 38, 10, 168, 30
_GAP = 14  # between the axis and the bars for missing values
_MISSING = 46
_ROW = 32
_LABEL = 118
_LONGEST = 19  # characters of a label
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_LINES = 4
_TINY = 0.0005  # would be rounded to nothing
_LEAST = 1.5  # height of the smallest share that is not nothing: seen, if not to scale


def escaped(text: str) -> str:
    """Text for HTML, quotes too; characters that are not to be seen are shown as a replacement sign."""
    visible = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in {"Cc", "Cs"} else sign for sign in text
    )
    return html.escape(visible)


def svg(drawing: Chart, column: str, number: int) -> str:
    """The drawing of a column; *number* makes its ids unique on the page."""
    if not drawing.bars:
        return '<p class="nothing">No values to draw.</p>'
    body, height = _axis(drawing) if drawing.ordered else _list([*drawing.bars, drawing.missing])
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t{number} d{number}">'
        f'<title id="t{number}">{escaped(column)}: baseline and current</title>'
        f'<desc id="d{number}">{escaped(_described(drawing))}</desc>{body}</svg>'
    )


def gauge(value: float | None, limit: float) -> str:
    """How far a value goes towards its limit, which is the mark in the middle; decoration beside the numbers."""
    if value is None:
        return ""
    reach = min(value / limit, 2.0) / 2 if limit else (1.0 if value else 0.0)
    over = " over" if value > limit else ""
    return (
        '<svg class="gauge" viewBox="0 0 100 12" aria-hidden="true">'
        '<rect class="track" x="0" y="3.5" width="100" height="5" rx="2.5"/>'
        f'<rect class="reach{over}" x="0" y="3.5" width="{max(reach * 100, 1):.1f}" height="5" rx="2.5"/>'
        '<path class="limit" d="M50 0v12"/></svg>'
    )


def _described(drawing: Chart) -> str:
    bars = [*drawing.bars, drawing.missing]
    return "Shares of rows, baseline and current. " + "; ".join(
        f"{bar.name}: {percent(bar.baseline)} and {percent(bar.current)}" for bar in bars
    )


def percent(share: float) -> str:
    if share < _TINY:
        return "under 0.1 %" if share > 0 else "0 %"
    return f"{share:.1%}".replace("%", " %")


def _axis(drawing: Chart) -> tuple[str, int]:
    """Upright bars over an axis of values, with the missing ones apart at the right."""
    shares = [share for bar in (*drawing.bars, drawing.missing) for share in (bar.baseline, bar.current)]
    step = _step(max(shares))
    top = step * max(1, -(-max(shares) // step))
    width = (WIDTH - _LEFT - _GAP - _MISSING) / len(drawing.bars)
    bars = [_upright(bar, _LEFT + width * n, width, top) for n, bar in enumerate(drawing.bars)]
    right = WIDTH - _MISSING
    missing = _upright(drawing.missing, right + 6, _MISSING - 14, top, "missing")
    lines = [_grid(step * n, top) for n in range(round(top / step) + 1)]
    return "".join(
        (*lines, *bars, missing, _ticks(drawing.bars, width), _missing_note(drawing.missing, right))
    ), _TOP + _PLOT + _FOOT


def _step(largest: float) -> float:
    """The distance of grid lines, so that there are at most four."""
    return next((step for step in _STEPS if largest / step <= _LINES), _STEPS[-1])


def _grid(share: float, top: float) -> str:
    y = _TOP + _PLOT * (1 - share / top)
    label = f"{share:.0%}".replace("%", " %")
    right = WIDTH - _MISSING - _GAP
    return (
        f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}M{right + _GAP}  {y:.1f}H{WIDTH}"/>'
        f'<text class="tick" x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>'
    )


def _upright(bar: Bar, x: float, width: float, top: float, extra: str = "") -> str:
    half = (width - max(width * 0.14, 1)) / 2
    left = x + width / 2 - half
    sides = (("baseline", left, bar.baseline), ("current", left + half, bar.current))
    floor = _TOP + _PLOT
    drawn = [
        _rect(f"{side} {extra}", (at, floor - _tall(share, top)), (half, _tall(share, top)))
        for side, at, share in sides
    ]
    return f"{_titled(bar)}{''.join(drawn)}</g>"


def _rect(name: str, corner: tuple[float, float], size: tuple[float, float]) -> str:
    (x, y), (width, height) = corner, size
    return f'<rect class="{name.strip()}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def _tall(share: float, top: float) -> float:
    return max(share / top * _PLOT, _LEAST) if share > 0 else 0.0


def _titled(bar: Bar) -> str:
    return f"<g><title>{escaped(bar.name)}: baseline {percent(bar.baseline)}, current {percent(bar.current)}</title>"


def _ticks(bars: Sequence[Bar], width: float) -> str:
    """The ends of the axis and its middle."""
    y, middle = _TOP + _PLOT + 15, len(bars) // 2
    marks = (
        (_LEFT, bars[0].low, "start"),
        (_LEFT + width * middle, bars[middle].low, "middle"),
        (_LEFT + width * len(bars), bars[-1].high, "end"),
    )
    return "".join(
        f'<text class="tick" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escaped(label)}</text>'
        for x, label, anchor in marks
    )


def _missing_note(bar: Bar, x: float) -> str:
    y = _TOP + _PLOT + 15
    shares = f"{bar.baseline:.0%} / {bar.current:.0%}"
    centre = x + _MISSING / 2 - 1
    return (
        f'<text class="tick" x="{centre}" y="{y}" text-anchor="middle">missing</text>'
        f'<text class="tick" x="{centre}" y="{y + 12}" text-anchor="middle">{shares}</text>'
    )


def _list(bars: Sequence[Bar]) -> tuple[str, int]:
    """Lying bars, one pair per category, each with its share."""
    largest = max((share for bar in bars for share in (bar.baseline, bar.current)), default=0) or 1.0
    return "".join(_lying(bar, n * _ROW + 4, largest) for n, bar in enumerate(bars)), len(bars) * _ROW + 4


def _lying(bar: Bar, y: float, largest: float) -> str:
    label = bar.name if len(bar.name) <= _LONGEST else bar.name[: _LONGEST - 1] + "…"
    new = f'<text class="new" x="{_LABEL - 8}" y="{y + 24}" text-anchor="end">new</text>' if bar.new else ""
    name = (
        f'<text class="name" x="{_LABEL - 8}" y="{y + (11 if new else 16)}" text-anchor="end">{escaped(label)}</text>'
    )
    sides = (("baseline", y, bar.baseline), ("current", y + 12, bar.current))
    drawn = [_share(side, at, share, largest) for side, at, share in sides]
    return f"{_titled(bar)}{name}{new}{''.join(drawn)}</g>"


def _share(side: str, y: float, share: float, largest: float) -> str:
    """A bar and its share in words."""
    width = max(share / largest * (WIDTH - _LABEL - 52), _LEAST) if share > 0 else 0.0
    label = f'<text class="share" x="{_LABEL + width + 5:.1f}" y="{y + 9}">{percent(share)}</text>'
    return _rect(side, (_LABEL, y), (width, 11)) + label
