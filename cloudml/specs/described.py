"""What the docstrings behind the fields of a spec say.

They are read when somebody is shown them. Pydantic would read them while the models are made, which takes a command at
its start as long as importing click.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from cloudml.imports import parsed
from cloudml.specs.base import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def descriptions(model: type[Spec]) -> Mapping[str, str]:
    """The docstring of each field that has one, by the field's name; those of the specs it is derived from as well."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, Spec):
            found |= _of(textwrap.dedent(inspect.getsource(one)).encode())
    return found


def _of(source: bytes) -> dict[str, str]:
    """The texts that stand behind the annotated names of a class."""
    body = parsed(source).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
