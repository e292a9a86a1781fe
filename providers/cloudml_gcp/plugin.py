"""The plugin: what this provider is, before anyone connects."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudml.seam import Plugin, Provider
from cloudml_gcp.capabilities import CAPABILITIES
from cloudml_gcp.places import Places
from cloudml_gcp.settings import GcpSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.seam import Context, Finding
    from cloudml_gcp.clients import Clients


def connect(settings: GcpSettings, context: Context) -> Provider:
    """The provider for a target; nothing is sent and no SDK is loaded yet."""
    from cloudml_gcp.clients import Clients

    return provider(Clients(settings), context)


def places(settings: GcpSettings, context: Context) -> Places:
    """Where things lie for a project."""
    return Places(settings.bucket, f"{settings.prefix}/{context.project}")


def provider(clients: Clients, context: Context) -> Provider:
    """The provider over these clients."""
    from cloudml_gcp.clients import verify
    from cloudml_gcp.datasets import GcpDatasets
    from cloudml_gcp.endpoints import GcpEndpoints
    from cloudml_gcp.jobs import GcpJobs
    from cloudml_gcp.logs import GcpLogs
    from cloudml_gcp.models import GcpModels
    from cloudml_gcp.monitors import GcpMonitors

    where = places(clients.settings, context)
    logs = GcpLogs(clients, where)
    return Provider(
        datasets=GcpDatasets(clients, where),
        jobs=GcpJobs(clients, where, logs),
        models=GcpModels(clients, where),
        endpoints=GcpEndpoints(clients, where, logs),
        monitors=GcpMonitors(clients, where, logs),
        logs=logs,
        verify=verify,
        sleep=clients.sleep,
    )


def check(settings: GcpSettings, context: Context) -> Iterator[Finding]:
    """Credentials, permissions, quota and bucket, apart."""
    from cloudml.clouds.checking import of_folder
    from cloudml_gcp.checking import findings
    from cloudml_gcp.clients import Clients
    from cloudml_gcp.quotas import of_project

    return findings(Clients(settings), places(settings, context), of_folder(context.root, of_project))


@contextmanager
def rehearse(settings: GcpSettings, context: Context) -> Iterator[Provider]:
    """The provider on the double, provisioned with what the settings name."""
    from cloudml_gcp.double.rehearsal import rehearse as on_the_double

    with on_the_double(settings, context) as there:
        yield there


def native(settings: GcpSettings) -> Any:
    """The official SDK's session for the target."""
    from cloudml_gcp.clients import native as official

    return official(settings)


PLUGIN = Plugin(
    name="gcp",
    title="Google Vertex AI",
    settings=GcpSettings,
    capabilities=CAPABILITIES,
    connect=connect,
    check=check,
    poll_s=(5.0, 30.0),
    extra="gcp",
    native=native,
    rehearse=rehearse,
)
