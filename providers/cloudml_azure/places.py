"""Where things lie in the storage container, and how Azure ML calls such a place.

The layout is that of `cloudml.clouds.places`, with captured requests in a folder of each collection:

  capture/<endpoint>/model_inputs/…   what was asked, as Azure ML's data collector writes it
  capture/<endpoint>/model_outputs/…  what was answered
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cloudml.clouds import places
from cloudml.plan import Call

if TYPE_CHECKING:
    from cloudml_azure.settings import AzureSettings


class Places(places.Places):
    """The addresses below one project's root in a storage container."""

    __slots__ = ()
    SCHEME: ClassVar[str] = "az"


def datastore_uri(uri: str, settings: AzureSettings) -> str:
    """An address in the container as jobs and assets name it; a foreign address stays as it is."""
    root = f"az://{settings.container}/"
    if not uri.startswith(root):
        return uri
    return f"azureml://datastores/{settings.datastore_name}/paths/{uri.removeprefix(root)}"


def blob_url(uri: str, settings: AzureSettings) -> str:
    """An address in the container as a web address, which code assets need."""
    root = f"az://{settings.container}/"
    return f"https://{settings.storage_account}.blob.core.windows.net/{settings.container}/{uri.removeprefix(root)}"


def datastore(settings: AzureSettings) -> Call:
    """The datastore by which jobs reach the container: without secrets, so that who reads must be allowed to."""
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": settings.storage_account,
        "containerName": settings.container,
        "credentials": {"credentialsType": "None"},
        "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
        "description": "Made by cloudml",
        "tags": dict(settings.tags),
    }
    return Call("Datastores_CreateOrUpdate", {"name": settings.datastore_name, "properties": properties})
