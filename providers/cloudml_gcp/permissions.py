"""The permissions that this provider needs, as data: each one, why, and on what.

docs/gcp-permissions.md is written from here, `cloudml provider check` asks about each, and a test compares the list
with what a whole life of a project sends. Sources: the references of the methods, which name the permissions that they
ask for ("IAM permissions reference"); for what a custom service account needs, "Use a custom service account" of
Vertex AI; for schedules, "Use authentication with HTTP targets" of Cloud Scheduler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloudml_gcp.settings import GcpSettings

PROJECT, BUCKET, ACCOUNT = "project", "bucket", "service account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Permissions that are granted together.

    Attributes:
        noun: The part of cloudml that needs them.
        names: As IAM names them.
        on: What they are granted on: the project, the bucket, or the service account.
        why: In a few words.
        only_with: A setting without which they are not needed.
    """

    noun: str
    names: tuple[str, ...]
    on: str
    why: str
    only_with: str = ""


def _vertex(noun: str, names: str, why: str) -> Permission:
    return Permission(noun=noun, names=tuple(f"aiplatform.{name}" for name in names.split()), on=PROJECT, why=why)


OBJECTS = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")
PARTS = tuple(f"storage.multipartUploads.{verb}" for verb in ("abort", "create", "list", "listParts"))
CALLER: tuple[Permission, ...] = (
    Permission(noun="bucket", names=OBJECTS, on=BUCKET, why="data, code, outputs, reports"),
    Permission(
        noun="bucket", names=PARTS, on=BUCKET, why="large files in parts, and to go on with interrupted uploads"
    ),
    _vertex("jobs", "customJobs.create customJobs.get customJobs.list customJobs.cancel customJobs.delete",
            "jobs, and the runs of monitors"),
    _vertex("models", "models.upload models.get models.list models.update models.delete", "versions in the registry"),
    _vertex("endpoints", "endpoints.create endpoints.get endpoints.list endpoints.update endpoints.delete",
            "endpoints"),
    _vertex("endpoints", "endpoints.deploy endpoints.undeploy", "which version answers"),
    _vertex("endpoints", "endpoints.predict", "requests"),
    _vertex("operations", "operations.list", "how a deployment goes on"),
    Permission(
        noun="monitors",
        names=("cloudscheduler.jobs.create", "cloudscheduler.jobs.get", "cloudscheduler.jobs.update",
               "cloudscheduler.jobs.delete"),
        on=PROJECT, why="monitors that run by themselves",
    ),
    Permission(noun="logs", names=("logging.logEntries.list",), on=PROJECT, why="what jobs and endpoints print"),
    Permission(
        noun="quota", names=("serviceusage.services.use",), on=PROJECT, why="requests that count on another project",
        only_with="quota_project",
    ),
    Permission(
        noun="accounts", names=("iam.serviceAccounts.actAs",), on=ACCOUNT, why="jobs, endpoints and schedules run as it"
    ),
)  # fmt: skip
"""What the identity needs that runs cloudml."""

EXECUTION: tuple[Permission, ...] = (
    Permission(noun="bucket", names=OBJECTS, on=BUCKET, why="inputs, outputs, checkpoints, captured requests"),
    Permission(noun="logs", names=("logging.logEntries.create",), on=PROJECT, why="what the container prints"),
    _vertex("monitors", "customJobs.create", "the scheduler starts runs as it, unless another account is named"),
    Permission(
        noun="accounts", names=("iam.serviceAccounts.actAs",), on=ACCOUNT, why="the run that it starts works as itself"
    ),
)  # fmt: skip
"""What the account of `service_account` needs: jobs and endpoints run as it."""

