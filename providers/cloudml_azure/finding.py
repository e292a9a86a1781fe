"""Finding jobs: the attempts of one, and all of a project by the property that each has, and by its cards.

A card without a job is a job that was never started, or one that is so new that no list has it yet.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clouds import cards
from cloudml.clouds.jobs import not_started
from cloudml.errors import NotFoundError, ProviderError
from cloudml_azure import names
from cloudml_azure.states import Told, lift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.status import JobStatus
    from cloudml.storage import Storage
    from cloudml_azure.clients import Clients
    from cloudml_azure.places import Places

SECTION = "jobs"
PROJECT, NAME, MONITOR = "cloudml-project", "cloudml-name", "cloudml-monitor"
"""Properties of jobs, by which lists are filtered: the project, our name of a job, a monitor's of its runs."""


def attempt(name: str, number: int) -> str:
    """What Azure ML calls that attempt of a job."""
    return name if number == 1 else f"{name}-r{number}"


def described(clients: Clients, name: str) -> dict[str, Any] | None:
    """What Azure ML says of the job with exactly that name; None where there is none."""
    try:
        return clients.send("Jobs_Get", {"name": name})
    except NotFoundError:
        return None


def attempts(clients: Clients, name: str) -> list[dict[str, Any]]:
    """The attempts of a job, the first one first."""
    found: list[dict[str, Any]] = []
    while (one := described(clients, attempt(name, len(found) + 1))) is not None:
        found.append(one)
    return found


def listed(clients: Clients, wanted: str) -> Iterator[dict[str, Any]]:
    """The jobs with a property of that value, ``cloudml-project=flights``, the newest first."""
    yield from clients.pages("Jobs_List", {"query": {"properties": wanted, "listViewType": "ActiveOnly"}})


def jobs(clients: Clients, storage: Storage, places: Places, project: str) -> Iterator[JobStatus]:
    """Every job of the project, as its last attempt stands; the runs of monitors are none of them."""
    kept = cards.listed(storage, places.card(SECTION, "")).keys()
    latest: dict[str, dict[str, Any]] = {}
    for one in listed(clients, f"{PROJECT}={project}"):
        said = one["properties"].get("properties") or {}
        name = str(said.get(NAME) or ("" if MONITOR in said else one["name"]))  # its own, where cloudml did not make it
        if name and _number(name, one) > _number(name, latest.get(name, {})):
            latest[name] = one
    for name, description in latest.items():
        yield lift(description, Told(name=name))
    for name in kept - latest.keys():
        yield from _kept(clients, name, card(storage, places, name), project)


def _number(name: str, description: Mapping[str, Any]) -> int:
    """Which attempt it is; 0 for none."""
    said = str(description.get("name", ""))
    ending = said.removeprefix(f"{name}-r")
    return 0 if not said else int(ending) if ending != said and ending.isdigit() else 1


def card(storage: Storage, places: Places, name: str) -> dict[str, Any]:
    """A job's card; empty where cloudml did not start it."""
    with suppress(NotFoundError):
        return cards.read(storage, places.card(SECTION, name))
    return {}


def metrics(clients: Clients, name: str) -> dict[str, float]:
    """The last values of a run's numbers, from Azure ML's MLflow interface; none where it does not answer."""
    with suppress(ProviderError):
        run = clients.send("Runs_Get", {"query": {"run_id": name}}).get("run", {})
        return {one["key"]: float(one["value"]) for one in run.get("data", {}).get("metrics", ())}
    return {}


def _kept(clients: Clients, name: str, said: Mapping[str, Any], project: str) -> Iterator[JobStatus]:
    """The job of a card: one so new that no list has it yet, or one that was never started."""
    tags = said.get("tags", {})
    if tags.get("cloudml-project") != project:
        return
    found = attempts(clients, name)
    yield lift(found[-1], Told(name=name)) if found else not_started(names.fit(name), said)
