"""A rehearsal: the provider, connected to a double that has what the target names."""

from __future__ import annotations

from contextlib import contextmanager
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
        yield provider(clients, context)


def signed_in(gcp: Double) -> Any:
    """The credentials of the double's service account, whose tokens it makes itself."""
    from google.oauth2.service_account import Credentials

    key = gcp.world.tokens.file(gcp.url)
    return Credentials.from_service_account_info(key, scopes=["https://www.googleapis.com/auth/cloud-platform"])  # type: ignore[no-untyped-call]  # google-auth has no annotations here
