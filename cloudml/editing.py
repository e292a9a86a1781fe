"""Writes a target into a project file: nothing but its own lines changes.

The lines are laid between the others by where ruamel.yaml says that keys stand. Where that cannot be done, as in a file
whose `targets` stand in braces, the whole file goes through ruamel.yaml, which keeps comments and order but may lay
spaces otherwise. Either way the result is read again and compared before it is written.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cloudml.errors import SpecError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.provisioned import Provisioned

TARGETS = "targets"
INDENT = 2
WIDE = 10_000
"""Columns after which ruamel.yaml would break a line."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A project file with a target in it.

    Attributes:
        text: The file's whole text.
        action: added, updated or unchanged.
    """

    text: str
    action: str


def with_target(text: str, new: Provisioned, file: str) -> Edit:
    """The text of a project file with that target in it; what a user wrote beside its settings stays.

    Args:
        text: The file's text, a project that can be read.
        new: The target.
        file: What errors call the file.

    Raises:
        SpecError: The target is there, and belongs to another provider.
    """
    if "\r\n" in text:
        edit = with_target(text.replace("\r\n", "\n"), new, file)
        return Edit(edit.text.replace("\n", "\r\n"), edit.action)
    document = _round_trip().load(text)
    targets = document.get(TARGETS)
    before = targets.get(new.target) if targets else None
    wanted = _merged(before, new, file)
    if before is not None and _plain(before) == wanted:
        return Edit(text, "unchanged")
    entry = _updated(before, wanted)
    expected = _plain(document)
    expected[TARGETS] = {**(expected.get(TARGETS) or {}), new.target: wanted}
    edited = _spliced(text, document, new.target, entry)
    if edited is None or _read(edited) != expected:
        edited = _dumped_whole(document, new.target, entry)
    if _read(edited) != expected:
        raise SpecError(f"`{file}` cannot be edited without changing it", hint="write the target by hand", where=file)
    return Edit(edited, "added" if before is None else "updated")


def write(file: Path, text: str) -> None:
    """Put *text* in the file's place at once: a reader sees the old file or the new one.

    Raises:
        SpecError: The file cannot be written.
    """
    real = file.resolve()  # where the name is a link, the file that it leads to
    beside = real.with_name(f".{real.name}.{uuid4().hex[:8]}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileNotFoundError):
            beside.chmod(real.stat().st_mode & 0o7777)
        beside.replace(real)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise SpecError(f"`{file}` cannot be written: {error}", where=str(file)) from error


def _merged(before: Any, new: Provisioned, file: str) -> dict[str, Any]:
    """What the target says afterwards: the platform's settings, and what else a user wrote there."""
    if before is None:
        return {"provider": new.provider, **new.settings}
    if before.get("provider") != new.provider:
        raise SpecError(
            f"`targets.{new.target}` is there already, for the provider `{before.get('provider')}`",
            hint=f"choose another name: --on {new.provider}-{new.target}", where=file,
        )  # fmt: skip
    kept = {key: value for key, value in _plain(before).items() if key in new.settings or key not in new.managed}
    return {**kept, **new.settings}


def _updated(before: Any, wanted: Mapping[str, Any]) -> Any:
    """The target as it stands in the file, with what changed; a new one from scratch."""
    from ruamel.yaml.comments import CommentedMap

    entry = CommentedMap() if before is None else before
    for key in [key for key in entry if key not in wanted]:
        del entry[key]
    for key, value in wanted.items():
        if key not in entry or _plain(entry[key]) != value:
            entry[key] = value
    return entry


def _spliced(text: str, document: Any, name: str, entry: Any) -> str | None:
    """The text with the target's lines laid in; None where `targets` do not stand in lines of their own."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    targets = document.get(TARGETS)
    if TARGETS not in document:
        at = _end(lines, document.lc.key("project")[0], 0)
        return "".join([*lines[:at], "\n", *_lines({TARGETS: {name: entry}}, 0), *lines[at:]])
    if not targets or targets.fa.flow_style():
        return None
    first, last = next(iter(targets)), list(targets)[-1]
    indent = targets.lc.key(first)[1]
    if name in targets:
        start = targets.lc.key(name)[0]
        return "".join([*lines[:start], *_lines({name: entry}, indent), *lines[_end(lines, start, indent) :]])
    at = _end(lines, targets.lc.key(last)[0], indent)
    return "".join([*lines[:at], *_lines({name: entry}, indent), *lines[at:]])


def _end(lines: list[str], start: int, indent: int) -> int:
    """The line after the entry that begins on *start*: blank lines and comments behind it belong to what follows."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(line) - len(line.lstrip()) <= indent:
            break
        end = number + 1
    return end


def _lines(value: Any, indent: int) -> list[str]:
    stream = io.StringIO()
    _round_trip().dump(value, stream)
    return [f"{' ' * indent}{line}" if line.strip() else line for line in stream.getvalue().splitlines(keepends=True)]


def _dumped_whole(document: Any, name: str, entry: Any) -> str:
    if not document.get(TARGETS):
        document[TARGETS] = {}
    document[TARGETS][name] = entry
    stream = io.StringIO()
    _round_trip().dump(document, stream)
    return stream.getvalue()


def _round_trip() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = WIDE
    yaml.indent(mapping=INDENT, sequence=2 * INDENT, offset=INDENT)
    return yaml


def _read(text: str) -> Any:
    return _plain(_round_trip().load(text))


def _plain(value: Any) -> Any:
    """What stands there, without how it is written."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, str) else value
