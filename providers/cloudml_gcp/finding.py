"""Finding jobs: a card in the bucket has the number that Vertex AI gave a job, its label our name.

Lists and filters are seconds behind what was made; the card is not. Where a card has no number yet, whoever wrote it is
starting the job, or was interrupted: it is looked for by its label for a while.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clouds import cards, settling
from cloudml.clouds.jobs import not_started
from cloudml.errors import NotFoundError
from cloudml_gcp import names
from cloudml_gcp.states import Told, lift, name_of, native_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.status import JobStatus
    from cloudml.storage import Storage
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.places import Places

SECTION = "jobs"
JOB = "job"
"""The member of a card that has Vertex AI's name."""
PAGE = 100
LAG_S = 60.0
"""For so long a job that was just made may be missing from lists."""
LIST = "aiplatform:ListCustomJobs"
GET = "aiplatform:GetCustomJob"


def described(clients: Clients, job: str) -> dict[str, Any] | None:
    """Vertex AI's description of a job by its own name; None where it is gone."""
    try:
        return clients.send(GET, {"name": job})
    except NotFoundError:
        return None


def labelled(clients: Clients, name: str) -> list[dict[str, Any]]:
    """The jobs with that name of ours, the youngest first; those that came to nothing stand last.

    The name of one that was made without cloudml is its number.
    """
    if names.given(name):
        found = described(clients, f"{clients.settings.parent}/customJobs/{name}")
        return [found] if found else []
    return sorted(_listed(clients, f"labels.{names.ID}={name}"), key=_weight, reverse=True)


def _weight(job: Mapping[str, Any]) -> tuple[bool, str]:
    found = native_state(job)
    return not found.over or found.good, str(job.get("createTime", ""))


def settled(clients: Clients, name: str, besides: str = "") -> dict[str, Any] | None:
    """The job of that name that was made a moment ago, once lists have it; None when there is none.

    Args:
        clients: The clients of the target.
        name: Our name.
        besides: Vertex AI's name of one that is known and not meant.
    """
    for pause in (*settling.pauses(LAG_S), None):
        found = [job for job in labelled(clients, name) if job["name"] != besides]
        if found:
            return found[0]
        if pause is not None:
            clients.sleep(pause)
    return None


def jobs(clients: Clients, storage: Storage, places: Places, project: str) -> Iterator[JobStatus]:
    """Every job of the project; of several with one name the one that counts.

    Cards are read where lists do not tell: of names that several jobs have, and of names that none has.
    """
    with ThreadPoolExecutor(1) as aside:
        listing = aside.submit(cards.listed, storage, places.card(SECTION, ""))
        found: dict[str, list[dict[str, Any]]] = {}
        for job in _listed(clients, f"labels.{names.PROJECT}={project}"):
            if _ours(names.tags(job.get("labels", {})), project):
                found.setdefault(name_of(job), []).append(job)
        kept = listing.result()
    for name, alike in found.items():
        card = _card(storage, places, name) if len(alike) > 1 and name in kept else {}
        yield lift(max(alike, key=lambda one: (one["name"] == card.get(JOB), *_weight(one))), Told(card=card))
    for name in kept.keys() - found.keys():
        card = _card(storage, places, name)
        if _ours(card.get("tags", {}), project):
            found_now = described(clients, card[JOB]) if card.get(JOB) else None
            yield lift(found_now, Told(card=card)) if found_now else not_started(name, card)


def _listed(clients: Clients, condition: str) -> Iterator[dict[str, Any]]:
    body = {"parent": clients.settings.parent, "filter": condition, "pageSize": PAGE}
    return clients.pages(LIST, body, "customJobs")


def _ours(tags: Mapping[str, str], project: str) -> bool:
    """Whether a job is one of the project's; the runs of its monitors are not."""
    of = tags.get(names.RESOURCE) or f"{SECTION}."  # a job that cloudml did not make says no more than the project
    return tags.get(names.PROJECT) == project and of.startswith(f"{SECTION}.")


def _card(storage: Storage, places: Places, name: str) -> dict[str, Any]:
    with suppress(NotFoundError):  # removed meanwhile
        return cards.read(storage, places.card(SECTION, name))
    return {}
