"""Identities -> names, versions and tags at Azure ML.

Assets, jobs and schedules have names of at most 255 letters, digits, hyphens and underscores; endpoints and deployments
of 3 to 32 letters, digits and single hyphens, and an endpoint's is the beginning of a host name that is unique in its
region. Sources: path parameters of Azure ML's REST interface; "Endpoint name rules" of the guide to online endpoints.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from cloudml.clouds.names import Alphabet
from cloudml.resources import SHORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import Identity
    from cloudml_azure.settings import AzureSettings

LONGEST = 240
"""Of the 255 characters some are left for what tells attempts and runs apart."""
RULE = "names of Azure ML have at most 255 letters, digits, hyphens and underscores"
ALPHABET = Alphabet(re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*"), re.compile(r"[^a-zA-Z0-9_-]+"), LONGEST)
ENDPOINT_RULE = "its name has at most 32 letters and digits, and is unique in the region by the digits at its end"
LONGEST_ENDPOINT = 32
DIGITS = 4
"""So many digits of an endpoint's name tell it from others, and so many more show that the name is one of ours."""
_FITTED = re.compile(rf"(.+-[0-9a-f]{{{DIGITS}}})([0-9a-f]{{{DIGITS}}})")
_VERSIONED = re.compile(rf"(.+)-([0-9a-f]{{{SHORT}}})")


def fit(name: str) -> str:
    """*name* as a name of an asset, a job or a schedule; what was fitted is fitted to itself."""
    return ALPHABET.fit(name)


def native(identity: Identity) -> str:
    """The name under which the object is made."""
    return fit(identity.name)


def endpoint(name: str, settings: AzureSettings) -> str:
    """*name* as an endpoint's: a legible part and eight digits that come from the name and the workspace.

    What was fitted is fitted to itself: the last four digits are a checksum of all before.
    """
    found = _FITTED.fullmatch(name)
    if found and len(name) <= LONGEST_ENDPOINT and _digits(found[1], settings) == found[2]:
        return name
    stem = re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")[: LONGEST_ENDPOINT - 2 * DIGITS - 1].rstrip("-")
    begun = f"{stem if stem[:1].isalpha() else f'x{stem[1:]}'}-{_digits(name, settings)}"
    return begun + _digits(begun, settings)


def _digits(text: str, settings: AzureSettings) -> str:
    return hashlib.sha256(f"{settings.workspace_id.lower()}/{text}".encode()).hexdigest()[:DIGITS]


def deployment(digest: str) -> str:
    """The deployment of that content: two of one endpoint are there at once while it moves from one to the other."""
    return f"v{digest[:SHORT]}"


def asset(name: str) -> tuple[str, str]:
    """Name and version of an asset: ``flights-delay-3fa9c1d2e4`` is the version ``3fa9c1d2e4`` of ``flights-delay``."""
    found = _VERSIONED.fullmatch(fit(name))
    return (found[1], found[2]) if found else (fit(name), "1")


def tags(identity: Identity, settings: AzureSettings) -> dict[str, str]:
    """The tags of an object: ours, by which it is found again, and the target's."""
    return {**settings.tags, **identity.tags}


def ours(record: Mapping[str, Any]) -> Mapping[str, str]:
    """The tags in a record: assets, jobs and schedules have them among their properties."""
    found: Mapping[str, str] = record.get("tags") or record.get("properties", {}).get("tags") or {}
    return found
