"""A rehearsal: the provider, connected to a double that has what the target names."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import double

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.seam import Context, Provider
    from cloudml_gcp.double import Double
    from cloudml_gcp.settings import GcpSettings


@contextmanager
def rehearse(settings: GcpSettings, context: Context) -> Iterator[Provider]:
    """The provider of a target that needs no account: bucket, project, region and account are there, nothing else."""
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.plugin import provider

    with double(
        region=settings.region,
        project=settings.project_id,
        service_account=settings.service_account,
        bucket=settings.bucket,
    ) as gcp:
        clients = Clients(settings, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
        yield replace(provider(clients, context), double=gcp)


def signed_in(gcp: Double) -> Any:
    """Credentials of the double's service account, whose tokens end on the double's clock and are made anew in time."""
    from google.auth.credentials import Credentials

    class OnItsClock(Credentials):
        """Tokens as the metadata server gives them, looked at each time: the clock may be moved."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no annotations here
            self.service_account_email = gcp.world.account
            self._ends = 0.0

        @property
        def valid(self) -> bool:
            return bool(self.token) and gcp.clock.seconds() < self._ends

        @property
        def expired(self) -> bool:
            return not self.valid

        def refresh(self, request: Any) -> None:
            del request
            said = gcp.world.tokens.grant()
            self.token = said["access_token"]
            self._ends = gcp.clock.seconds() + float(said["expires_in"]) / 2
            self.expiry = datetime.now(UTC).replace(tzinfo=None)

    return OnItsClock()