CHECKING: tuple[str, ...] = ("resourcemanager.projects.get", "storage.buckets.get", "cloudquotas.quotas.get")
"""What `cloudml provider check` uses besides; without them it says what it could not look at."""

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "aiplatform:CreateCustomJob": ("aiplatform.customJobs.create",),
    "aiplatform:GetCustomJob": ("aiplatform.customJobs.get",),
    "aiplatform:ListCustomJobs": ("aiplatform.customJobs.list",),
    "aiplatform:CancelCustomJob": ("aiplatform.customJobs.cancel",),
    "aiplatform:DeleteCustomJob": ("aiplatform.customJobs.delete",),
    "aiplatform:UploadModel": ("aiplatform.models.upload",),
    "aiplatform:GetModel": ("aiplatform.models.get",),
    "aiplatform:ListModels": ("aiplatform.models.list",),
    "aiplatform:ListModelVersions": ("aiplatform.models.list",),
    "aiplatform:MergeVersionAliases": ("aiplatform.models.update",),
    "aiplatform:DeleteModel": ("aiplatform.models.delete",),
    "aiplatform:DeleteModelVersion": ("aiplatform.models.delete",),
    "aiplatform:CreateEndpoint": ("aiplatform.endpoints.create",),
    "aiplatform:GetEndpoint": ("aiplatform.endpoints.get",),
    "aiplatform:ListEndpoints": ("aiplatform.endpoints.list",),
    "aiplatform:UpdateEndpoint": ("aiplatform.endpoints.update",),
    "aiplatform:DeleteEndpoint": ("aiplatform.endpoints.delete",),
    "aiplatform:DeployModel": ("aiplatform.endpoints.deploy",),
    "aiplatform:UndeployModel": ("aiplatform.endpoints.undeploy",),
    "aiplatform:RawPredict": ("aiplatform.endpoints.predict",),
    "aiplatform:GetOperation": (),
    "aiplatform:ListOperations": ("aiplatform.operations.list",),
    "logging:ListLogEntries": ("logging.logEntries.list",),
    "cloudscheduler:CreateJob": ("cloudscheduler.jobs.create",),
    "cloudscheduler:GetJob": ("cloudscheduler.jobs.get",),
    "cloudscheduler:UpdateJob": ("cloudscheduler.jobs.update",),
    "cloudscheduler:DeleteJob": ("cloudscheduler.jobs.delete",),
}
"""The permissions that operations ask for; who may make an operation may look at it."""
METHODS: Mapping[str, tuple[str, ...]] = {
    "storage:objects.insert": ("storage.objects.create",),
    "storage:objects.get": ("storage.objects.get",),
    "storage:objects.list": ("storage.objects.list",),
    "storage:objects.copy": ("storage.objects.get", "storage.objects.create"),
    "storage:objects.delete": ("storage.objects.delete",),
    "storage:batch": (),
    "storage:uploads.start": ("storage.multipartUploads.create", "storage.objects.create"),
    "storage:uploads.part": ("storage.multipartUploads.create", "storage.objects.create"),
    "storage:uploads.list": ("storage.multipartUploads.list",),
    "storage:uploads.parts": ("storage.multipartUploads.listParts",),
    "storage:uploads.delete": ("storage.multipartUploads.abort",),
    "storage:buckets.get": ("storage.buckets.get",),
    "logging:entries.list": ("logging.logEntries.list",),
    "cloudscheduler:jobs.create": ("cloudscheduler.jobs.create",),
    "cloudscheduler:jobs.get": ("cloudscheduler.jobs.get",),
    "cloudscheduler:jobs.patch": ("cloudscheduler.jobs.update",),
    "cloudscheduler:jobs.delete": ("cloudscheduler.jobs.delete",),
}
"""The same of methods of REST, under which requests arrive; what is in a batch arrives besides, by its own name."""
IMPLIED = frozenset({"iam.serviceAccounts.actAs", "aiplatform.models.get"})
"""What no request of ours is called after: services ask for it on the way.

What runs as an account is made by somebody who may act as it, and a deployment names a model, which its caller should
be allowed to see.
"""


def actions_of(operation: str) -> tuple[str, ...]:
    """The permissions that an operation asks for, ``aiplatform:GetCustomJob`` or ``logging:entries.list``.

    Raises:
        KeyError: No request of cloudml is called so.
    """
    return METHODS[operation] if operation in METHODS else OPERATIONS[operation]


def granted_to_caller(settings: GcpSettings) -> frozenset[str]:
    """The permissions that this target's caller has."""
    return frozenset(name for one in needed(CALLER, settings) for name in one.names)


def needed(permissions: Iterable[Permission], settings: GcpSettings) -> Iterator[Permission]:
    """Those that this target needs."""
    return (one for one in permissions if not one.only_with or getattr(settings, one.only_with))


def names(permissions: Iterable[Permission], on: str) -> tuple[str, ...]:
    """The permissions on one kind of thing, each once."""
    return tuple(dict.fromkeys(name for one in permissions if one.on == on for name in one.names))
