"""The problems of a request, in the words of AWS's ValidationException."""

from __future__ import annotations

import re

_OURS = re.compile(r"`(?P<path>[^`]*)` is (?P<rest>missing|unknown|(?P<value>.*), and must (?P<reason>.*))", re.DOTALL)
REASONS = (
    (r"match the pattern (.*)", "Member must satisfy regular expression pattern: {}"),
    (r"be one of \d+ values(?:: (.*)|.*)", "Member must satisfy enum value set: [{}]"),
    (r"have a length of at least (\d+)", "Member must have length greater than or equal to {}"),
    (r"have a length of at most (\d+)", "Member must have length less than or equal to {}"),
    (r"be at least (.*)", "Member must have value greater than or equal to {}"),
    (r"be at most (.*)", "Member must have value less than or equal to {}"),
    (r"be (.*)", "Member must be {}"),
)
"""Our reason -> AWS's constraint."""


def refusal(problems: list[str]) -> str:
    """One sentence for all of them."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return f"{count}: {'; '.join(_sentence(problem) for problem in problems)}"


def _sentence(problem: str) -> str:
    found = _OURS.fullmatch(problem.partition("; is `")[0])
    if found is None:
        return problem
    path = ".".join(_member(part) for part in re.sub(r"\[(\d+)\]", _index, found["path"]).split("."))
    if found["rest"] == "missing":
        return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
    if found["rest"] == "unknown":
        return f"Unknown member '{path}'"
    return f"Value {found['value']} at '{path}' failed to satisfy constraint: {_constraint(found['reason'])}"


def _constraint(reason: str) -> str:
    for pattern, words in REASONS:
        if found := re.fullmatch(pattern, reason, re.DOTALL):
            return words.format((found[1] if found.re.groups else "") or "")
    return reason


def _member(name: str) -> str:
    return name[:1].lower() + name[1:]


def _index(found: re.Match[str]) -> str:
    return f".{int(found[1]) + 1}.member"
