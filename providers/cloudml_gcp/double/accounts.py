"""Who one is and what one may: the token endpoint, the metadata server of containers, projects, service accounts.

What is allowed follows the faults: an operation that is to be refused for want of permission is no granted permission.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from cloudml_gcp.double import quotas, wire
from cloudml_gcp.double.refusals import Refused
from cloudml_gcp.double.wire import Answer, Asked, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
FLAVOR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}
ALONE: Mapping[str, str] = {
    "storage.objects.create": "storage:objects.insert",
    "storage.multipartUploads.abort": "storage:uploads.delete",
    "storage.multipartUploads.create": "storage:uploads.start",
    "storage.multipartUploads.list": "storage:uploads.list",
    "storage.multipartUploads.listParts": "storage:uploads.parts",
    "cloudscheduler.jobs.enable": "cloudscheduler:jobs.resume",
    "logging.logEntries.list": "logging:entries.list",
    "aiplatform.endpoints.predict": "aiplatform:Predict",
    "aiplatform.endpoints.deploy": "aiplatform:DeployModel",
    "aiplatform.endpoints.undeploy": "aiplatform:UndeployModel",
    "aiplatform.models.upload": "aiplatform:UploadModel",
    "iam.serviceAccounts.actAs": "iam:serviceAccounts.actAs",
}
"""Permissions whose operation has another name."""
ASKED: Mapping[str, str] = {
    **{operation: permission for permission, operation in ALONE.items()},
    "aiplatform:ListModelVersions": "aiplatform.models.list",
    "aiplatform:MergeVersionAliases": "aiplatform.models.update",
    "aiplatform:DeleteModelVersion": "aiplatform.models.delete",
    "aiplatform:RawPredict": "aiplatform.endpoints.predict",
    "storage:objects.copy": "storage.objects.create",
    "storage:uploads.part": "storage.multipartUploads.create",
}
"""Operations and the permission that they ask for, where the name does not say it."""
RPC = re.compile(r"aiplatform:([A-Z][a-z]+)([A-Z]\w+)")


def permission(asked: str) -> str:
    """The permission that an operation asks for, such as ``aiplatform.customJobs.create``."""
    if found := ASKED.get(asked):
        return found
    if rpc := RPC.fullmatch(asked):
        noun = rpc[2][:1].lower() + rpc[2][1:]
        return f"aiplatform.{noun if noun.endswith('s') else noun + 's'}.{rpc[1].lower()}"
    return asked.replace(":", ".")


def denied(world: World, asked: Asked) -> str:
    """Google's words for a permission that is missing."""
    lacks = permission(asked.name)
    if asked.service == "storage":
        thing = "bucket" if lacks.endswith("list") else "object"
        return (
            f"{world.account} does not have {lacks} access to the Google Cloud Storage {thing}. "
            f"Permission '{lacks}' denied on resource (or it may not exist)."
        )
    about = next((str(value) for key in RESOURCE if (value := asked.parameters.get(key))), asked.about)
    if asked.service == "cloudscheduler":
        return (
            f'The principal (user or service account) lacks IAM permission "{lacks}" for the resource "{about}" '
            "(or the resource may not exist)."
        )
    return f"Permission '{lacks}' denied on resource '//{asked.service}.googleapis.com/{about}' (or it may not exist)."


RESOURCE = ("name", "endpoint", "parent_model", "parent")
"""Parameters that say what a permission is asked on, the most particular first."""


def granted(world: World, permissions: Sequence[str]) -> list[str]:
    """Those of some permissions that there are."""
    return [one for one in permissions if not world.faults.denies(operation(one))]


def operation(permission: str) -> str:
    """The operation, as faults name it, that a permission such as ``aiplatform.customJobs.create`` allows."""
    if permission in ALONE:
        return ALONE[permission]
    service, kind, verb = [*permission.split("."), "", ""][:3]
    if service != "aiplatform":
        return f"{service}:{kind}.{verb}"
    noun = kind[:1].upper() + kind[1:]
    return f"aiplatform:{verb.capitalize()}{noun if verb == 'list' else noun.removesuffix('s')}"


def read(world: World, request: Request) -> Asked | None:
    """What a request asks of the services about people and projects."""
    for pattern, asked in (("/token", "oauth2:token"), ("/computeMetadata/", "metadata:get")):
        if request.path.startswith(pattern):
            service, _, word = asked.partition(":")
            return Asked(service=service, operation=word, about=request.path)
    match request.segments:
        case ["computeMetadata" | ""]:
            return Asked(service="metadata", operation="get", about=request.path)
        case ["v3", "projects", name]:
            return _project(request, name)
        case ["v1", "projects", _, "serviceAccounts", name]:
            return _account(request, name)
        case _:
            return quotas.read(world, request)


def _project(request: Request, name: str) -> Asked:
    project, _, word = name.partition(":")
    said = {"project": project, **(request.json() if request.body else {})}
    called = f"projects.{word or 'get'}"
    return Asked(service="cloudresourcemanager", operation=called, about=project, parameters=said)


