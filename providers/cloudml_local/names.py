"""Identities -> names here. Every name that cloudml makes is a good folder name, so they are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudml.resources import Identity


def native(identity: Identity) -> str:
    """The name under which the object is kept."""
    return identity.name


def group(identity: Identity) -> str:
    """What the versions of a model have in common."""
    return f"{identity.project}-{identity.label}"
