"""Whether the parts of a project fit together: references, cycles, targets, gates, monitors."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from cloudml.errors import SpecError
from cloudml.records import dataclass
from cloudml.specs.base import PROVIDERS
from cloudml.specs.document import Problem
from cloudml.specs.files import missing_files
from cloudml.specs.references import owner, part
from cloudml.spelling import did_you_mean, listed, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path as FilePath

    from cloudml.specs.document import At, Path
    from cloudml.specs.job import JobSpec
    from cloudml.specs.project import ProjectSpec


def check_references(project: ProjectSpec, root: FilePath | None = None, *, providers: Iterable[str] = ()) -> None:
    """The checks of a project file, for a project that was built in Python.

    Args:
        project: What was built.
        root: The folder that paths are relative to; without it, files are not looked for.
        providers: Names of installed providers, beside the four of cloudml.

    Raises:
        SpecError: With every problem in its `problems`.
    """
    found = [*integrity(project, providers=providers), *(missing_files(project, root) if root else ())]
    if found:
        raise together([SpecError(item.message, hint=item.hint, path=item.dotted) for item in found])


def together(errors: list[SpecError]) -> SpecError:
    """The first of *errors*, carrying them all; the others are also in its notes, so a traceback shows them."""
    first, *others = errors
    first.problems = tuple(errors)
    for error in others:
        place = ", ".join(filter(None, (error.where, error.path)))
        first.add_note("; ".join(filter(None, (f"{place}: {error.message}", error.hint))))
    return first


def integrity(
    project: ProjectSpec, *, providers: Iterable[str] = (), unsure: AbstractSet[Path] = frozenset()
) -> Iterator[Problem]:
    """Everything that is wrong between resources.

    Args:
        project: As much of the project as is right.
        providers: Names of installed providers, beside the four of cloudml.
        unsure: Paths that are known to be wrong already: what refers to them is not reported.
    """
    known = sorted({*PROVIDERS, *providers})
    shelf = _Shelf(project, unsure)
    yield from _targets(project, known)
    yield from _machines(project, known)
    for path, reference, kind in _references(project):
        yield from shelf.dangling(path, reference, kind)
    yield from _cycle(project)
    yield from _deaf_monitors(project, unsure)


def _references(project: ProjectSpec) -> Iterator[tuple[Path, str, str]]:
    """Each reference with where it stands and what kind of thing it refers to."""
    for name, job in project.jobs.items():
        for port, reference in job.inputs.items():
            yield ("jobs", name, "inputs", port), reference, "data"
    for name, model in project.models.items():
        yield ("models", name, "source"), model.source, "output"
        for reference in model.require:
            yield ("models", name, "require", reference), reference, "metric"
    for name, endpoint in project.endpoints.items():
        yield ("endpoints", name, "model"), endpoint.model, "model"
    for name, monitor in project.monitors.items():
        yield ("monitors", name, "endpoint"), monitor.endpoint, "endpoint"
        yield ("monitors", name, "baseline"), monitor.baseline, "data"


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What a project has to refer to."""

    project: ProjectSpec
    unsure: AbstractSet[Path]

    def dangling(self, path: Path, reference: str, kind: str) -> Iterator[Problem]:
        """The problem of *reference*, if it leads nowhere."""
        section, name = owner(reference).split(".")
        resources: Mapping[str, object] = getattr(self.project, section)
        field = "metrics" if kind == "metric" else "outputs"
        if self.unsure & {(section,), (section, name), (section, name, field)}:
            return
        at: At = "key" if kind == "metric" else "value"
        if name not in resources:
            message = f"there is no `{owner(reference)}`; {section} in this project: {listed(resources)}"
            yield Problem(path, message, self._meant(reference, kind), at=at)
        elif part(reference):
            there: tuple[str, ...] = getattr(resources[name], field)
            if part(reference) not in there:
                yield self._no_part(path, reference, field, there)

    def _no_part(self, path: Path, reference: str, field: str, there: tuple[str, ...]) -> Problem:
        job, missing, one = owner(reference), part(reference), field.removesuffix("s")
        message = f"`{job}` declares no {one} `{missing}`; its {field}: {listed(there)}"
        close = nearest(missing, there)
        hint = f"did you mean `{job}.{close}`?" if close else f"add it to `{field}` of `{job}`"
        return Problem(path, message, hint, at="key" if field == "metrics" else "value")

    def _meant(self, reference: str, kind: str) -> str:
        """What was meant: in the same section if there is something like it, where the section is no likeness."""
        known = _KNOWN[kind](self.project)
        section, _, rest = reference.partition(".")
        beside = {item.partition(".")[2]: item for item in known if item.startswith(f"{section}.")}
        elsewhere = {item.partition(".")[2]: item for item in known if not item.startswith(f"{section}.")}
        close = beside.get(nearest(rest, beside)) or elsewhere.get(nearest(rest, elsewhere))
        return f"did you mean `{close}`?" if close else ""


