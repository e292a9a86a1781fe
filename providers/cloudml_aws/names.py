"""Identities -> names and tags at AWS.

SageMaker's names have at most 63 letters, digits and hyphens, and neither begin nor end with a hyphen.
Source: patterns and maxima of the service model (TrainingJobName, ProcessingJobName, EndpointName, ModelName, …).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloudml.clouds.names import Alphabet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import Identity
    from cloudml_aws.settings import AwsSettings

LONGEST = 63
RULE = f"names of SageMaker have at most {LONGEST} letters and digits"
ALPHABET = Alphabet(re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"), re.compile(r"[^a-zA-Z0-9-]+"), LONGEST)


def fit(name: str, longest: int = LONGEST) -> str:
    """*name* as a name of SageMaker; what was fitted is fitted to itself."""
    return ALPHABET.fit(name, longest)


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
