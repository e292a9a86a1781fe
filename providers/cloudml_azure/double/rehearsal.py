"""A rehearsal: the provider, connected to a double that has what the target names."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudml_azure.double import double

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.seam import Context, Provider
    from cloudml_azure.settings import AzureSettings

NAMED = ("subscription_id", "resource_group", "workspace", "region", "storage_account", "container")


@contextmanager
def rehearse(settings: AzureSettings, context: Context) -> Iterator[Provider]:
    """The provider of a target that needs no account: workspace, account and container are there, and nothing else."""
    from cloudml_azure.clients import Clients
    from cloudml_azure.plugin import provider

    with double(**{name: getattr(settings, name) for name in NAMED}) as azure:
        clients = Clients(
            settings,
            transport=azure.transport(),
            credential=azure.credential,
            blob_endpoint=azure.blob_url,
            sleep=azure.clock.sleep,
        )
        yield replace(provider(clients, context), double=azure)
