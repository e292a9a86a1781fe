"""`cloudml provider check`: who asks, what they may, the bucket, the service account and the quotas, each apart.

Each kind of thing is asked which of the needed permissions the caller has on it, so that nothing is made to find out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.clouds.checking import probed
from cloudml.errors import NotFoundError, ProviderError
from cloudml.records import dataclass
from cloudml.seam import Finding
from cloudml_gcp import permissions
from cloudml_gcp.quotas import findings as quotas

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from cloudml_gcp.clients import Clients
    from cloudml_gcp.places import Places
    from cloudml_gcp.quotas import Wanted

GRANT = "docs/gcp-permissions.md has the whole list"
AT_ONCE = 100
"""So many permissions are asked about in one request."""
MULTI_REGIONS = {"EU": ("europe-",), "US": ("us-",), "ASIA": ("asia-",)}
"""Locations of buckets that hold regions."""


def findings(clients: Clients, places: Places, wanted: Iterable[Wanted] = ()) -> Iterator[Finding]:
    """All of it, in order; where nobody is signed in, nothing more is asked.

    Args:
        clients: The clients of the target.
        places: Where the project lies.
        wanted: What quotas count.
    """
    looking = Looking(clients, places)
    signed_in = yield from looking.credentials()
    if not signed_in:
        return
    yield from looking.permissions()
    yield from looking.accounts()
    yield from looking.bucket()
    yield from quotas(clients, tuple(wanted))


@dataclass(frozen=True, slots=True)
class Looking:
    """One check of one target."""

    clients: Clients
    places: Places

    def credentials(self) -> Generator[Finding, None, bool]:
        """Who asks, and whether the project is there; gives whether to go on."""
        settings = self.clients.settings
        try:
            who = getattr(self.clients.credentials(), "service_account_email", "") or "a user's credentials"
            project = self.clients.send("cloudresourcemanager:GetProject", {"name": f"projects/{settings.project_id}"})
        except ProviderError as error:
            yield Finding(group="credentials", subject="identity", ok=False, text=error.message, hint=error.hint)
            return False
        active = bool(project.get("state", "ACTIVE") == "ACTIVE")
        told = f"{settings.project_id}, number {str(project.get('name', '')).rpartition('/')[2]}"
        yield Finding(group="credentials", subject="identity", ok=True, text=str(who))
        yield Finding(group="credentials", subject="project", ok=active, text=told, hint="the project is being deleted")
        return active

    def permissions(self) -> Iterator[Finding]:
        """What the caller may on the project, each part of cloudml apart."""
        settings = self.clients.settings
        chosen = [one for one in permissions.needed(permissions.CALLER, settings) if one.on == permissions.PROJECT]
        for noun in dict.fromkeys(one.noun for one in chosen):
            wanted = permissions.names([one for one in chosen if one.noun == noun], permissions.PROJECT)
            body = {"resource": f"projects/{settings.project_id}"}
            yield self._allowed("permissions", noun, "cloudresourcemanager:TestIamPermissions", body, wanted)

    def accounts(self) -> Iterator[Finding]:
        """Whether the caller may let jobs and schedules run as the target's accounts."""
        settings = self.clients.settings
        wanted = permissions.names(permissions.CALLER, permissions.ACCOUNT)
        accounts = dict.fromkeys([settings.service_account, settings.scheduler_service_account])
        for account in filter(None, accounts):
            body = {"resource": f"projects/-/serviceAccounts/{account}"}
            yield self._allowed("accounts", account, "iam:TestIamPermissions", body, wanted)

    def bucket(self) -> Iterator[Finding]:
        """Whether it is there, in the region, and can be written to."""
        bucket, region = self.places.bucket, self.clients.settings.region
        try:
            there = self.clients.send("storage:GetBucket", {"bucket": bucket})
        except NotFoundError:
            yield Finding(
                group="bucket", subject=bucket, ok=False, text="there is no such bucket",
                hint="make it, or set `bucket`",
            )  # fmt: skip
            return
        except ProviderError as error:
            yield Finding(group="bucket", subject=bucket, ok=None, text=f"not looked at: {error.message}", hint=GRANT)
        else:
            lies = str(there.get("location", ""))
            yield Finding(
                group="bucket", subject="region", ok=holds(lies, region), text=lies,
                hint=f"Vertex AI reads buckets of its own region fast and without costs: use one in {region}",
            )  # fmt: skip
        wanted = permissions.names(permissions.CALLER, permissions.BUCKET)
        yield self._allowed("bucket", "permissions", "storage:TestIamPermissions", {"bucket": bucket}, wanted)
        yield self._probe()

    def _allowed(
        self, group: str, subject: str, operation: str, body: dict[str, Any], wanted: tuple[str, ...]
    ) -> Finding:
        allowed: set[str] = set()
        try:
            for start in range(0, len(wanted), AT_ONCE):
                asked = {**body, "permissions": list(wanted[start : start + AT_ONCE])}
                allowed |= {*self.clients.send(operation, asked).get("permissions", ())}
        except ProviderError as error:
            return Finding(group=group, subject=subject, ok=None, text=f"not looked at: {error.message}", hint=GRANT)
        denied = sorted({*wanted} - allowed)
        text = f"denied: {', '.join(denied)}" if denied else "all that is needed"
        return Finding(group=group, subject=subject, ok=not denied, text=text, hint=GRANT)

    def _probe(self) -> Finding:
        """Whether objects can be written, read and removed."""
        well, text = probed(self.clients.storage(self.places.root))
        return Finding(group="bucket", subject="objects", ok=well, text=text, hint="" if well else GRANT)


def holds(location: str, region: str) -> bool:
    """Whether a bucket at a location is in a region, or in a multi-region that holds it."""
    return location.lower() == region or region.startswith(MULTI_REGIONS.get(location.upper(), ("-",)))
