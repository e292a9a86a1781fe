"""The permissions that this provider needs, as data: each action, why, and on what.

docs/azure-permissions.md is written from here, `cloudml provider check` asks about each, and a test compares the list
with what a whole life of a project sends. Sources: the resource provider operations of Microsoft.Insights, of
Microsoft.MachineLearningServices and of Microsoft.Storage; for identities, "Authentication and authorization for online
endpoints" and "Set up authentication between Azure Machine Learning and other services".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass
from cloudml_azure.requests import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloudml_azure.settings import AzureSettings

ML = "Microsoft.MachineLearningServices/workspaces"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers"
WORKSPACE, GROUP, CONTAINER, SUBSCRIPTION = "workspace", "resource group", "container", "subscription"
ENTRA = "entra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Actions that are granted together.

    Attributes:
        noun: The part of cloudml that needs them.
        actions: As roles name them.
        scope: Where they are granted.
        why: In a few words.
        data: Whether they are data actions.
        only_with: The value of `authentication` without which they are not needed.
    """

    noun: str
    actions: tuple[str, ...]
    scope: str
    why: str
    data: bool = False
    only_with: str = ""


def _ml(noun: str, actions: str, why: str) -> Permission:
    return Permission(noun=noun, actions=tuple(f"{ML}/{one}" for one in actions.split()), scope=WORKSPACE, why=why)


CALLER: tuple[Permission, ...] = (
    _ml("workspace", "read datastores/read datastores/write", "to find the workspace, and to name the container"),
    Permission(
        noun="container",
        actions=(f"{BLOBS}/blobs/read", f"{BLOBS}/blobs/write", f"{BLOBS}/blobs/delete", f"{BLOBS}/blobs/add/action"),
        scope=CONTAINER, why="data, code, outputs, reports", data=True,
    ),
    _ml("datasets", "data/versions/read data/versions/write data/versions/delete", "data assets"),
    _ml("jobs", "jobs/read jobs/write jobs/delete jobs/cancel/action", "jobs, and the runs of monitors"),
    _ml("jobs", "codes/versions/read codes/versions/write codes/versions/delete", "the code of jobs and of models"),
    _ml(
        "jobs", "environments/versions/read environments/versions/write environments/versions/delete",
        "images of one's own, and those that serve models",
    ),
    _ml("jobs", "experiments/runs/read", "logs and metrics of runs"),
    _ml("models", "models/read models/versions/read models/versions/write models/versions/delete", "the registry"),
    _ml(
        "endpoints",
        "onlineEndpoints/read onlineEndpoints/write onlineEndpoints/delete onlineEndpoints/deployments/read"
        " onlineEndpoints/deployments/write onlineEndpoints/deployments/delete"
        " onlineEndpoints/deployments/getLogs/action",
        "endpoints, their deployments and what those print",
    ),
    _ml("endpoints", "onlineEndpoints/listKeys/action", "requests with a key"),
    Permission(
        noun="endpoints", actions=(f"{ML}/onlineEndpoints/score/action",), scope=WORKSPACE,
        why="requests with a token of Entra ID", only_with=ENTRA,
    ),
    Permission(
        noun="endpoints",
        actions=("Microsoft.Insights/autoscalesettings/read", "Microsoft.Insights/autoscalesettings/write",
                 "Microsoft.Insights/autoscalesettings/delete"),
        scope=GROUP, why="endpoints that grow with their load",
    ),
    _ml("monitors", "schedules/read schedules/write schedules/delete", "monitors that run by themselves"),
)  # fmt: skip
"""What the identity needs that runs cloudml."""

EXECUTION: tuple[Permission, ...] = (
    Permission(
        noun="container",
        actions=(f"{BLOBS}/blobs/read", f"{BLOBS}/blobs/write", f"{BLOBS}/blobs/delete", f"{BLOBS}/blobs/add/action"),
        scope=CONTAINER, why="inputs, outputs, checkpoints, captured requests", data=True,
    ),
    Permission(
        noun="images", actions=("Microsoft.ContainerRegistry/registries/pull/read",), scope="container registry",
        why="to pull images of one's own (the role AcrPull)",
    ),
    _ml("metrics", "metrics/resource/write", "metrics of endpoints"),
)  # fmt: skip
"""What the identity of jobs and endpoints needs: that of `identity`, else the workspace's and the endpoint's own."""

