"""Whether the files that a project names are there."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.specs.document import Problem
from cloudml.spelling import did_you_mean, listed, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml.specs.document import Path as Keys
    from cloudml.specs.job import JobSpec
    from cloudml.specs.model import ModelSpec
    from cloudml.specs.project import ProjectSpec

SCHEMES = ("s3", "gs", "az", "https")
MAX_PARTS = 64
LOOKED_AT = 500
"""How many files of a folder are considered as what might have been meant."""


def missing_files(project: ProjectSpec, root: Path) -> Iterator[Problem]:
    """Each file or folder below *root* that the project names and that is not there."""
    for name, dataset in project.datasets.items():
        yield from _dataset(("datasets", name, "path"), dataset.path, root)
    for name, job in project.jobs.items():
        yield from _job(("jobs", name), job, root)
    for name, model in project.models.items():
        yield from _model(("models", name), model, root)


def _dataset(path: Keys, text: str, root: Path) -> Iterator[Problem]:
    scheme, is_remote, _ = text.partition("://")
    if is_remote:
        if scheme not in SCHEMES:
            allowed = ", ".join(f"{known}://" for known in SCHEMES)
            message = f"`{scheme[:20]}://` cannot be read; a dataset is a local path, or begins with {allowed}"
            yield Problem(path, message, did_you_mean(scheme, SCHEMES))
    elif not _safely(lambda: _matches(root, text)):
        message = f"no file matches `{text[:200]}`; paths are relative to the project file"
        yield Problem(path, message, _nearest_path(root, text))


def _matches(root: Path, text: str) -> bool:
    """Whether there is a file: the path itself, one in the folder, or one that the glob matches."""
    if len(Path(text).parts) > MAX_PARTS:
        return False
    here = root / text
    if here.is_dir():
        return any(found.is_file() for found in here.rglob("*"))
    if here.is_file():
        return True
    start, pattern = (
        (Path(here.anchor), str(here.relative_to(here.anchor))) if Path(text).is_absolute() else (root, text)
    )
    return any(found.is_file() for found in start.glob(re.sub(r"(\*\*/)+", "**/", pattern)))


def _job(path: Keys, job: JobSpec, root: Path) -> Iterator[Problem]:
    source = root / job.source
    if not _safely(source.is_dir):
        message = f"the folder `{job.source[:200]}` does not exist; `source` is relative to the project file"
        yield Problem((*path, "source"), message, _nearest_path(root, job.source))
        return
    yield from _file((*path, "script"), job.script, source)
    if job.requirements is not None:
        yield from _file((*path, "requirements"), job.requirements, source)


def _model(path: Keys, model: ModelSpec, root: Path) -> Iterator[Problem]:
    if model.predictor is not None:
        yield from _file((*path, "predictor"), model.predictor.partition(":")[0], root)
    if model.requirements is not None:
        yield from _file((*path, "requirements"), model.requirements, root)


def _file(path: Keys, text: str, folder: Path) -> Iterator[Problem]:
    if not _safely((folder / text).is_file):
        message = f"the file `{text[:200]}` does not exist in `{folder.name or folder}`"
        yield Problem(path, message, _nearest_file(folder, text))
    elif not _safely(lambda: (folder / text).resolve().is_relative_to(folder.resolve())):
        message = f"`{text[:200]}` lies outside `{folder.name or folder}`, and only what is in there travels"
        yield Problem(path, message, "move it there, or choose a folder that holds both")


def _safely(question: Callable[[], bool]) -> bool:
    """The answer; no when the operating system finds the path too long or otherwise impossible."""
    try:
        return question()
    except (OSError, ValueError, NotImplementedError):
        return False


def _nearest_file(folder: Path, text: str) -> str:
    names = [found.name for found in _children(folder) if _safely(found.is_file)]
    meant = did_you_mean(text, names) or did_you_mean(Path(text).name, names)
    return meant or _there_is(folder, names)


def _nearest_path(root: Path, text: str) -> str:
    """What the first part of *text* that does not exist was meant to be, or what stands in its place."""
    parts = Path(text).parts
    depth = next((n for n in range(len(parts)) if not _safely(root.joinpath(*parts[: n + 1]).exists)), 0)
    folder = root.joinpath(*parts[:depth])
    names = [found.name for found in _children(folder)]
    close = nearest(parts[depth], names) if parts else ""
    if close:
        return f"did you mean `{Path(*parts[:depth], close, *parts[depth + 1 :]).as_posix()}`?"
    return _there_is(folder, names)


def _there_is(folder: Path, names: list[str]) -> str:
    visible = [name for name in sorted(names) if not name.startswith(".")]
    return f"in `{folder.name}` there is: {listed(visible, most=8)}" if visible else ""


def _children(folder: Path) -> list[Path]:
    """The first files and folders in *folder*; none when it cannot be looked into."""
    try:
        return list(islice(folder.iterdir(), LOOKED_AT))
    except (OSError, ValueError):
        return []
