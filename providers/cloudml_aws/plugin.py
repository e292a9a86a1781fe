"""The plugin: what this provider is, before anyone connects."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudml.seam import Plugin, Provider
from cloudml_aws.capabilities import CAPABILITIES
from cloudml_aws.places import Places
from cloudml_aws.settings import AwsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.seam import Context, Finding
    from cloudml_aws.clients import Clients


def connect(settings: AwsSettings, context: Context) -> Provider:
    """The provider for a target; nothing is sent and no SDK is loaded yet."""
    from cloudml_aws.clients import Clients

    return provider(Clients(settings), context)


def places(settings: AwsSettings, context: Context) -> Places:
    """Where things lie for a project."""
    return Places(settings.bucket, f"{settings.prefix}/{context.project}")


def provider(clients: Clients, context: Context) -> Provider:
    """The provider over these clients."""
    from cloudml_aws.clients import verify
    from cloudml_aws.datasets import AwsDatasets
    from cloudml_aws.endpoints import AwsEndpoints
    from cloudml_aws.jobs import AwsJobs
    from cloudml_aws.logs import AwsLogs
    from cloudml_aws.models import AwsModels
    from cloudml_aws.monitors import AwsMonitors

    where = places(clients.settings, context)
    logs = AwsLogs(clients)
    return Provider(
        datasets=AwsDatasets(clients, where),
        jobs=AwsJobs(clients, where, logs),
        models=AwsModels(clients, where),
        endpoints=AwsEndpoints(clients, where),
        monitors=AwsMonitors(clients, where),
        logs=logs,
        verify=verify,
        sleep=clients.sleep,
    )


def check(settings: AwsSettings, context: Context) -> Iterator[Finding]:
    """Credentials, permissions, quota and bucket, apart."""
    from cloudml.clouds.checking import of_folder
    from cloudml_aws.checking import findings
    from cloudml_aws.clients import Clients
    from cloudml_aws.quotas import of_project

    return findings(Clients(settings), places(settings, context), of_folder(context.root, of_project))


@contextmanager
def rehearse(settings: AwsSettings, context: Context) -> Iterator[Provider]:
    """The provider on the double, provisioned with what the settings name."""
    from cloudml_aws.double.rehearsal import rehearse as on_the_double

    with on_the_double(settings, context) as there:
        yield there


def native(settings: AwsSettings) -> Any:
    """The official SDK's session for the target."""
    from cloudml_aws.clients import native as official

    return official(settings)


PLUGIN = Plugin(
    name="aws",
    title="Amazon SageMaker",
    settings=AwsSettings,
    capabilities=CAPABILITIES,
    connect=connect,
    check=check,
    poll_s=(5.0, 30.0),
    extra="aws",
    native=native,
    rehearse=rehearse,
)