CHECKING: tuple[str, ...] = (
    "Microsoft.Authorization/permissions/read",
    "Microsoft.MachineLearningServices/locations/usages/read",
)
"""What `cloudml provider check` uses besides; without them it says what it could not look at."""

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "PutBlob": (f"{BLOBS}/blobs/write",),
    "GetBlob": (f"{BLOBS}/blobs/read",),
    "GetBlobProperties": (f"{BLOBS}/blobs/read",),
    "ListBlobs": (f"{BLOBS}/blobs/read",),
    "CopyBlob": (f"{BLOBS}/blobs/read", f"{BLOBS}/blobs/write"),
    "PutBlock": (f"{BLOBS}/blobs/write",),
    "GetBlockList": (f"{BLOBS}/blobs/read",),
    "PutBlockList": (f"{BLOBS}/blobs/write",),
    "DeleteBlob": (f"{BLOBS}/blobs/delete",),
    "Batch": (f"{BLOBS}/blobs/delete",),
    "Runs_GetDetails": (f"{ML}/experiments/runs/read",),
    "Runs_Get": (f"{ML}/experiments/runs/read",),
    "Permissions_List": ("Microsoft.Authorization/permissions/read",),
    "Operations_Status": (),
    "Discovery_Get": (),
    "Score": (),
}
"""The data actions of operations of storage, and the actions of what is no resource of the workspace.

Who may make something may look at how it goes on, anybody may read where the workspace's data planes are, and whoever
has an endpoint's key may ask it.
"""
VERBS: Mapping[str, str] = {"GET": "read", "PUT": "write", "DELETE": "delete", "POST": "action"}
IMPLIED = frozenset({f"{BLOBS}/blobs/add/action"})
"""Actions that no operation of ours is called after: storage may ask for it where a blob is new."""


def actions_of(operation: str) -> tuple[str, ...]:
    """The actions that an operation, ``Jobs_Cancel``, asks for: those of its path and its verb.

    Args:
        operation: With or without the service, as in ``ml:Jobs_Cancel``.

    Raises:
        KeyError: No request of cloudml is called so.
    """
    name = operation.rpartition(":")[2]
    if name in OPERATIONS:
        return OPERATIONS[name]
    route = ROUTES[name]
    kinds = [part for part in route.path.split("/") if part and not part.startswith("{")]
    whole = kinds[1:] if kinds[:1] == ["providers"] else [ML, *kinds]
    return ("/".join([*whole, VERBS[route.method]]),)


def granted_to_caller(settings: AzureSettings) -> frozenset[str]:
    """The actions that this target's caller has."""
    return frozenset(action for one in needed(CALLER, settings) for action in one.actions)


def needed(permissions: Iterable[Permission], settings: AzureSettings) -> Iterator[Permission]:
    """Those that this target needs."""
    return (one for one in permissions if not one.only_with or one.only_with == settings.authentication)


def role(permissions: Iterable[Permission], name: str, scopes: Iterable[str]) -> dict[str, Any]:
    """A custom role that grants them, as `az role definition create` reads it."""
    given = tuple(permissions)
    return {
        "Name": name,
        "IsCustom": True,
        "Description": "What cloudml needs",
        "Actions": sorted({action for one in given if not one.data for action in one.actions}),
        "DataActions": sorted({action for one in given if one.data for action in one.actions}),
        "AssignableScopes": list(scopes),
    }


def granted(action: str, roles: Iterable[Mapping[str, Any]], *, data: bool = False) -> bool:
    """Whether one of somebody's roles, as the service lists them, grants an action and does not take it back."""
    yes, no = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(_any(action, one.get(yes)) and not _any(action, one.get(no)) for one in roles)


def _any(action: str, patterns: Any) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) for pattern in patterns or ()
    )
