"""The names in a project file, read without a YAML library: completion is asked at every press of the tab key."""

from __future__ import annotations

import re

KEY = re.compile(r"""( *)(?:"([^"]+)"|'([^']+)'|([\w.-]+)) *:(?: |$)""")
FLOW_KEY = re.compile(r"""[{,] *["']?([\w.-]+)["']? *:""")


def keys(text: str, section: str) -> tuple[str, ...]:
    """The keys directly under *section*, written below it or as ``section: {a: …, b: …}`` on its line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    starts = [number for number, line in enumerate(lines) if re.match(rf"{section} *:", line)]
    if not starts:
        return ()
    start = starts[0]
    beside = lines[start].partition(":")[2].partition(" #")[0].strip()
    return _beside(beside) if beside else _below(lines[start + 1 :])


def _below(lines: list[str]) -> tuple[str, ...]:
    found: list[tuple[int, str]] = []
    for line in lines:
        if not line.startswith(" "):
            break
        if match := KEY.match(line):
            found.append((len(match[1]), match[2] or match[3] or match[4]))
    return tuple(name for indent, name in found if indent == found[0][0])


def _beside(flow: str) -> tuple[str, ...]:
    """The keys of ``{a: {x: 1}, b: {}}`` that are not inside another."""
    inner = flow[1:]
    while inner != (inner := re.sub(r"\{[^{}]*\}|\[[^][]*\]", "", inner)):
        pass
    return tuple(FLOW_KEY.findall("{" + inner))
