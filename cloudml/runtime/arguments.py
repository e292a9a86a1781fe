"""What a script gets on its command line.

Parameters are always passed, as ``--name value``, in the spelling that the script itself declares (``--max-iter`` or
``--max_iter``, ``-n``). Inputs and outputs are passed where the script declares an argument of their name, or where the
request lists them in `arguments`: a script that checks its arguments fails on one it does not know, and one that takes
its paths from the job or from variables needs none.

What a script declares is found by reading it, without running it: calls of ``add_argument("--x")`` (argparse) and
``option("--x")`` (click) with literal names, in the script's own file. Other ways (fire, typer, a parser in another
module) are not seen; there `arguments` helps.

    text, number    as written; ``--name=value`` where the value begins with a dash
    true, false     ``True``, ``False``, as SageMaker and Azure ML pass them; for a switch (``store_true``) the switch
                    is there or not, ``store_false`` likewise, ``BooleanOptionalAction`` gets ``--x`` or ``--no-x``
    null            nothing
    list, object    JSON

A value that no argument can hold (over ARGUMENT_BYTES, or with a NUL) is left out, with a line in the log; so are the
ones that do not fit once all arguments together reach TOTAL_BYTES. `Job.parameters` has them all, with their types.
"""

from __future__ import annotations

import ast
import json
from typing import Any, Iterator, List, Mapping, NamedTuple, Tuple

ARGUMENT_BYTES = 100_000  # Linux allows 128 KiB for one argument
TOTAL_BYTES = 1_000_000  # Linux allows 2 MB for arguments and environment together
_DECLARING = ("add_argument", "option")
_SWITCHES = {"store_true", "store_false"}


class Option(NamedTuple):
    """An option as a script declares it.

    Attributes:
        on: Its spelling.
        off: The spelling of a false switch; empty where it is merely absent.
        switch: It takes no value.
    """

    on: str
    off: str = ""
    switch: bool = False


class Line(NamedTuple):
    """Arguments, and a sentence for each thing that is not among them."""

    arguments: List[str]
    left_out: List[str]


def declared(source: bytes | str) -> dict[str, Option]:
    """The options of a Python script, by name (``max-iter`` as ``max_iter``); none if it is not Python."""
    if not _may_declare(source):
        return {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    found: dict[str, Option] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node.func) in _DECLARING:
            for name, option in _options(node):
                found.setdefault(name, option)
    return found


def _may_declare(source: bytes | str) -> bool:
    """Whether a word that declares an option is in it, or letters beyond ASCII, in which that can be spelled too."""
    text = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    return not text.isascii() or any(word.encode() in text for word in _DECLARING)


def line(
    parameters: Mapping[str, Any], paths: Mapping[str, str], options: Mapping[str, Option], listed: tuple[str, ...] = ()
) -> Line:
    """The command line for a script that declares *options*.

    Args:
        parameters: All of them are passed.
        paths: Inputs and outputs; passed where declared or *listed*.
        options: See `declared`.
        listed: Names among *paths*.
    """
    arguments: list[str] = []
    left_out = [
        f"no argument --{name} with the path: a parameter has that name" for name in paths if name in parameters
    ]
    wanted = {name: path for name, path in paths.items() if _key(name) in options or name in listed}
    room = TOTAL_BYTES
    for name, value in {**wanted, **parameters}.items():
        words = _words(value, options.get(_key(name), Option(f"--{name}")))
        size = sum(len(word.encode("utf-8", "surrogatepass")) + 1 for word in words)
        if size > min(ARGUMENT_BYTES, room) or not all(map(passable, words)):
            left_out.append(f"no argument --{name}: its value is too long or holds a NUL; job().parameters has it")
            continue
        room -= size
        arguments += words
    return Line(arguments, left_out)


def text(value: object) -> str:
    """A parameter's value as one argument."""
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (list, dict)) else str(value)


def passable(word: str) -> bool:
    """Can the operating system hand it to a process?"""
    return "\0" not in word and (word.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in word))


def _words(value: object, option: Option) -> list[str]:
    if value is None:
        return []
    if option.switch and isinstance(value, bool):
        word = option.on if value else option.off
        return [word] if word else []
    shown = text(value)
    return [f"{option.on}={shown}"] if shown.startswith("-") else [option.on, shown]


def _key(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _called(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def _options(call: ast.Call) -> Iterator[Tuple[str, Option]]:
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    action = _word(given.get("action"))
    texts = [_word(argument) for argument in call.args]
    for spelled in texts:
        if spelled.startswith("-"):
            on, _, off = spelled.partition("/")
            if action == "BooleanOptionalAction":
                off = "--no-" + on.lstrip("-")
            switch = bool(off) or action in _SWITCHES or _word(given.get("is_flag")) == "True"
            yield _key(on), Option(on.strip(), off.strip(), switch)


def _word(node: ast.expr | None) -> str:
    """A literal as text, or the last part of a name such as ``argparse.BooleanOptionalAction``."""
    return str(node.value) if isinstance(node, ast.Constant) else _called(node) if node is not None else ""
