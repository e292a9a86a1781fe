"""The plugin: what this provider is, before anyone connects."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudml.seam import Plugin, Provider
from cloudml_azure.capabilities import CAPABILITIES
from cloudml_azure.places import Places
from cloudml_azure.settings import AzureSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.seam import Context, Finding
    from cloudml_azure.clients import Clients


def connect(settings: AzureSettings, context: Context) -> Provider:
    """The provider for a target; nothing is sent and no SDK is loaded yet."""
    from cloudml_azure.clients import Clients

    return provider(Clients(settings), context)


def places(settings: AzureSettings, context: Context) -> Places:
    """Where things lie for a project."""
    return Places(settings.container, f"{settings.prefix}/{context.project}")


def provider(clients: Clients, context: Context) -> Provider:
    """The provider over these clients."""
    from cloudml_azure.clients import verify
    from cloudml_azure.datasets import AzureDatasets
    from cloudml_azure.endpoints import AzureEndpoints
    from cloudml_azure.jobs import AzureJobs
    from cloudml_azure.logs import AzureLogs
    from cloudml_azure.models import AzureModels
    from cloudml_azure.monitors import AzureMonitors

    where = places(clients.settings, context)
    logs = AzureLogs(clients)
    return Provider(
        datasets=AzureDatasets(clients, where),
        jobs=AzureJobs(clients, where, logs),
        models=AzureModels(clients, where),
        endpoints=AzureEndpoints(clients, where, logs),
        monitors=AzureMonitors(clients, where, logs),
        logs=logs,
        verify=verify,
        sleep=clients.sleep,
    )


def check(settings: AzureSettings, context: Context) -> Iterator[Finding]:
    """Credentials, permissions, storage, identity and quota, apart."""
    from cloudml.clouds.checking import of_folder
    from cloudml_azure.checking import findings
    from cloudml_azure.clients import Clients
    from cloudml_azure.quotas import of_project

    return findings(Clients(settings), places(settings, context), of_folder(context.root, of_project))


@contextmanager
def rehearse(settings: AzureSettings, context: Context) -> Iterator[Provider]:
    """The provider on the double, provisioned with what the settings name."""
    from cloudml_azure.double.rehearsal import rehearse as on_the_double

    with on_the_double(settings, context) as there:
        yield there


def native(settings: AzureSettings) -> Any:
    """The official SDK's client for the target."""
    from cloudml_azure.clients import native as official

    return official(settings)


PLUGIN = Plugin(
    name="azure",
    title="Azure Machine Learning",
    settings=AzureSettings,
    capabilities=CAPABILITIES,
    connect=connect,
    check=check,
    poll_s=(5.0, 30.0),
    extra="azure",
    native=native,
    rehearse=rehearse,
)
