"""YAML text as a tree of nodes that know their lines; everything that could make a reader suffer is refused here.

The tree is built from the parser's events with a stack of our own, so depth and size are limited before they cost
anything, and an alias is a second way to the same node.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from cloudml.errors import SpecError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_LINE = 2**16
"""Characters; the time that the parser takes grows with the square of some lines."""

Kind = Literal["scalar", "list", "block"]

_STR = "tag:yaml.org,2002:str"
_KNOWN_TAGS = {_STR, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", None, "!"}


@dataclass(slots=True, eq=False)
class Node:
    """A piece of the file.

    Attributes:
        line: Where it begins, from 1.
        plain: A scalar without quotes, so that it may be a number, true, false or null.
        items: The members of a list; keys and values of a block in turn.
    """

    kind: Kind
    line: int
    text: str = ""
    plain: bool = False
    items: list[Node] = field(default_factory=list)


def read(text: str, file: str) -> Node | None:
    """The tree of the one document in *text*; None when there is nothing in it.

    Raises:
        SpecError: Not YAML, or YAML that no project file needs.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MAX_LINE:
            raise refusal(file, number, f"the line has {len(line)} characters; at most {MAX_LINE} are read", "break it")
    tree = _Tree(file)
    for event in _events(text, file):
        tree.take(event)
    return tree.root


def refusal(file: str, line: int, message: str, hint: str = "") -> SpecError:
    """The error for a file that cannot be read any further."""
    return SpecError(message, hint=hint, where=f"{file}:{line}")


def _events(text: str, file: str) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _not_yaml(file, text, mark.line + 1 if mark else 1, str(error.problem or error.context)) from None
    except YAMLError as error:
        raise _not_yaml(file, text, _line_of_bad_character(text), _first_line(error)) from None
    except (ValueError, OverflowError, LookupError, AssertionError, AttributeError, TypeError) as error:
        # The parser converts numbers in escapes and directives without looking at them first.
        raise _not_yaml(file, text, 1, f"an escape or a directive is wrong ({_first_line(error)})") from None


def _not_yaml(file: str, text: str, line: int, reason: str) -> SpecError:
    source = text.splitlines()[line - 1 : line]
    if source and "\t" in source[0][: len(source[0]) - len(source[0].lstrip())]:
        return refusal(file, line, "a tab stands at the beginning of the line", "YAML is indented with spaces only")
    hint = next((advice for sign, advice in _ADVICE.items() if sign in reason), "")
    return refusal(file, line, f"this is not YAML: {reason}", hint)


_ADVICE: Mapping[str, str] = {
    "mapping values are not allowed": "text with `: ` in it needs quotes; otherwise look at the indentation",
    "\\t": "YAML is indented with spaces only",
    "cannot start any token": "text that begins with such a character needs quotes",
    "expected <block end>": "look at the indentation of this line and the one above",
    "could not find expected ':'": "a key is followed by a colon and a space",
    "unexpected end of stream": "a quotation mark has no partner",
    "expected ',' or": "a bracket has no partner, or a comma is missing",
    "undefined alias": "`*` begins an alias; text that begins with it needs quotes",
}

_BAD_CHARACTER = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def _line_of_bad_character(text: str) -> int:
    match = re.search(_BAD_CHARACTER, text)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]


def _joined(text: str) -> str:
    """The text with the pairs of surrogates joined, as JSON escapes what lies beyond 16 bits."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


class _Tree:
    """Takes the parser's events one by one; `root` is the document."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self._file = file
        self._open: list[Node] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self._nodes = 0
        self._takes: Mapping[str, Callable[[Any, int], None]] = {
            "DocumentStartEvent": self._document,
            "ScalarEvent": self._scalar,
            "SequenceStartEvent": self._list,
            "MappingStartEvent": self._block,
            "SequenceEndEvent": self._end,
            "MappingEndEvent": self._end,
            "AliasEvent": self._alias,
        }

    def take(self, event: Any) -> None:
        handler = self._takes.get(type(event).__name__)
        if handler is not None:
            handler(event, event.start_mark.line + 1)

    def _document(self, _: Any, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            raise refusal(self._file, line, "a second document begins here", "write one document, without `---` in it")

    def _scalar(self, event: Any, line: int) -> None:
        plain = event.implicit[0] and event.tag is None
        try:
            text = _joined(event.value)
        except UnicodeDecodeError:
            raise refusal(self._file, line, "half a character is escaped here", "write the character itself") from None
        self._add(Node("scalar", line, text=text, plain=plain), event)

    def _list(self, event: Any, line: int) -> None:
        self._open.append(self._add(Node("list", line), event))

    def _block(self, event: Any, line: int) -> None:
        self._open.append(self._add(Node("block", line), event))

    def _end(self, _event: Any, _line: int) -> None:
        self._open.pop()

    def _alias(self, event: Any, line: int) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise refusal(self._file, line, f"no anchor `&{event.anchor}` stands before this alias")
        if any(node is container for container in self._open):
            raise refusal(self._file, line, f"the alias `*{event.anchor}` stands inside what it refers to")
        self._place(node)

    def _add(self, node: Node, event: Any) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise refusal(self._file, node.line, f"more than {MAX_NODES} values", "a project file is much smaller")
        if len(self._open) >= MAX_DEPTH:
            raise refusal(self._file, node.line, f"nested more than {MAX_DEPTH} deep", "a project file is much flatter")
        tag = None if event.tag is None else str(event.tag)
        if tag not in _KNOWN_TAGS:
            raise refusal(self._file, node.line, f"the tag `{tag}` is not taken", "write the value without a tag")
        self._place(node)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _place(self, node: Node) -> None:
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.root = node
