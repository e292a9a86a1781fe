"""Tables in CSV, RFC 4180 with commas: an instance a line, blank lines passed over.

A cell that reads as a JSON number is one (`.5`, `5.` and `+5` too; `007` is text); an empty cell is null; every other
is text, also `true` and `nan`.

The first line is a header if the content type says ``header=present``, and is none if it says ``header=absent``.
Otherwise it is one if its cells are all names (different, none empty, none a number) and either all of them are columns
that the model knows, or a cell below is a number. With a header an instance is an object, without one a list.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any, List, Mapping, Optional, Sequence

from cloudml.runtime.refusal import BadRequest, NotAcceptable

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})$")
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$")
_CELL_CHARACTERS = 16 * 1024 * 1024


def read(text: str, header: Optional[str], names: Sequence[str]) -> List[Any]:
    """The instances in a table: lists, or objects when it has a header.

    Raises:
        BadRequest: A line has more or fewer cells than the first, or the quotes are not in pairs.
    """
    lines = _lines(text)
    if not lines:
        return []
    titled = header == "present" if header in {"present", "absent"} else has_header(lines, names)
    width, rows = len(lines[0]), lines[1:] if titled else lines
    for index, row in enumerate(rows):
        if len(row) != width:
            raise BadRequest(f"expected {width} cells as in the first line, found {len(row)}", row=index)
    values = [[cell(text) for text in row] for row in rows]
    return [dict(zip(lines[0], row)) for row in values] if titled else values  # noqa: B905  Python 3.8 has no strict=


def has_header(lines: Sequence[Sequence[str]], names: Sequence[str]) -> bool:
    """Whether the first line names the columns, by its looks."""
    first = lines[0]
    if len(set(first)) != len(first) or not all(text and isinstance(cell(text), str) for text in first):
        return False
    known = set(names)
    return set(first) <= known or any(_NUMBER.match(text) for row in lines[1:] for text in row)


def cell(text: str) -> Any:
    """The value in a cell: a number, None or text."""
    stripped = text.strip()
    if _INTEGER.match(stripped):
        return int(stripped)
    if _NUMBER.match(stripped):
        return float(stripped)
    return text if stripped else None


def write(rows: Sequence[Any]) -> str:
    """A line for each of *rows*; a header first when they are objects.

    Raises:
        NotAcceptable: A row does not fit in cells, or not in the same cells as the first.
    """
    written = _Lines()
    lines = csv.writer(written, lineterminator="\r\n")  # so that both characters are quoted inside of cells
    titles = list(rows[0]) if rows and isinstance(rows[0], Mapping) else None
    if titles is not None:
        lines.writerow(titles)
    for index, row in enumerate(rows):
        lines.writerow(_cells(row, titles, index))
    return "".join(written)


class _Lines(List[str]):
    """Takes whole lines from a writer, and ends them as Unix does."""

    def write(self, line: str) -> None:
        self.append(line[:-2] + "\n")


def _cells(row: Any, titles: Optional[List[str]], index: int) -> List[Any]:
    if titles is not None:
        fits = isinstance(row, Mapping) and row.keys() == set(titles)
        cells = [row[title] for title in titles] if fits else [row]
    else:
        fits, cells = True, list(row) if isinstance(row, (list, tuple)) else [row]
    if not fits or any(isinstance(value, (Mapping, list, tuple)) for value in cells):
        raise NotAcceptable("this prediction has no form in CSV; accept application/json", row=index)
    return ["" if value is None else _LITERALS.get(repr(value), value) for value in cells]


_LITERALS = {"True": "true", "False": "false"}
"""As JSON writes them; text never has these for its repr."""


def _lines(text: str) -> List[List[str]]:
    lines: List[List[str]] = []
    csv.field_size_limit(_CELL_CHARACTERS)
    try:
        lines.extend(row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
    except csv.Error as error:
        raise BadRequest(f"not CSV: {error}", row=len(lines)) from error
    return lines
