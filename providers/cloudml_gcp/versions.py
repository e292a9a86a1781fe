"""Versions in the model registry: what they say of themselves, and where they are found.

A project's model is a model of the registry, and each content a version of it, found by an alias. A version's
description is its own, while labels are merged with those of its model: so the description tells whose it is, and the
lineage, as JSON. Source: the comments of UpdateModelRequest in the SDK's messages.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cloudml.errors import NotFoundError
from cloudml.records import dataclass
from cloudml_gcp import names
from cloudml_gcp.wire import operations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cloudml.resources import Identity, ModelResource
    from cloudml_gcp.clients import Clients

PAGE = 100
GONE_S = 600.0
DEFAULT = "default"
"""The alias that exactly one version of a model has."""
LISTED = "aiplatform:ListModelVersions"
MODELS = "aiplatform:ListModels"
MERGE = "aiplatform:MergeVersionAliases"
DELETE_VERSION = "aiplatform:DeleteModelVersion"
DELETE = "aiplatform:DeleteModel"


def described(resource: ModelResource) -> str:
    """The description of a version: JSON that tells whose it is, and what it is made from."""
    identity, source = resource.identity, resource.source
    facts = {
        "project": identity.project,
        "resource": identity.resource,
        "hash": identity.hash,
        "name": names.native(identity),
        "job": resource.job,
        "predictor": resource.spec.predictor or "",
        "code": source.digest if source else "",
        "metrics": dict(resource.metrics),
        "lineage": dict(resource.lineage),
    }
    return json.dumps({"cloudml": facts}, ensure_ascii=False)


def facts(version: Mapping[str, Any]) -> dict[str, Any]:
    """What a version's description tells; nothing for one that cloudml did not write."""
    try:
        said = json.loads(version.get("versionDescription", ""))["cloudml"]
    except (ValueError, KeyError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


def name_of(version: Mapping[str, Any]) -> str:
    """The name of a version; empty for one that cloudml did not make."""
    return str(facts(version).get("name", ""))


def number(version: Mapping[str, Any]) -> int:
    """The registry's number of a version."""
    return int(version.get("versionId") or 0)


@dataclass(frozen=True, slots=True)
class Registry:
    """Reads the registry, and removes from it."""

    clients: Clients

    def model(self, name: str) -> str:
        """The resource name of the model that has a version of that name."""
        return f"{self.clients.settings.parent}/models/{names.group(name)}"

    def versions(self, model: str) -> list[dict[str, Any]]:
        """Every version of a model, the oldest first; none where there is no such model."""
        try:
            found = list(self.clients.pages(LISTED, {"name": model, "pageSize": PAGE}, "models"))
        except NotFoundError:
            return []
        return sorted(found, key=number)

    def of(self, identity: Identity) -> Sequence[dict[str, Any]]:
        """The versions with that content, the oldest first: one, unless two were made at once."""
        name = names.native(identity)
        return self.named(name)

    def named(self, name: str) -> list[dict[str, Any]]:
        """The versions of that name, the oldest first."""
        return [one for one in self.versions(self.model(name)) if name_of(one) == name]

    def project(self, project: str) -> Iterator[dict[str, Any]]:
        """Every version of every model of a project."""
        body = {
            "parent": self.clients.settings.parent,
            "filter": f"labels.{names.PROJECT}={project}",
            "pageSize": PAGE,
        }
        for model in list(self.clients.pages(MODELS, body, "models")):
            yield from self.versions(str(model["name"]).partition("@")[0])

    def leave_one(self, identity: Identity) -> None:
        """Remove all but the first of the versions that two made at once.

        An alias is the newest version's, so it goes back to the first: whoever made that one may deploy it already.
        """
        found = self.of(identity)
        if len(found) > 1:
            name = names.native(identity)
            body = {"name": f"{self.model(name)}@{number(found[0])}", "versionAliases": [names.alias(name)]}
            self.clients.send(MERGE, body)
        self.remove(found[1:])

    def remove(self, versions: Iterable[Mapping[str, Any]]) -> None:
        """Remove those versions; with the last one its model.

        The default version cannot be removed while there are others: the alias goes to the newest of these first.
        """
        for one in versions:
            model = str(one["name"]).partition("@")[0]
            left = [other for other in self.versions(model) if number(other) != number(one)]
            if not left:
                self._gone(DELETE, model)
                continue
            if DEFAULT in one.get("versionAliases", ()):
                body = {"name": f"{model}@{number(left[-1])}", "versionAliases": [DEFAULT]}
                self.clients.send(MERGE, body)
            self._gone(DELETE_VERSION, f"{model}@{number(one)}")

    def _gone(self, operation: str, name: str) -> None:
        with suppress(NotFoundError):
            operations.waited(self.clients, self.clients.send(operation, {"name": name}), operation, GONE_S)
