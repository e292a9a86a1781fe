"""The project file as plain values, each with its line and the text it was written as."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from cloudml.errors import SpecError
from cloudml.records import dataclass
from cloudml.specs import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cloudml.specs.nodes import Node

Path = tuple[str | int, ...]
At = Literal["key", "value"]

LONGEST_INTEGER = 40
"""Digits; beyond, a number is a slip of the hand, and Python refuses it from 4300 on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake, before it has a line.

    Attributes:
        path: The keys and indices that lead to it.
        at: Whether the key or the value is at fault.
    """

    path: Path
    message: str
    hint: str = ""
    at: At = "value"

    @property
    def dotted(self) -> str:
        return ".".join(str(part) for part in self.path)


@dataclass(slots=True)
class Document:
    """A file that was read.

    Attributes:
        value: Its content: dict, list, str, int, float, bool, None.
        keys: The line of each key; of a list's member, the line where it begins.
        values: The line of each scalar value.
        texts: Each scalar as it was written, ``1.10`` for the number 1.1.
        problems: Mistakes that do not keep one from reading on.
    """

    file: str
    value: Any = None
    keys: dict[Path, int] = field(default_factory=dict)
    values: dict[Path, int] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    problems: list[SpecError] = field(default_factory=list)

    def error(self, problem: Problem) -> SpecError:
        """The problem with its line; where nothing was written, the line of what it is missing from."""
        where = f"{self.file}:{self._line(problem.path, problem.at)}"
        return SpecError(problem.message, hint=problem.hint, path=problem.dotted, where=where)

    def _line(self, path: Path, at: At) -> int:
        if at == "value" and path in self.values:
            return self.values[path]
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys.get(path, 1)


def parse(text: str, file: str) -> Document:
    """The document in *text*.

    Raises:
        SpecError: Not YAML, empty, or something else than a block of keys.
    """
    root = nodes.read(text, file)
    if root is None or (root.kind == "scalar" and root.plain and _scalar(root) is None):
        raise nodes.refusal(file, 1, "the file is empty", "it begins with `project: NAME`; `cloudml init` writes one")
    if root.kind != "block":
        found = "a list" if root.kind == "list" else "text"
        raise nodes.refusal(
            file, root.line, f"{found} stands where the keys of a project belong", "see `project: NAME`"
        )
    return _Reader(file).read(root)


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= LONGEST_INTEGER else text


def _special(text: str) -> float:
    return float(text.lower().replace(".", ""))


_CORE: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), _integer),
    (re.compile(r"0o[0-7]{1,40}"), lambda text: int(text, 0)),
    (re.compile(r"0x[0-9a-fA-F]{1,40}"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), _special),
)
"""The core schema of YAML 1.2, section 10.3: `yes`, `on` and dates are text."""


def _scalar(node: Node) -> Any:
    if not node.plain:
        return node.text
    return next((make(node.text) for pattern, make in _CORE if pattern.fullmatch(node.text)), node.text)


class _Reader:
    """Turns nodes into values; aliases count each time they are used."""

    def __init__(self, file: str) -> None:
        self._document = Document(file)
        self._left = nodes.MAX_NODES
        self._kinds: Mapping[str, Callable[[Node, Path], Any]] = {
            "scalar": self._text,
            "list": self._list,
            "block": self._block,
        }

    def read(self, root: Node) -> Document:
        self._document.value = self._value(root, ())
        return self._document

    def _value(self, node: Node, path: Path) -> Any:
        self._spend(node, len(path))
        return self._kinds[node.kind](node, path)

    def _text(self, node: Node, path: Path) -> Any:
        self._document.values[path] = node.line
        self._document.texts[path] = node.text
        return _scalar(node)

    def _list(self, node: Node, path: Path) -> list[Any]:
        for index, item in enumerate(node.items):
            self._document.keys[*path, index] = item.line
        return [self._value(item, (*path, index)) for index, item in enumerate(node.items)]

    def _block(self, node: Node, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in self._pairs(node, path):
            if key.text not in found:
                self._document.keys[*path, key.text] = key.line
                found[key.text] = self._value(value, (*path, key.text))
        return found

    def _pairs(self, node: Node, path: Path) -> Iterator[tuple[Node, Node]]:
        """The block's own pairs, each key once, and then those it merges with ``<<``."""
        merged: list[Node] = []
        first: dict[str, int] = {}
        for key, value in zip(node.items[::2], node.items[1::2], strict=True):
            if _is_merge(key):
                merged.append(value)
            elif self._good_key(key, path) and self._only_once(key, path, first):
                yield key, value
        for value in merged:
            yield from self._merged(value, path, depth=1)

    def _merged(self, node: Node, path: Path, depth: int) -> Iterator[tuple[Node, Node]]:
        self._spend(node, depth)
        if node.kind == "scalar":
            self._add((*path, "<<"), node.line, "`<<` merges a block, and here stands a plain value")
        elif node.kind == "list":
            for item in node.items:
                yield from self._merged(item, path, depth + 1)
        else:
            for key, value in zip(node.items[::2], node.items[1::2], strict=True):
                self._spend(key, depth)
                if _is_merge(key):
                    yield from self._merged(value, path, depth + 1)
                elif self._good_key(key, path):
                    yield key, value

    def _good_key(self, key: Node, path: Path) -> bool:
        if key.kind != "scalar":
            self._add(path, key.line, "a block or a list stands where a key belongs")
            return False
        if not isinstance(_scalar(key), str):
            message = f"the key `{key.text[:40]}` is not text"
            self._add((*path, key.text), key.line, message, f'put it in quotes: `"{key.text[:40]}"`')
            return False
        return True

    def _only_once(self, key: Node, path: Path, first: dict[str, int]) -> bool:
        if key.text not in first:
            first[key.text] = key.line
            return True
        message = f"`{key.text[:40]}` stands twice here, in line {first[key.text]} and in line {key.line}"
        self._add((*path, key.text), key.line, message, "keep one of them")
        return False

    def _spend(self, node: Node, depth: int) -> None:
        self._left -= 1
        if self._left < 0:
            message = f"with its aliases written out, the file has more than {nodes.MAX_NODES} values"
            raise nodes.refusal(self._document.file, node.line, message, "use fewer aliases")
        if depth > nodes.MAX_DEPTH:
            message = f"nested more than {nodes.MAX_DEPTH} deep"
            raise nodes.refusal(self._document.file, node.line, message, "a project file is much flatter")

    def _add(self, path: Path, line: int, message: str, hint: str = "") -> None:
        dotted = ".".join(str(part) for part in path)
        where = f"{self._document.file}:{line}"
        self._document.problems.append(SpecError(message, hint=hint, path=dotted, where=where))


def _is_merge(key: Node) -> bool:
    return key.kind == "scalar" and key.plain and key.text == "<<"
