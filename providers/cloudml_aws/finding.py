"""Finding the jobs of a project: its tags, the summaries of all jobs whose name begins like its own, and its cards.

The index of tags is some minutes behind: a job that it does not show yet is known by its card, and one that it still
shows though it is gone is not among the summaries. A card without a job is a job that was never started.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.clouds import cards
from cloudml.clouds.jobs import not_started
from cloudml.errors import NotFoundError
from cloudml_aws.kinds import KINDS, Kind
from cloudml_aws.states import DELETING, Told, lift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.status import JobStatus
    from cloudml.storage import Storage
    from cloudml_aws.clients import Clients
    from cloudml_aws.places import Places

PAGE = 100
SECTION = "jobs"
PROJECT, RESOURCE = "cloudml-project", "cloudml-resource"

Key = tuple[str, str]
"""The key of a kind, and a job's name in small letters, as resource names have it."""


def jobs(clients: Clients, storage: Storage, places: Places, project: str) -> Iterator[JobStatus]:
    """Every job of the project. Cards, tags and summaries are listed at the same time, page after page each."""
    with ThreadPoolExecutor(2 + len(KINDS)) as aside:
        summaries = [aside.submit(_summaries, clients, one, project) for one in KINDS.values()]
        tags_of = aside.submit(_tagged, clients, project)
        kept = aside.submit(cards.listed, storage, places.card(SECTION, "")).result().keys()
        found = {key: summary for part in summaries for key, summary in part.result().items()}
        tagged = tags_of.result()
    for key in tagged.keys() - found.keys():  # named by somebody else, or gone
        if (description := _described(clients, key)) is not None:
            found[key] = description
    for (kind, name), summary in found.items():
        untold = (kind, name) not in tagged and name in kept
        whose = _card(storage, places, name).get("tags", {}) if untold else tagged.get((kind, name), {})
        if _ours(whose, project) and KINDS[kind].status(summary) != DELETING:
            yield lift(KINDS[kind], summary, Told(tags=whose))
    for name in kept - {name for _, name in found}:
        yield from _kept(clients, name, _card(storage, places, name), project)


def _ours(tags: Mapping[str, str], project: str) -> bool:
    """Whether a job is one of the project's; the runs of its monitors are not."""
    return tags.get(PROJECT) == project and tags.get(RESOURCE, f"{SECTION}.").startswith(f"{SECTION}.")


def tags(clients: Clients, arn: str) -> dict[str, str]:
    """The tags of one object."""
    return {one["Key"]: one["Value"] for one in clients.pages("sagemaker:ListTags", {"ResourceArn": arn}, "Tags")}


def _tagged(clients: Clients, project: str) -> dict[Key, dict[str, str]]:
    """The jobs that bear the project's tag, with all their tags."""
    body = {
        "TagFilters": [{"Key": PROJECT, "Values": [project]}],
        "ResourceTypeFilters": [f"sagemaker:{one.arn}" for one in KINDS.values()],
    }
    found = {}
    for one in clients.pages("resourcegroupstaggingapi:GetResources", body, "ResourceTagMappingList"):
        sort, _, name = one["ResourceARN"].rpartition(":")[2].partition("/")
        key = next((kind.key for kind in KINDS.values() if kind.arn == sort), None)
        if key:
            found[key, name.lower()] = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
    return found


def _summaries(clients: Clients, kind: Kind, project: str) -> dict[Key, dict[str, Any]]:
    body = {"NameContains": f"{project}-", "MaxResults": PAGE}
    found = clients.pages(kind.operation("List"), body, f"{kind.noun}Summaries")
    return {(kind.key, kind.name(summary).lower()): summary for summary in found}


def _described(clients: Clients, key: Key) -> dict[str, Any] | None:
    kind = KINDS[key[0]]
    with suppress(NotFoundError):
        return clients.send(kind.operation("Describe"), kind.named(key[1]))
    return None


def _card(storage: Storage, places: Places, name: str) -> dict[str, Any]:
    with suppress(NotFoundError):  # removed meanwhile
        return cards.read(storage, places.card(SECTION, name))
    return {}


def _kept(clients: Clients, name: str, card: Mapping[str, Any], project: str) -> Iterator[JobStatus]:
    """The job of a card: one so new that no list has it yet, or one that was never started."""
    whose = card.get("tags", {})
    if not _ours(whose, project):
        return
    kind = KINDS.get(card.get("kind", ""))
    description = _described(clients, (kind.key, name)) if kind else None
    if kind and description:
        yield lift(kind, description, Told(tags=whose))
    else:
        yield not_started(name, card)
