import re
import struct
import zlib
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from cloudml.profile import Check, Pair, Profile, evaluate, page, table
from cloudml.profile.chart import chart

HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'&amp;\u202e"


def profile(like=None, **values):
    return table.of_batches([pa.record_batch(values)], like)


def drifted():
    """A report with every kind of column, some violated, and its profiles."""
    random = np.random.default_rng(0)

    def rows(number, shift):
        return {
            "delay": random.gamma(2, 10, number) + 15 * shift,
            "distance": random.lognormal(6, 0.5, number),
            "carrier": random.choice(["UA", "AA", "ZZ"] if shift else ["UA", "AA", "DL"], number).tolist(),
            "weekend": random.random(number) < 0.3,
            "departs": pa.array(1_700_000_000 + random.integers(0, 10**6, number), pa.timestamp("s")),
            "pressure": pa.array(random.normal(1_000, 5, number), mask=random.random(number) < 0.1 + 0.3 * shift),
            "stops": random.integers(0, 3, number),
            "empty": pa.nulls(number),
            "tags": [["x"]] * number,
            HOSTILE: random.integers(0, 50, number),
        }

    baseline = profile(**rows(2_000, 0), label=[0] * 2_000)
    current = profile(baseline, **rows(500, 1))
    answers = Pair(profile(prediction=random.random(2_000)), profile(prediction=random.random(500)))
    checks = [
        Check(metric="psi", max=0.2),
        Check(metric="missing", max=0.2),
        Check(metric="ks", max=0.5, on="predictions"),
    ]
    report = evaluate(baseline, current, checks, predictions=answers, monitor=f"drift {HOSTILE}")
    return report, {"features": Pair(baseline, current), "predictions": answers}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(*drifted()), encoding="utf-8")
    return path.as_uri()


def pixels(png):
    """A PNG as an array of height, width, channels; 8 bits a channel, as browsers write it."""
    width, height, _, colour = struct.unpack(">IIBB", png[16:26])
    channels = {2: 3, 6: 4}[colour]
    parts, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            parts.append(png[at + 8 : at + 8 + length])
        at += 12 + length
    raw = np.frombuffer(zlib.decompress(b"".join(parts)), np.uint8).reshape(height, 1 + width * channels)
    lines = [np.zeros(width * channels, np.uint8)]
    for line in raw:
        lines.append(unfiltered(int(line[0]), line[1:], lines[-1], channels))
    return np.stack(lines[1:]).reshape(height, width, channels)[:, :, :3]


def unfiltered(kind, line, above, step):
    out = np.zeros(len(line) + step, np.int64)
    up = np.concatenate((np.zeros(step, np.int64), above))
    for n in range(step, len(out)):
        left, top, corner = out[n - step], up[n], up[n - step]
        nearest = min(
            (abs(top - corner), 0, left), (abs(left - corner), 1, top), (abs(left + top - 2 * corner), 2, corner)
        )[2]
        out[n] = (line[n - step] + (0, left, top, (left + top) // 2, nearest)[kind]) % 256
    return out[step:].astype(np.uint8)


BAR = """(() => {
  const bar = [...document.querySelectorAll('.card[open] rect.%s:not(.missing)')]
    .sort((a, b) => b.getBBox().height * b.getBBox().width - a.getBBox().height * a.getBBox().width)[0];
  const box = bar.getBoundingClientRect();
  return {x: box.x + scrollX + box.width / 2, y: box.y + scrollY + box.height / 2, fill: getComputedStyle(bar).fill};
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("side", ["baseline", "current"])
def test_bars_are_really_drawn_in_their_colour(chromium, url, scheme, side):
    tab = chromium(url, scheme=scheme)
    bar = tab.value(BAR % side)
    clip = {"x": bar["x"] - 1, "y": bar["y"] - 2, "width": 2, "height": 4, "scale": 1}
    found = pixels(tab.png(clip)).reshape(-1, 3)
    expected = [int(part) for part in bar["fill"].removeprefix("rgb(").removesuffix(")").split(",")]
    assert np.abs(found.astype(int) - expected).max() <= 2
    assert expected not in ([0, 0, 0], [255, 255, 255])


def test_the_page_asks_for_nothing_and_complains_of_nothing(chromium, url):
    tab = chromium(url)
    assert tab.requests == [url]
    assert tab.complaints == []


def test_the_verdict_is_the_first_thing_one_sees(chromium, url):
    tab = chromium(url)
    box = tab.value(
        "(() => { const b = document.getElementById('verdict').getBoundingClientRect(); return [b.top, b.height]; })()"
    )
    assert tab.value("document.getElementById('verdict').innerText") == "Drift found"
    assert box[0] < 200
    assert box[1] > 20
    assert tab.value("document.querySelector('.sentence').innerText") == "4 of 20 checks are violated."


def test_hostile_names_are_text(chromium, url):
    tab = chromium(url)
    assert tab.value("document.querySelectorAll('script, img').length") == 0
    names = tab.value("[...document.querySelectorAll('.column bdi')].map(name => name.textContent)")
    assert HOSTILE in names
    assert HOSTILE in tab.value("document.querySelector('.monitor bdi').textContent")


def test_violated_checks_stand_first_and_their_columns_are_open(chromium, url):
    tab = chromium(url)
    verdicts = tab.value("[...document.querySelectorAll('.checks .badge')].map(badge => badge.className.split(' ')[1])")
    assert verdicts.count("violated") == 4
    assert all(not (after == "violated" and before != "violated") for before, after in pairwise(verdicts))
    opened = tab.value("[...document.querySelectorAll('.card[open] .column bdi')].map(name => name.textContent)")
    assert sorted(opened) == ["carrier", "delay", "empty", "pressure"]
    assert tab.value("document.querySelectorAll('.card').length") == 12


CONTRAST = """(() => {
  const parse = colour => { const p = colour.match(/[\\d.]+/g).map(Number); return p.length < 4 ? [...p, 1] : p; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour[3]) return colour;
    }
    return [255, 255, 255, 1];
  };
  document.querySelectorAll('details').forEach(part => part.open = true);
  const found = [];
  for (const node of document.querySelectorAll('main *')) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    if (['title', 'desc'].includes(node.tagName)) continue;
    const style = getComputedStyle(node), ink = parse(node.ownerSVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(node))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), node.className.baseVal ?? node.className, node.textContent.slice(0, 20)]);
  }
  return found.sort((x, y) => x[0] - y[0]);
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(chromium, url, scheme):
    found = chromium(url, scheme=scheme).value(CONTRAST)
    assert len(found) > 200
    assert found[0][0] >= 4.5, found[0]


