"""The file `MLmodel` of an MLflow model: as much of YAML as MLflow writes there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

from cloudml.runtime.refusal import ModelError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "MLmodel"
_LINE = re.compile(r"( *)([A-Za-z_][\w.-]*):(?: +(.*))?$")


def flavors(folder: Path) -> Dict[str, Dict[str, Any]]:
    """The flavours of the model in a folder, by name.

    Raises:
        ModelError: The file names none.
    """
    found = parse((folder / NAME).read_text("utf-8")).get("flavors")
    if not isinstance(found, dict) or not found:
        raise ModelError(f"{folder / NAME} names no flavors")
    return {name: value if isinstance(value, dict) else {} for name, value in found.items()}


def parse(text: str) -> Dict[str, Any]:
    """Nested mappings of text; null is None. Lists, and text over several lines, are passed over."""
    root: Dict[str, Any] = {}
    open_at: List[Tuple[int, Dict[str, Any]]] = [(-1, root)]
    for line in _whole(text.splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue
        depth, key, value = len(match.group(1)), match.group(2), match.group(3)
        while open_at[-1][0] >= depth:
            open_at.pop()
        into = open_at[-1][1]
        if value:
            into[key] = _scalar(value)
        else:
            into[key] = {}
            open_at.append((depth, into[key]))
    return root


def _whole(lines: List[str]) -> List[str]:
    """Lines without what follows a quote that is left open, and without comments."""
    kept, quote = [], ""
    for line in lines:
        if not quote:
            kept.append(line)
            value = line.partition(": ")[2].lstrip()
            quote = value[0] if value[:1] in ("'", '"') and value.count(value[0]) % 2 else ""
        elif line.count(quote) % 2:
            quote = ""
    return kept


def _scalar(text: str) -> Any:
    value = text.strip()
    if value in {"null", "~"}:
        return None
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
