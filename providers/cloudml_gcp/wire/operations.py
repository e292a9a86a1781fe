"""Operations that take their time: what they say, and waiting for them.

An operation is named below the resource that it is about; a failed one is an answer with HTTP status 200 and a number.
Source: google/longrunning/operations.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.clouds import settling
from cloudml.errors import NotFoundError, ProviderError, UnavailableError
from cloudml_gcp.errors import of_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml_gcp.clients import Clients

GET = "aiplatform:GetOperation"
LIST = "aiplatform:ListOperations"


def done(operation: Mapping[str, Any]) -> bool:
    """Whether it is over, well or badly."""
    return bool(operation.get("done"))


def failure(operation: Mapping[str, Any], what: str) -> ProviderError | None:
    """The error for an operation that failed; None for every other.

    Args:
        operation: As it is described.
        what: The request that began it.
    """
    told = operation.get("error")
    return of_status(what, int(told.get("code", 0)), str(told.get("message", ""))) if told else None


def kind(operation: Mapping[str, Any]) -> str:
    """What it is about, by the type of its metadata: ``DeployModel``."""
    word = str(operation.get("metadata", {}).get("@type", "")).rpartition(".")[2]
    return word.removesuffix("OperationMetadata")


def began(operation: Mapping[str, Any]) -> str:
    """When it began, as text that sorts by time."""
    return str(operation.get("metadata", {}).get("genericMetadata", {}).get("createTime", ""))


def stage(operation: Mapping[str, Any]) -> str:
    """How far a deployment has come, in words; empty where it does not say."""
    return str(operation.get("metadata", {}).get("deploymentStage", "")).lower().replace("_", " ")


def of(clients: Clients, resource: str) -> list[dict[str, Any]]:
    """The operations of a resource that are remembered, the oldest first; none of one that is not there."""
    try:
        found = list(clients.pages(LIST, {"name": resource}, "operations"))
    except NotFoundError:
        return []
    return sorted(found, key=began)


def waited(clients: Clients, operation: Mapping[str, Any], what: str, limit_s: float) -> Mapping[str, Any]:
    """What an operation gives, once it is over.

    Raises:
        ProviderError: It failed, as `failure` has it.
        UnavailableError: It was not over after *limit_s* seconds; it goes on.
    """
    for pause in _pauses(limit_s):
        if done(operation):
            break
        clients.sleep(pause)
        operation = clients.send(GET, {"name": operation["name"]})
    if error := failure(operation, what):
        raise error
    if not done(operation):
        raise UnavailableError(f"{what} is not over after {limit_s:g} seconds", operation=what, hint="run it again")
    found: Mapping[str, Any] = operation.get("response", {})
    return found


def _pauses(limit_s: float) -> Iterator[float]:
    yield from settling.pauses(limit_s)
    yield 0.0
