"""Machines and images: what there is none of, and what Azure says then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml_azure.double.resources import path_of

if TYPE_CHECKING:
    from cloudml_azure.double.world import World


def is_built(world: World, environment: str) -> bool:
    """Whether an image has to be built for an environment: it adds packages to one, or has a Dockerfile."""
    record = world.resources.find(path_of(environment))
    return record is not None and bool(record["properties"].get("condaFile") or record["properties"].get("build"))


def over_quota(kind: str, count: int) -> str:
    """There is not enough quota for so many machines."""
    return (
        f"Not enough quota available for {kind} in SubscriptionId. Current usage/limit: 0/0. Additional needed: "
        f"{count}. Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota"
    )


def no_capacity(world: World, kind: str) -> str:
    """The region has no such machines now."""
    return (
        f"AllocationFailed: Allocation failed. There is not sufficient capacity for the requested VM size {kind} in "
        f"region {world.region}. Try another VM size or region, or try again later."
    )