def test_every_drawing_has_a_title_and_a_description_of_its_own(chromium, url):
    tab = chromium(url)
    drawings = tab.value(
        "[...document.querySelectorAll('figure svg')].map(s => s.getAttribute('aria-labelledby').split(' '))"
    )
    ids = [name for pair in drawings for name in pair]
    assert len(drawings) == 10
    assert len(set(ids)) == len(ids)
    texts = tab.value(f"{ids}.map(id => document.getElementById(id).textContent)")
    assert all(texts)
    assert any("UA: 3" in text for text in texts)


def test_the_page_fits_a_phone(chromium, url):
    tab = chromium(url, width=390)
    assert tab.value("document.documentElement.scrollWidth <= innerWidth")
    assert (
        tab.value(
            "Math.min(...[...document.querySelectorAll('.card[open] svg')].map(s => s.getBoundingClientRect().width))"
        )
        > 280
    )


def test_folded_columns_are_printed(chromium, url):
    tab = chromium(url)
    folded = "document.querySelector('.card:not([open])').getBoundingClientRect().height"
    assert tab.value(folded) < 80
    tab.send("Emulation.setEmulatedMedia", media="print")
    assert tab.value(folded) > 200


def test_two_hundred_columns_stay_usable(chromium, tmp_path):
    random = np.random.default_rng(1)
    values = {f"column {n}": random.normal(size=300) for n in range(200)}
    baseline = profile(**values)
    moved = {name: column + (3 if name.endswith("7") else 0) for name, column in values.items()}
    report = evaluate(baseline, profile(baseline, **moved), [Check(metric="psi", max=0.2), Check(metric="ks", max=0.9)])
    text = page(report, {"features": Pair(baseline, profile(baseline, **moved))})
    (tmp_path / "wide.html").write_text(text, encoding="utf-8")
    tab = chromium((tmp_path / "wide.html").as_uri())
    assert len(text) < 3_000_000
    assert tab.value("document.querySelectorAll('.card').length") == 200
    assert tab.value("document.querySelectorAll('.card[open]').length") == 20
    assert tab.value("document.documentElement.scrollHeight") < 20 * 500 + 180 * 60 + 4_000
    assert "more checks hold" in tab.value("document.body.innerText")


def test_no_data_and_ok_are_said_in_words():
    baseline = profile(x=[1.0, 2.0])
    pairs = {"features": Pair(baseline, baseline)}
    ok = page(evaluate(baseline, baseline, [Check(metric="psi", max=0.2)]), pairs)
    none = page(evaluate(baseline, Profile(), [Check(metric="psi", max=0.2)]), {"features": Pair(baseline, Profile())})
    assert "No drift" in ok
    assert "The check holds." in ok
    assert "No data" in none
    assert "No rows were captured." in none


AWKWARD = {
    "huge": ([-1.7e308, 1.7e308], [0.0, 1e308]),
    "many huge": (list(np.linspace(-0.85e308, 0.85e308, 50) * 2), [0.0]),
    "constant": ([5.0] * 10, [5.0]),
    "infinite": ([float("inf")] * 3, [float("-inf")]),
    "empty": ([None, None], [1.0]),
    "tiny": (list(np.linspace(0, 1e-300, 40)), [1e-305]),
    "words and none": (["a", "b"], [None]),
    "blank word": ([""], [" "]),
    "lists": ([[1]], [[2]]),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_columns_are_drawn_without_a_number_that_is_none(name):
    left, right = AWKWARD[name]
    baseline = profile(x=left)
    current = profile(baseline, x=right)
    report = evaluate(baseline, current, [Check(metric="psi", max=0.2), Check(metric="missing", max=0.2)])
    text = page(report, {"features": Pair(baseline, current)})
    assert re.search(r"\b(nan|inf)\b", text) is None
    drawn = chart(baseline.columns["x"], current.columns["x"])
    assert sum(bar.baseline for bar in drawn.bars) <= 1 + 1e-9
