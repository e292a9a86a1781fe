"""Identities -> names and tags at AWS.

SageMaker's names have at most 63 letters, digits and hyphens, and neither begin nor end with a hyphen.
Source: patterns and maxima of the service model (TrainingJobName, ProcessingJobName, EndpointName, ModelName, …).
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import Identity
    from cloudml_aws.settings import AwsSettings

LONGEST = 63
DIGITS = 8
"""How many hexadecimal digits of its hash end a name that was shortened."""
_GOOD = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_OTHER = re.compile(r"[^a-zA-Z0-9-]+")


def fit(name: str, longest: int = LONGEST) -> str:
    """*name* if it is a name of SageMaker; else a legible part of it and a hash of the whole.

    What was fitted is fitted to itself.
    """
    if len(name) <= longest and _GOOD.fullmatch(name):
        return name
    kept = _OTHER.sub("-", name).strip("-")[: longest - DIGITS - 1].rstrip("-") or "x"
    return f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}"


def native(identity: Identity) -> str:
    """The name under which the object is made."""
    return fit(identity.name)


def group(identity: Identity) -> str:
    """The model package group of a model's versions."""
    return fit(f"{identity.project}-{identity.label}")


def tags(identity: Identity, settings: AwsSettings) -> list[dict[str, str]]:
    """The tags of an object as requests carry them: ours, by which it is found again, and the target's."""
    return listed({**settings.tags, **identity.tags})


def listed(named: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags in the form of requests."""
    return [{"Key": key, "Value": value} for key, value in sorted(named.items())]
