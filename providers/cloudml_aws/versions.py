"""Versions in the model registry: what they say of themselves, and where they are found.

A description tells whose a version is, for lists; metadata tell the lineage.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError
from cloudml.records import dataclass
from cloudml_aws.names import group, native

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cloudml.resources import Identity, ModelResource
    from cloudml_aws.clients import Clients

PAIRS = 50
LONGEST_VALUE = 256
LONGEST_DESCRIPTION = 1024
PAGE = 100
"""Bounds of the service model."""
SHARED = 30
"""So many characters of a version's name and of its group's are the same, however long the two are."""
_NO_VALUE = re.compile(r"[^\w\s.:/=+\-@]")


def described(resource: ModelResource) -> str:
    """The description of a version: JSON that tells whose it is; without the numbers if they are too many for it."""
    identity = resource.identity
    facts = {"project": identity.project, "resource": identity.resource, "hash": identity.hash}
    short = json.dumps({"cloudml": {**facts, "name": native(identity)}}, ensure_ascii=False)
    whole = json.dumps({"cloudml": {**facts, "name": native(identity), "metrics": dict(resource.metrics)}})
    return whole if len(whole) <= LONGEST_DESCRIPTION else short


def metadata(resource: ModelResource) -> dict[str, str]:
    """What the version is made from, within the registry's 50 pairs: what is said first is kept."""
    identity, source = resource.identity, resource.source
    pairs = {
        **identity.tags,
        "job": resource.job,
        "predictor": resource.spec.predictor or "",
        "code": source.digest if source else "",
        **{f"metric/{name}": repr(value) for name, value in resource.metrics.items()},
        **{f"hash/{reference}": value for reference, value in resource.lineage.items()},
    }
    kept = [(key, _NO_VALUE.sub(" ", value)[:LONGEST_VALUE]) for key, value in pairs.items() if value]
    return dict(kept[:PAIRS])


def facts(description: str) -> dict[str, Any]:
    """What a version's description tells; nothing for one that cloudml did not write."""
    try:
        said = json.loads(description)["cloudml"]
    except (ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


def name_of(version: Mapping[str, Any]) -> str:
    """The name of a version; empty for one that cloudml did not make."""
    return str(facts(version.get("ModelPackageDescription", "")).get("name", ""))


def measured(metadata: Mapping[str, str]) -> dict[str, float]:
    """The gate's numbers in a version's metadata."""
    return {key.removeprefix("metric/"): float(value) for key, value in metadata.items() if key.startswith("metric/")}


def failure(version: Mapping[str, Any]) -> str:
    """Why the registry could not take it; empty when it could."""
    details = version.get("ModelPackageStatusDetails", {})
    steps = (*details.get("ValidationStatuses", ()), *details.get("ImageScanStatuses", ()))
    return "; ".join(step["FailureReason"] for step in steps if step.get("FailureReason"))


@dataclass(frozen=True, slots=True)
class Registry:
    """Reads the registry, and removes from it."""

    clients: Clients

    def pages(self, what: str, key: str, contains: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list whose name has that in it."""
        return self.clients.pages(f"sagemaker:List{what}", {"NameContains": contains, "MaxResults": PAGE}, key)

    def groups(self, name: str) -> Sequence[str]:
        """The groups in which a version of that name may be, or those of a project when *name* is its prefix."""
        stable = name.rpartition("-")[0][:SHARED].rstrip("-")
        found = self.pages("ModelPackageGroups", "ModelPackageGroupSummaryList", stable)
        return [one["ModelPackageGroupName"] for one in found]

    def versions(self, groups: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Every version in those groups, the oldest first."""
        for name in groups:
            order = {"SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": PAGE}
            body = {"ModelPackageGroupName": name, **order}
            with suppress(NotFoundError):  # the group went meanwhile
                yield from self.clients.pages("sagemaker:ListModelPackages", body, "ModelPackageSummaryList")

    def of(self, identity: Identity) -> Sequence[dict[str, Any]]:
        """The versions with that content, the oldest first: one, unless two were made at once."""
        name = native(identity)
        return [one for one in self.versions([group(identity)]) if name_of(one) == name]

    def whole(self, version: Mapping[str, Any]) -> dict[str, Any]:
        """A version with what lists leave out: metadata, and why it was approved or not."""
        return self.clients.send("sagemaker:DescribeModelPackage", {"ModelPackageName": version["ModelPackageArn"]})

    def leave_one(self, identity: Identity) -> None:
        """Remove all but the first of the versions that two made at once."""
        self.remove(self.of(identity)[1:])

    def remove(self, versions: Iterable[Mapping[str, Any]]) -> None:
        """Remove those versions; their groups stay."""
        for one in versions:
            self.gone("sagemaker:DeleteModelPackage", {"ModelPackageName": one["ModelPackageArn"]})

    def gone(self, operation: str, body: Mapping[str, Any]) -> None:
        """Send what removes something; nothing there is no error."""
        with suppress(NotFoundError):
            self.clients.send(operation, body)