def _outputs(project: ProjectSpec) -> list[str]:
    return [f"jobs.{name}.{output}" for name, job in project.jobs.items() for output in job.outputs]


def _metrics(project: ProjectSpec) -> list[str]:
    return [f"jobs.{name}.{metric}" for name, job in project.jobs.items() for metric in job.metrics]


_KNOWN: Mapping[str, Callable[[ProjectSpec], list[str]]] = {
    "data": lambda project: [*(f"datasets.{name}" for name in project.datasets), *_outputs(project)],
    "output": _outputs,
    "metric": _metrics,
    "model": lambda project: [f"models.{name}" for name in project.models],
    "endpoint": lambda project: [f"endpoints.{name}" for name in project.endpoints],
}


def _targets(project: ProjectSpec, known: Collection[str]) -> Iterator[Problem]:
    for name, target in project.targets.items():
        path = ("targets", name, "provider")
        if name == "local" and target.provider != "local":
            message = f"the target `local` always runs here, and cannot be given to `{target.provider}`"
            yield Problem(path, message, f"call it something else, such as `{target.provider}-dev`")
        elif target.provider not in known:
            yield _no_provider(path, target.provider, known)


def _machines(project: ProjectSpec, known: Collection[str]) -> Iterator[Problem]:
    for section, resources in (("jobs", project.jobs), ("endpoints", project.endpoints)):
        for name, spec in resources.items():
            for provider in spec.machine.exact.keys() - set(known):
                yield _no_provider((section, name, "machine", "exact", provider), provider, known)


def _no_provider(path: Path, name: str, known: Collection[str]) -> Problem:
    hint = did_you_mean(name, known) or "install the package that brings it"
    at: At = "key" if path[-1] == name else "value"
    return Problem(path, f"there is no provider `{name}`; cloudml knows {listed(known)}", hint, at=at)


def _feeding(job: JobSpec, project: ProjectSpec) -> dict[str, str]:
    """The jobs whose outputs *job* reads, and by which input."""
    owners = {owner(reference): port for port, reference in job.inputs.items() if reference.startswith("jobs.")}
    return {
        job.removeprefix("jobs."): port for job, port in owners.items() if job.removeprefix("jobs.") in project.jobs
    }


def _cycle(project: ProjectSpec) -> Iterator[Problem]:
    """The first cycle of jobs, beginning with the job that stands first in the file."""
    feeding = {name: _feeding(job, project) for name, job in project.jobs.items()}
    try:
        TopologicalSorter(feeding).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1][:-1]
        order = list(project.jobs)
        start = ring.index(min(ring, key=order.index))
        ring = [*ring[start:], *ring[: start + 1]]
        arrows = " -> ".join(f"jobs.{name}" for name in ring)
        path = ("jobs", ring[0], "inputs", feeding[ring[0]][ring[-2]])
        hint = "let one of them read a dataset, or an output of a job outside the circle"
        yield Problem(path, f"these jobs wait for each other: {arrows}", hint)


def _deaf_monitors(project: ProjectSpec, unsure: AbstractSet[Path]) -> Iterator[Problem]:
    for name, monitor in project.monitors.items():
        watched = owner(monitor.endpoint).partition(".")[2]
        endpoint = project.endpoints.get(watched)
        sure = not unsure & {("endpoints", watched, "capture")}
        if endpoint is not None and endpoint.capture == 0 and sure:
            message = f"`{monitor.endpoint}` records no requests, so there is nothing to watch"
            yield Problem(("monitors", name, "endpoint"), message, f"set `capture: 1.0` in `{monitor.endpoint}`")
