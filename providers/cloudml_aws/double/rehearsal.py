"""A rehearsal: the provider, connected to a double that has what the target names."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudml_aws.double import KEY, SECRET, double

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.seam import Context, Provider
    from cloudml_aws.settings import AwsSettings


@contextmanager
def rehearse(settings: AwsSettings, context: Context) -> Iterator[Provider]:
    """The provider of a target that needs no account: bucket, role, region and account are there, and nothing else."""
    from cloudml_aws.clients import Clients
    from cloudml_aws.plugin import provider

    with double(
        region=settings.region, account=settings.account, role_arn=settings.role_arn, bucket=settings.bucket
    ) as aws:
        clients = Clients(settings, endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
        yield replace(provider(clients, context), double=aws)
