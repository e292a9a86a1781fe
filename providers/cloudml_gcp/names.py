"""Identities -> names and labels at Google Cloud.

One alphabet fits everything: endpoint ids, model ids and ids of Cloud Scheduler jobs take small letters, digits and
hyphens, begin with a letter, and have at most 63 characters; so does a label's value, which may have ``_`` as well.
Sources: the comments of CreateEndpointRequest.endpoint_id and UploadModelRequest.model_id in the SDK's messages; for
labels, "Requirements for labels" of Google Cloud's resource manager.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloudml.clouds.names import Alphabet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.resources import Identity
    from cloudml_gcp.settings import GcpSettings

LONGEST = 63
RULE = f"names at Google Cloud have at most {LONGEST} small letters, digits and hyphens"
ALPHABET = Alphabet(re.compile(r"[a-z](-*[a-z0-9])*"), re.compile(r"[^a-z0-9-]+"), LONGEST)
PROJECT, RESOURCE, HASH, ID = "cloudml-project", "cloudml-resource", "cloudml-hash", "cloudml-id"
REST = "cloudml-hash-2"
"""The second half of a hash, whose 64 digits are one too many for a label."""
HALF = 32
DIGITS = 10
_NUMBER = re.compile(r"[1-9][0-9]*")
_VERSION = re.compile(rf"(?P<stable>.+)-(?P<hash>[0-9a-f]{{{DIGITS}}})")


def given(name: str) -> bool:
    """Whether a name is a number that Google gave: to what was made without cloudml."""
    return _NUMBER.fullmatch(name) is not None


def fit(name: str, longest: int = LONGEST) -> str:
    """*name* as a name at Google Cloud; what was fitted is fitted to itself, and a number that Google gave stays."""
    return name if given(name) else ALPHABET.fit(name, longest)


def native(identity: Identity) -> str:
    """The name under which the object is made."""
    return version(identity.name) if identity.section == "models" else fit(identity.name)


def version(name: str) -> str:
    """The name of a model's version: its model's, and ten digits of its hash, which stay whatever the length."""
    found = _VERSION.fullmatch(name)
    return f"{fit(found['stable'], LONGEST - DIGITS - 1)}-{found['hash']}" if found else fit(name)


def group(name: str) -> str:
    """The model in the registry that has a version of that name."""
    return version(name).rpartition("-")[0]


def alias(name: str) -> str:
    """The alias by which a version of that name is found: aliases begin with a letter."""
    return f"cloudml-{version(name).rpartition('-')[2]}"


def labels(identity: Identity, settings: GcpSettings) -> dict[str, str]:
    """The labels of an object: ours, by which it is found again, and the target's."""
    return {**settings.labels, **encoded(identity.tags), ID: native(identity)}


def encoded(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags as labels: ``jobs.train`` is ``jobs_train``, and a hash has two halves."""
    digest = tags.get(HASH, "")
    said = {PROJECT: tags[PROJECT], RESOURCE: tags[RESOURCE].replace(".", "_", 1)}
    return said | ({HASH: digest[:HALF], REST: digest[HALF:]} if digest else {})


def tags(labels: Mapping[str, str]) -> dict[str, str]:
    """The tags in an object's labels; none where cloudml made no labels."""
    if PROJECT not in labels:
        return {}
    return {
        PROJECT: labels[PROJECT],
        RESOURCE: labels.get(RESOURCE, "").replace("_", ".", 1),
        HASH: labels.get(HASH, "") + labels.get(REST, ""),
    }