def _account(request: Request, name: str) -> Asked:
    email, _, word = name.partition(":")
    said = {"email": email, **(request.json() if request.body else {})}
    return Asked(service="iam", operation=f"serviceAccounts.{word or 'get'}", about=email, parameters=said)


def answer(world: World, request: Request, asked: Asked) -> Answer:
    """Carry out what is asked.

    Raises:
        Refused: The service says no.
    """
    if asked.service in quotas.SERVICES:
        return quotas.answer(world, request, asked)
    found = OPERATIONS.get(asked.name)
    return found(world, request, asked.parameters) if found else wire.NOWHERE


def refused(request: Request, refusal: Refused) -> Answer:
    if request.path.startswith("/token"):
        return as_json({"error": refusal.code, "error_description": refusal.message}, refusal.status)
    return wire.error(refusal)


def _token(world: World, request: Request, _said: Mapping[str, Any]) -> Answer:
    return as_json(world.tokens.exchange(dict(parse_qsl(request.body.decode("utf-8", "replace")))))


def _metadata(world: World, request: Request, _said: Mapping[str, Any]) -> Answer:
    """The metadata server; the project is the one of Google's in which containers run."""
    if request.headers.get("metadata-flavor") != "Google":
        return Answer(status=403, body=b"Missing Metadata-Flavor:Google header.", kind="text/html", headers=FLAVOR)
    place = request.path.removeprefix("/computeMetadata/v1").strip("/")
    account = {"email": world.account, "aliases": ["default"], "scopes": [SCOPE]}
    if place in {"instance/service-accounts/default/token", f"instance/service-accounts/{world.account}/token"}:
        return _told(as_json(world.tokens.grant(inside=True)))
    if place in {"instance/service-accounts/default", f"instance/service-accounts/{world.account}"}:
        return _told(as_json(account))
    texts = {
        "": "instance/\nproject/\n",
        "instance/service-accounts/default/email": world.account,
        "instance/service-accounts/default/scopes": SCOPE,
        "instance/zone": f"projects/{world.number}/zones/{world.region}-b",
        "project/project-id": f"cml-{world.number}-tp",
        "project/numeric-project-id": world.number[::-1],
        "universe/universe-domain": "googleapis.com",
    }
    if place not in texts:
        return Answer(status=404, body=b"Not found", kind="text/html", headers=FLAVOR)
    return _told(Answer(body=texts[place].encode(), kind="application/text"))


def _told(found: Answer) -> Answer:
    found.headers.update(FLAVOR)
    return found


def own(world: World, project: str) -> None:
    """Refuse projects that are not the double's.

    Raises:
        Refused: It is not.
    """
    if project not in {world.project, world.number}:
        raise Refused(
            "PERMISSION_DENIED",
            f"Permission denied on resource project {project}.",
        )


def act_as(world: World, email: str) -> None:
    """Refuse to let somebody run as an account that is not the project's, or that a fault denies.

    Raises:
        Refused: It may not.
    """
    own = email in {"", world.account} or email.endswith(f"@{world.project}.iam.gserviceaccount.com")
    if not own or (email and world.faults.denies("iam:serviceAccounts.actAs")):
        raise Refused("PERMISSION_DENIED", f"You do not have permission to act as service_account: {email}.")


def _describe_project(world: World, _request: Request, said: Mapping[str, Any]) -> Answer:
    own(world, said["project"])
    return as_json(
        {
            "name": f"projects/{world.number}",
            "projectId": world.project,
            "state": "ACTIVE",
            "displayName": world.project,
        }
    )


def _project_permissions(world: World, _request: Request, said: Mapping[str, Any]) -> Answer:
    own(world, said["project"])
    return _granted(world, said)


def _granted(world: World, said: Mapping[str, Any]) -> Answer:
    found = granted(world, said.get("permissions", []))
    return as_json({"permissions": found} if found else {})


def _known(world: World, email: str) -> None:
    if email != world.account:
        raise Refused("NOT_FOUND", f"Unknown service account: {email}")


def _describe_account(world: World, _request: Request, said: Mapping[str, Any]) -> Answer:
    _known(world, said["email"])
    return as_json(
        {
            "name": f"projects/{world.project}/serviceAccounts/{world.account}",
            "projectId": world.project,
            "uniqueId": "100000000000000000001",
            "email": world.account,
            "oauth2ClientId": "100000000000000000001",
        }
    )


def _account_permissions(world: World, _request: Request, said: Mapping[str, Any]) -> Answer:
    _known(world, said["email"])
    return _granted(world, said)


OPERATIONS: Mapping[str, Callable[[World, Request, Mapping[str, Any]], Answer]] = {
    "cloudresourcemanager:projects.get": _describe_project,
    "cloudresourcemanager:projects.testIamPermissions": _project_permissions,
    "iam:serviceAccounts.get": _describe_account,
    "iam:serviceAccounts.testIamPermissions": _account_permissions,
    "metadata:get": _metadata,
    "oauth2:token": _token,
}
