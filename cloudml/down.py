"""`status` and `down`: find all that a project has at a target by name and tag, and remove it, dependents first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from cloudml.errors import CloudMLError
from cloudml.events import Event, Happened
from cloudml.graph import service
from cloudml.records import dataclass
from cloudml.specs.project import SECTIONS
from cloudml.waiting import elapsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.events import Listener
    from cloudml.seam import Provider
    from cloudml.status import Status

PARALLEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """Something that is still there after `down`, and why."""

    resource: str
    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownResult:
    """What `down` did.

    Attributes:
        target: Where.
        removed: What it removed.
        residue: What is still there.
        unseen: Sections in which it could not look, and why: nothing is known of what is left there.
    """

    target: str
    removed: tuple[Status, ...]
    residue: tuple[Residue, ...]
    unseen: dict[str, str]

    @property
    def clean(self) -> bool:
        return not self.residue and not self.unseen

    def __repr__(self) -> str:
        return f"DownResult({self._title()})"

    def _title(self) -> str:
        left = f"{len(self.residue)} still there" if self.residue else "nothing is left"
        blind = f", could not look at {', '.join(self.unseen)}" if self.unseen else ""
        return f"{len(self.removed)} removed from {self.target}; {left}{blind}"

    def _repr_html_(self) -> str:
        from cloudml.notebook import table

        removed = [(one.resource, one.name, "removed") for one in self.removed]
        residue = [(one.resource, one.name, f"still there: {one.why}") for one in self.residue]
        unseen = [(section, "", f"could not look: {why}") for section, why in self.unseen.items()]
        return table(self._title(), ("resource", "name", ""), [*residue, *unseen, *removed])

    def as_json(self) -> dict[str, Any]:
        """As in the last line of `down --json`."""
        return {
            "target": self.target,
            "removed": [{"resource": one.resource, "name": one.name} for one in self.removed],
            "residue": [{"resource": one.resource, "name": one.name, "why": one.why} for one in self.residue],
            "could_not_look": dict(self.unseen),
        }


def everything(provider: Provider, project: str) -> Iterator[Status]:
    """All that the project has there, in the order of a model's life."""
    for section in SECTIONS:
        yield from service(provider, section).list(project)


def down(provider: Provider, project: str, target: str, listener: Listener) -> DownResult:
    """Remove all that the project has there, dependents first, and look again what is left."""
    removed: list[Status] = []
    failures: dict[str, str] = {}
    unseen: dict[str, str] = {}
    for section in reversed(SECTIONS):
        try:
            found = tuple(service(provider, section).list(project))
        except CloudMLError as error:
            unseen[section] = error.message
            continue
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="cloudml-down") as pool:
            outcomes = pool.map(lambda status, nouns=section: _delete(provider, nouns, status, listener), found)
            for status, problem in zip(found, outcomes, strict=True):
                if problem:
                    failures[status.name] = problem
                else:
                    removed.append(status)
    return DownResult(
        target=target, removed=tuple(removed), residue=_left(provider, project, failures, unseen), unseen=unseen
    )


def _delete(provider: Provider, section: str, status: Status, listener: Listener) -> str:
    """Why it could not be deleted, or ""."""
    began = time.monotonic()
    seen: dict[str, Any] = {"resource": status.resource, "name": status.name, "action": "delete"}
    listener(Event(event=Happened.STARTED, **seen))
    try:
        service(provider, section).delete(status.name)
    except CloudMLError as error:
        listener(Event(event=Happened.FAILED, message=error.message, seconds=elapsed(began), **seen))
        return error.message
    listener(Event(event=Happened.FINISHED, state="deleted", seconds=elapsed(began), **seen))
    return ""


def _left(provider: Provider, project: str, failures: dict[str, str], unseen: dict[str, str]) -> tuple[Residue, ...]:
    """What is still there; sections that cannot be looked into are added to *unseen*."""
    left: list[Residue] = []
    for section in SECTIONS:
        if section in unseen:
            continue
        try:
            left.extend(
                Residue(resource=one.resource, name=one.name, why=failures.get(one.name, "still there after deletion"))
                for one in service(provider, section).list(project)
            )
        except CloudMLError as error:
            unseen[section] = error.message
    return tuple(left)
