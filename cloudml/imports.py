"""What a Python file imports, read from its text without running it."""

from __future__ import annotations

import ast
import threading
import warnings
from dataclasses import field

from cloudml.records import dataclass

DYNAMIC = frozenset(
    {
        "exec_module",
        "find_spec",
        "import_module",
        "iter_modules",
        "load_module",
        "run_module",
        "run_path",
        "spec_from_file_location",
        "walk_packages",
    }
)
"""Functions of the standard library that import or run what their argument says, or that list modules."""

_ONE_AT_A_TIME = threading.Lock()

BUILT_IN = frozenset({"__import__", "exec", "execfile"})

UNTOLD = frozenset({"exec", "execfile", "iter_modules", "walk_packages"})
"""Those whose argument, even a literal, does not tell which modules are wanted."""

TELLING = {"spec_from_file_location": 1}
"""Which argument tells what is wanted, where it is not the first."""


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """One wanted module.

    Attributes:
        name: Dotted; empty for ``from . import x``.
        level: How many dots stood in front.
        members: What is taken from it, each of which may be a module: ``b`` of ``from a import b``.
    """

    name: str
    level: int = 0
    members: tuple[str, ...] = ()


@dataclass(slots=True)
class Imports:
    """What one file wants.

    Attributes:
        modules: What it imports, also under ``if TYPE_CHECKING`` and in functions.
        paths: Texts that end in ``.py``: files that it may run.
        dynamic: Whether it imports what only running it could tell.
    """

    modules: set[Import] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    dynamic: bool = False


def parsed(text: bytes, filename: str = "<unknown>") -> ast.Module:
    """The tree of a module, made by one thread at a time.

    CPython 3.11 counts the depth of every tree that is being made in one place, so that two threads at once may end in
    ``SystemError: AST constructor recursion depth mismatch``; and what warnings are shown is set for all threads.

    Raises:
        SyntaxError: It is no Python.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the user's code, who meets them when it runs
        try:
            return ast.parse(text, filename)
        except ValueError as error:  # null bytes, in Python 3.11
            raise SyntaxError(str(error), (filename, 1, 1, "")) from error


def wanted(text: bytes, filename: str) -> Imports:
    """The imports of a module.

    Raises:
        SyntaxError: It is no Python.
    """
    tree = parsed(text, filename)
    found = Imports()
    nodes = list(ast.walk(tree))
    aliases = {alias.asname: alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    for node in nodes:
        _visit(node, found, aliases)
    return found


def _visit(node: ast.AST, found: Imports, aliases: dict[str | None, str]) -> None:
    match node:
        case ast.Import(names=names):
            found.modules |= {Import(alias.name) for alias in names}
        case ast.ImportFrom(module=module, names=names, level=level):
            found.modules.add(Import(module or "", level, tuple(alias.name for alias in names)))
        case ast.Call():
            _call(node, found, aliases)
        case ast.Constant(value=str(text)) if text.endswith(".py"):
            found.paths.add(text)


def _call(call: ast.Call, found: Imports, aliases: dict[str | None, str]) -> None:
    name = _called(call.func, aliases)
    if name not in DYNAMIC | BUILT_IN:
        return
    told = call.args[TELLING.get(name, 0) :]
    literal = told[0].value if told and isinstance(told[0], ast.Constant) else None
    if not isinstance(literal, str) or name in UNTOLD:
        found.dynamic = True
    elif not literal.endswith(".py"):  # that is a path, and found as one
        found.modules.add(_named(literal))


def _called(function: ast.expr, aliases: dict[str | None, str]) -> str:
    """The name of what is called: of a built-in, of a function whatever it was imported as, or of an attribute."""
    match function:
        case ast.Name(id=name):
            real = aliases.get(name, name)
            return real if real in DYNAMIC or name in BUILT_IN else ""
        case ast.Attribute(attr=name):
            return name if name in DYNAMIC else ""
        case _:
            return ""


def _named(literal: str) -> Import:
    name = literal.lstrip(".")
    return Import(name, len(literal) - len(name))
