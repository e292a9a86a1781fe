"""Operations -> requests of HTTP. Pure.

``aiplatform:…`` is an RPC of Vertex AI, whose route stands in facts/contract.json; a body has the members of its
request message, those of the path among them. The few routes of other services stand here. Sources: their discovery
documents (revisions of autumn 2026), and for transcoding google/api/http.proto.
"""

from __future__ import annotations

import json
import re
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

_PART = re.compile(r"\{([\w.]+)(?:=[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class Route:
    """How an operation travels.

    Attributes:
        verb: ``GET`` and so on.
        path: With members of the request in braces.
        body: The member that is the HTTP body; ``*`` for all that the path does not have, empty for none.
    """

    verb: str
    path: str
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it travels.

    Attributes:
        service: ``aiplatform``, which has a host.
        query: What stands behind the question mark; lists give a pair for each member.
        json: The body; None for none.
    """

    service: str
    verb: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None


ROUTES: Mapping[str, Route] = {
    "aiplatform:GetOperation": Route("GET", "/v1/{name}"),
    "aiplatform:ListOperations": Route("GET", "/v1/{name}/operations"),
    "logging:ListLogEntries": Route("POST", "/v2/entries:list", "*"),
    "cloudscheduler:CreateJob": Route("POST", "/v1/{parent}/jobs", "job"),
    "cloudscheduler:GetJob": Route("GET", "/v1/{name}"),
    "cloudscheduler:UpdateJob": Route("PATCH", "/v1/{job.name}", "job"),
    "cloudscheduler:DeleteJob": Route("DELETE", "/v1/{name}"),
    "storage:GetBucket": Route("GET", "/storage/v1/b/{bucket}"),
    "storage:TestIamPermissions": Route("GET", "/storage/v1/b/{bucket}/iam/testPermissions"),
    "cloudresourcemanager:GetProject": Route("GET", "/v3/{name}"),
    "cloudresourcemanager:TestIamPermissions": Route("POST", "/v3/{resource}:testIamPermissions", "*"),
    "iam:TestIamPermissions": Route("POST", "/v1/{resource}:testIamPermissions", "*"),
    "cloudquotas:ListQuotaInfos": Route("GET", "/v1/{parent}/quotaInfos"),
}
REPEATED = frozenset({
    "aiplatform:CreateEndpoint", "aiplatform:UndeployModel", "aiplatform:CancelCustomJob",
    "aiplatform:MergeVersionAliases", "logging:ListLogEntries", "cloudscheduler:CreateJob",
    "cloudresourcemanager:TestIamPermissions", "iam:TestIamPermissions",
})  # fmt: skip
"""What may be sent again although it is a POST: it names what it makes, or makes nothing."""


@cache
def contract() -> Mapping[str, Any]:
    """The vendor's own contract, as `cloudml_gcp.refresh` writes it: methods, messages, enums."""
    file = Path(__file__).parent.parent / "facts" / "contract.json"
    document: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return document


def route(operation: str) -> Route:
    """The route of an operation.

    Raises:
        KeyError: There is no such operation.
    """
    if operation in ROUTES:
        return ROUTES[operation]
    method = contract()["methods"][operation.partition(":")[2]]
    return Route(method["verb"], method["path"], method.get("body", ""))


def repeatable(operation: str) -> bool:
    """Whether an operation that was sent once may be sent again, without looking what became of it."""
    return route(operation).verb != "POST" or operation in REPEATED


def build(operation: str, body: Mapping[str, Any]) -> Sent:
    """The request of an operation; what is neither in the path nor in the body stands in the query."""
    found = route(operation)
    used: set[str] = set()

    def filled(match: re.Match[str]) -> str:
        used.add(match[1])
        return quote(str(_member(body, match[1])), safe="/:@-")

    path = _PART.sub(filled, found.path)
    rest = {key: value for key, value in body.items() if key not in used and value is not None}
    if found.body == "*":
        inner: Any = rest
    else:
        inner = rest.pop(found.body, None) if found.body else None
    query = {} if found.body == "*" else {key: _plain(value) for key, value in rest.items()}
    return Sent(service=operation.partition(":")[0], verb=found.verb, path=path, query=query, json=inner)


def _member(body: Mapping[str, Any], path: str) -> Any:
    value: Any = body
    for part in path.split("."):
        value = value[_camel(part)]
    return value


def _camel(name: str) -> str:
    """``deployed_model`` as JSON has it."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
