"""`cloudml provider check`: who asks, what they may, the workspace, its storage, the identity and the quotas.

Permissions are those that the service lists for the caller at the workspace, so that nothing is made to find out; what
a policy forbids, only the probe of the container shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.clouds.checking import probed
from cloudml.errors import AuthenticationError, NotFoundError, ProviderError
from cloudml.records import dataclass
from cloudml.seam import Finding
from cloudml_azure import permissions
from cloudml_azure.quotas import findings as quotas

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from cloudml_azure.clients import Clients
    from cloudml_azure.places import Places
    from cloudml_azure.quotas import Wanted

GRANT = "docs/azure-permissions.md has the whole role"
ASK = "allow Microsoft.Authorization/permissions/read on the workspace to have this looked at"


def findings(clients: Clients, places: Places, wanted: Iterable[Wanted] = ()) -> Iterator[Finding]:
    """All of it, in order; where nobody is signed in, or there is no workspace, nothing more is asked.

    Args:
        clients: The clients of the target.
        places: Where the project lies.
        wanted: The machines whose quotas count.
    """
    looking = Looking(clients, places)
    workspace = yield from looking.credentials()
    if workspace is None:
        return
    yield from looking.workspace(workspace)
    yield from looking.permissions()
    yield from looking.storage()
    yield looking.identity(workspace)
    yield from quotas(clients, tuple(wanted))


@dataclass
class Looking:
    """One check of one target."""

    clients: Clients
    places: Places

    def credentials(self) -> Generator[Finding, None, Mapping[str, Any] | None]:
        """Whether somebody is signed in; gives the workspace, or None where there is no going on."""
        settings = self.clients.settings
        try:
            found = self.clients.send("Workspaces_Get", {})
        except AuthenticationError as error:
            yield Finding(group="credentials", subject="identity", ok=False, text=error.message, hint=error.hint)
            return None
        except ProviderError as error:
            yield Finding(group="credentials", subject="identity", ok=True, text="signed in")
            missing = isinstance(error, NotFoundError)
            text = "there is no such workspace, or it may not be seen" if missing else error.message
            hint = "set `subscription_id`, `resource_group` and `workspace`" if missing else error.hint
            yield Finding(group="workspace", subject=settings.workspace, ok=False, text=text, hint=hint)
            return None
        yield Finding(group="credentials", subject="identity", ok=True, text="signed in")
        return found

    def workspace(self, found: Mapping[str, Any]) -> Iterator[Finding]:
        """Whether it is in the region, and of that storage account."""
        settings = self.clients.settings
        region = str(found.get("location", ""))
        yield Finding(
            group="workspace", subject="region", ok=region == settings.region, text=region,
            hint=f"set `region: {region}`",
        )  # fmt: skip
        account = str(found.get("properties", {}).get("storageAccount", "")).rpartition("/")[2]
        yield Finding(
            group="workspace", subject="storage account", ok=account == settings.storage_account, text=account,
            hint=f"code is fetched from the workspace's own account only: set `storage_account: {account}`",
        )  # fmt: skip

    def permissions(self) -> Iterator[Finding]:
        """What the caller may, each part of cloudml apart; data actions the probe of the container shows."""
        needed = [one for one in permissions.needed(permissions.CALLER, self.clients.settings) if not one.data]
        try:
            roles = tuple(self.clients.pages("Permissions_ListForResource", {}))
        except ProviderError as error:
            yield Finding(
                group="permissions", subject="roles", ok=None, text=f"not looked at: {error.message}", hint=ASK
            )
            return
        for noun in dict.fromkeys(one.noun for one in needed):
            actions = sorted({action for one in needed if one.noun == noun for action in one.actions})
            denied = [action for action in actions if not permissions.granted(action, roles)]
            text = f"denied: {', '.join(denied)}" if denied else "all that is needed"
            yield Finding(group="permissions", subject=noun, ok=not denied, text=text, hint=GRANT)

    def storage(self) -> Iterator[Finding]:
        """Write an object, read it, remove it; and whether the datastore leads there."""
        well, text = probed(self.clients.storage(self.places.root))
        yield Finding(
            group="storage", subject=self.places.bucket, ok=well, text=text,
            hint="grant Storage Blob Data Contributor on the container, and make it if it is not there",
        )  # fmt: skip
        yield self._datastore()

    def identity(self, workspace: Mapping[str, Any]) -> Finding:
        """Who jobs and endpoints are."""
        chosen = self.clients.settings.identity
        own = str((workspace.get("identity") or {}).get("type", ""))
        text = chosen or f"the workspace's own ({own or 'none'})"
        return Finding(
            group="identity", subject="jobs and endpoints", ok=True if chosen or own else None, text=text,
            hint="set `identity` to a user-assigned identity with Storage Blob Data Contributor and AcrPull",
        )  # fmt: skip

    def _datastore(self) -> Finding:
        settings = self.clients.settings
        name = settings.datastore_name
        try:
            found = self.clients.send("Datastores_Get", {"name": name})["properties"]
        except NotFoundError:
            own = settings.datastore is None
            text = f"`{name}` is not there" + (", and is made with the first dataset or job" if own else "")
            return Finding(
                group="storage", subject="datastore", ok=own, text=text, hint="make it, or leave `datastore` out"
            )
        except ProviderError as error:
            return Finding(group="storage", subject="datastore", ok=None, text=error.message, hint=error.hint)
        there = (found.get("accountName"), found.get("containerName"))
        return Finding(
            group="storage", subject="datastore", ok=there == (settings.storage_account, settings.container),
            text=f"`{name}` leads to {there[0]}/{there[1]}", hint="let it lead to the container, or name another one",
        )  # fmt: skip
