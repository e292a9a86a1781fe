"""The language of filters (AIP-160, and what Cloud Logging adds): a text becomes a question that a record answers.

Comparisons (``= != < <= > >= : =~ !~``), ``AND``, ``OR``, ``NOT`` or ``-``, parentheses; two terms side by side mean
AND. As AIP-160 and Cloud Logging both say, OR binds more tightly than AND.
"""

from __future__ import annotations

import re
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Look = Callable[[str], Any]
    """Gives the value of a field: text, number, truth, a list, or None when there is none."""
    Question = Callable[[Look], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[()])|(?P<word>AND|OR|NOT)(?=[\s(])|(?P<minus>-)(?=[\w(])"
    r'|(?P<field>(?:[\w\-]|"(?:[^"\\]|\\.)*"|\.)+?)\s*(?P<sign>!=|<=|>=|=~|!~|=|<|>|:)\s*'
    r'(?P<value>"(?:[^"\\]|\\.)*"|[^\s()]+))'
)
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


def question(text: str) -> Question:
    """The question that a filter asks.

    Raises:
        Refused: It cannot be read.
    """
    return _Reader(text).whole() if text.strip() else lambda _look: True


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._tokens: list[re.Match[str]] = []
        while text[self._at :].strip():
            token = _TOKEN.match(text, self._at)
            if token is None:
                raise self._unreadable()
            self._tokens.append(token)
            self._at = token.end()

    def _unreadable(self) -> Refused:
        return Refused("INVALID_ARGUMENT", f"Invalid filter: {self._text}", [("filter", "cannot be parsed")])

    def whole(self) -> Question:
        found = self._all()
        if self._tokens:
            raise self._unreadable()
        return found

    def _next(self) -> re.Match[str] | None:
        return self._tokens[0] if self._tokens else None

    def _all(self) -> Question:
        parts = [self._any()]
        while (token := self._next()) is not None and token["mark"] != ")":
            if token["word"] == "AND":
                self._tokens.pop(0)
            parts.append(self._any())
        return lambda look: all(part(look) for part in parts)

    def _any(self) -> Question:
        parts = [self._one()]
        while (token := self._next()) is not None and token["word"] == "OR":
            self._tokens.pop(0)
            parts.append(self._one())
        return lambda look: any(part(look) for part in parts)

    def _one(self) -> Question:
        if not self._tokens:
            raise self._unreadable()
        token = self._tokens.pop(0)
        if token["word"] == "NOT" or token["minus"]:
            inner = self._one()
            return lambda look: not inner(look)
        if token["mark"] == "(":
            inner = self._all()
            if not self._tokens or self._tokens.pop(0)["mark"] != ")":
                raise self._unreadable()
            return inner
        if not token["field"]:
            raise self._unreadable()
        return _comparison(token["field"].replace('"', ""), token["sign"], _plain(token["value"]))


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _comparison(field: str, sign: str, wanted: str) -> Question:
    def asked(look: Look) -> bool:
        value = look(field)
        if isinstance(value, (list, tuple)):
            return any(_holds(one, sign, wanted) for one in value)
        return _holds(value, sign, wanted)

    return asked


def _holds(value: Any, sign: str, wanted: str) -> bool:
    if value is None:
        return sign in {"!=", "!~"}
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if sign == ":":
        return wanted == "*" or wanted.lower() in text.lower() or fnmatchcase(text, wanted)
    if sign in {"=~", "!~"}:
        return (re.search(wanted, text) is not None) is (sign == "=~")
    if sign in {"=", "!="}:
        same = text == wanted or ("*" in wanted and fnmatchcase(text, wanted)) or _moment(text) == _moment(wanted)
        return same is (sign == "=")
    return _ordered(text, sign, wanted)


def _ordered(text: str, sign: str, wanted: str) -> bool:
    for reading in (_number, _moment):
        one, other = reading(text), reading(wanted)
        if one == one and other == other and not isinstance(one, str):  # noqa: PLR0124  what cannot be read is unequal
            return _ORDERS[sign](one, other)
    return _ORDERS[sign](text, wanted)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _moment(text: str) -> float:
    """Seconds of a timestamp; not a number when it is none."""
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()
    except ValueError:
        return float("nan")
