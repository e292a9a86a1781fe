"""Datasets in the target's container: `cloudml.clouds.datasets`, in Azure's words, with a data asset of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cloudml.clouds.datasets import BucketDatasets
from cloudml_azure import names, running, versions
from cloudml_azure.places import datastore

if TYPE_CHECKING:
    from cloudml.plan import Call
    from cloudml.resources import DatasetResource
    from cloudml_azure.clients import Clients


class AzureDatasets(BucketDatasets):
    """Datasets in the target's container."""

    __slots__ = ()
    UPLOAD: ClassVar[str] = running.UPLOAD
    RULE: ClassVar[str] = names.RULE
    clients: Clients

    def native(self, name: str) -> str:
        """The name as Azure takes it."""
        return names.fit(name)

    def listings(self, resource: DatasetResource) -> tuple[Call, ...]:
        """The datastore, and the data asset by which the studio knows the version."""
        settings = self.clients.settings
        return (datastore(settings), versions.data(resource.identity, self.uri(resource.identity), settings))

    def enlist(self, resource: DatasetResource) -> None:
        """Make the data asset."""
        store, asset = self.listings(resource)
        running.ensure(self.clients, store)
        versions.put(self.clients, asset)

    def strike(self, name: str) -> None:
        """Remove the data asset."""
        versions.remove(self.clients, versions.DATA, name)
