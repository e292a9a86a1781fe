"""Reads a project file: every mistake at once, each with its line."""

from __future__ import annotations

from copy import deepcopy
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cloudml.errors import SpecError
from cloudml.specs.base import PROVIDERS
from cloudml.specs.document import Problem, parse
from cloudml.specs.files import missing_files
from cloudml.specs.integrity import integrity, together
from cloudml.specs.project import SECTIONS, ProjectSpec
from cloudml.specs.secrets import secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cloudml.specs.document import Document
    from cloudml.specs.document import Path as Keys

FILE = "cloudml.yaml"
MAX_BYTES = 2**20
MAX_PROBLEMS = 100


def load(path: Path | str, *, providers: Iterable[str] = ()) -> ProjectSpec:
    """The project in a file, or in the `cloudml.yaml` of a folder.

    Args:
        path: The file, or its folder.
        providers: Names of installed providers, beside the four of cloudml.

    Raises:
        SpecError: With every problem in its `problems`.
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    return loads(read_text(file), str(file), file.parent, providers=providers)


def loads(text: str, file: str = FILE, root: Path | None = None, *, providers: Iterable[str] = ()) -> ProjectSpec:
    """The project in *text*.

    Args:
        text: What a project file holds.
        file: What errors call the file.
        root: The folder that paths are relative to; without it, files are not looked for.
        providers: Names of installed providers, beside the four of cloudml.

    Raises:
        SpecError: With every problem in its `problems`.
    """
    if len(text) > MAX_BYTES:
        raise _too_big(file, len(text))
    document = parse(text, file)
    known = sorted({*PROVIDERS, *providers})
    reading = _Reading(document, known)
    project = reading.project()
    found = [
        *secrets(document.value),
        *_empty(document.value, (), known),
        *_native_keys(document.value),
        *reading.problems,
    ]
    unsure = frozenset(reading.dropped)
    found += islice(integrity(project, providers=known, unsure=unsure), MAX_PROBLEMS)
    found += islice(missing_files(project, root), MAX_PROBLEMS) if root else ()
    errors = [*document.problems, *map(document.error, _worth_telling(found))]
    if errors:
        raise together(_first_ones(sorted(errors, key=_line)))
    return project


def _first_ones(errors: list[SpecError]) -> list[SpecError]:
    """As many as anybody reads, and then that there are more."""
    if len(errors) <= MAX_PROBLEMS:
        return errors
    where = errors[MAX_PROBLEMS].where
    return [*errors[:MAX_PROBLEMS], SpecError("there are more problems from here on", hint="mend these", where=where)]


def _line(error: SpecError) -> int:
    return int(error.where.rpartition(":")[2])


def _worth_telling(problems: Iterable[Problem]) -> list[Problem]:
    """One problem for each path: the first."""
    first: dict[Keys, Problem] = {}
    for item in problems:
        first.setdefault(item.path, item)
    return list(first.values())


def _empty(value: Any, path: Keys, providers: Sequence[str]) -> Iterator[Problem]:
    """Keys with nothing behind them; in a provider's block, nothing may be what is meant."""
    if path[2:3] and path[2] in providers and path[0] in {"jobs", "endpoints"}:
        return
    if value is None:
        message = f"`{path[-1]}` is empty"
        yield Problem(path, message, "write what belongs there, or leave the key out", at="key")
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _empty(inner, (*path, key), providers)


def _native_keys(value: Mapping[str, Any]) -> Iterator[Problem]:
    """`native` is how Python calls the providers' blocks; in a file each has its provider's name."""
    for section in ("jobs", "endpoints"):
        resources = value.get(section)
        for name, resource in (resources if isinstance(resources, dict) else {}).items():
            if isinstance(resource, dict) and "native" in resource:
                message = "`native` is not known here; a provider's own words stand in a block called by its name"
                yield Problem((section, name, "native"), message, "write `aws: {…}` in its place", at="key")


class _Reading:
    """Validates, and again without what was wrong, so that the rest can be checked as well."""

    def __init__(self, document: Document, providers: Sequence[str]) -> None:
        self.problems: list[Problem] = []
        self.dropped: set[Keys] = set()
        self._providers = providers
        self._document = document
        self._rest: dict[str, Any] = deepcopy(document.value)

    def project(self) -> ProjectSpec:
        """All that is right of the project; `problems` tells what is not."""
        self._refuse_names()
        while True:
            try:
                return ProjectSpec.model_validate(self._rest, context={"providers": self._providers})
            except ValidationError as error:
                self._take(error.errors(include_url=False))

    def _refuse_names(self) -> None:
        """A key `name` in a resource would be taken for the name that comes from the key above."""
        for section in SECTIONS:
            resources = self._rest.get(section)
            for name, resource in (resources if isinstance(resources, dict) else {}).items():
                if isinstance(resource, dict) and "name" in resource:
                    del resource["name"]
                    path = (section, name, "name")
                    hint = "the name is the key above; leave this out"
                    self.problems.append(Problem(path, "`name` is not known here", hint, at="key"))

    def _take(self, mistakes: Sequence[Mapping[str, Any]]) -> None:
        """Notes the mistakes of one validation, but for those that only follow from what was dropped before."""
        from cloudml.specs.sentences import Sentences  # half as long again to import as a right file takes to read

        sentences = Sentences(self._document, self._providers)
        dropped_before = frozenset(self.dropped)
        changed = False
        for mistake in mistakes:
            found = sentences.problem(mistake)
            if _place(found.path) not in dropped_before and not _is_echo(mistake):
                self.problems.append(found)
            changed |= self._drop(found.path, missing=mistake["type"] == "missing")
        if not changed:
            self.dropped |= {(section,) for section in SECTIONS}
            self._rest = {"project": "unnamed"}

    def _drop(self, path: Keys, *, missing: bool) -> bool:
        """Takes what is at fault away, or the block when it cannot be without it; whether it was there."""
        place = _place(path)
        if missing and place == path and len(path) > 1:
            place = path[:-1]
        self.dropped.add(place)
        if place in {(), ("project",)}:
            self._rest["project"] = "unnamed"
            return True
        holder: Any = self._rest
        for part in place[:-1]:
            holder = holder.get(part, {})
        return holder.pop(place[-1], self) is not self


def _place(path: Keys) -> Keys:
    """What can be taken away on its own: a member of a list cannot, as the others would move."""
    return tuple(takewhile(lambda part: isinstance(part, str), path))


def _is_echo(mistake: Mapping[str, Any]) -> bool:
    """Whether a list is called too short only because its members were wrong."""
    return mistake["type"] == "too_short" and bool(mistake["input"])


def read_text(file: Path) -> str:
    """The file's text; a big file is refused before it is read."""
    try:
        if not file.is_file():
            raise _no_file(file)
        if file.stat().st_size > MAX_BYTES:
            raise _too_big(str(file), file.stat().st_size)
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        raise SpecError(f"`{file}` cannot be read: {error}", where=str(file)) from error
    return _decoded(content, file)


def _decoded(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"the file is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
        raise SpecError(message, hint="save it as UTF-8", where=f"{file}:{line}") from None


def _no_file(file: Path) -> SpecError:
    if file.exists():
        return SpecError(f"`{file}` is not a file", where=str(file))
    hint = "`cloudml init` writes a project; `-C DIR` chooses the folder"
    return SpecError(f"there is no project file `{file}`", hint=hint, where=str(file))


def _too_big(file: str, size: int) -> SpecError:
    message = f"the file has {size} bytes; at most {MAX_BYTES} are read"
    return SpecError(message, hint="data belongs in files of its own, that `datasets` name", where=f"{file}:1")
