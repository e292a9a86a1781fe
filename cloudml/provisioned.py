"""What Terraform provisioned: the output `profile` of the modules in terraform/ becomes the settings of a target.

The modules of all clouds have one output of one type; `terraform/modules/contract/variables.tf` is where the type is
written for Terraform and `Profile` where it is written for Python, and a test compares the two. A module of somebody
else whose output has the same type is read as well.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from cloudml import plugins
from cloudml.errors import SpecError
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT = "profile"
VERSION = "1"
"""The version of the contract that is read."""
LIMIT_S = 300
MAX_BYTES = 2**22
NAMED = f'name it so in the root module: output "{OUTPUT}" {{ value = module.NAME.{OUTPUT} }}'
SOURCES = "give Terraform's folder, a file with its outputs, or - for standard input"
BY_HAND = "or have it written to a file where Terraform is: terraform output -json > platform.json"


class Part(BaseModel):
    """A part of the profile; what later releases of the contract add is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Account(Part):
    id: str
    tenant_id: str | None


class Storage(Part):
    uri: str
    bucket: str
    prefix: str
    endpoint: str | None


class Encryption(Part):
    customer_managed: bool
    key_id: str | None


class ContainerRegistry(Part):
    host: str
    repository: str
    url: str


class Identity(Part):
    id: str
    principal: str
    client_id: str | None


class Identities(Part):
    adapter: Identity
    execution: Identity


class ModelRegistry(Part):
    kind: str
    groups: Mapping[str, str]


class Compute(Part):
    target: str | None
    allowed_instance_types: list[str]
    min_nodes: int
    max_nodes: int
    idle_minutes: int


class Network(Part):
    enabled: bool
    network_id: str | None
    subnet_ids: list[str]
    security_group_ids: list[str]


class Logging(Part):
    destination: str
    retention_days: int
    request_log_uri: str | None


class Monitoring(Part):
    metric_namespace: str
    alert_channel: str | None


class Profile(Part):
    """A platform, as the output `profile` tells it."""

    contract_version: str
    provider: str
    name: str
    environment: str
    region: str
    account: Account
    storage: Storage
    encryption: Encryption
    container_registry: ContainerRegistry
    identities: Identities
    model_registry: ModelRegistry
    compute: Compute
    network: Network
    logging: Logging
    monitoring: Monitoring
    tags: Mapping[str, str]
    settings: Mapping[str, str]


SETTINGS: Mapping[str, Mapping[str, str]] = {
    "aws": {
        "region": "region",
        "bucket": "storage.bucket",
        "role_arn": "identities.execution.id",
        "scheduler_role_arn": "settings.scheduler_role_arn",
        "prefix": "storage.prefix",
        "subnets": "network.subnet_ids",
        "security_groups": "network.security_group_ids",
        "kms_key": "encryption.key_id",
        "tags": "tags",
    },
    "azure": {
        "subscription_id": "account.id",
        "resource_group": "settings.resource_group",
        "workspace": "settings.workspace",
        "region": "region",
        "storage_account": "settings.storage_account",
        "container": "storage.bucket",
        "prefix": "storage.prefix",
        "compute": "compute.target",
        "identity": "identities.execution.id",
        "authentication": "settings.authentication",
        "tags": "tags",
    },
    "gcp": {
        "project_id": "account.id",
        "region": "region",
        "bucket": "storage.bucket",
        "service_account": "identities.execution.id",
        "scheduler_service_account": "settings.scheduler_service_account",
        "prefix": "storage.prefix",
        "kms_key": "encryption.key_id",
        "labels": "tags",
    },
}
"""A provider's settings, and where in a profile each stands; any other provider gets the profile's own `settings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """A target for the project file.

    Attributes:
        target: Its name there.
        provider: The provider's name.
        settings: What stands beside `provider`.
        managed: All settings that come from a profile, also those that this one does not have.
        notes: What somebody should know who takes it.
    """

    target: str
    provider: str
    settings: Mapping[str, Any]
    managed: frozenset[str]
    notes: tuple[str, ...] = ()


def read(source: str) -> Profile:
    """The profile of a folder of Terraform, of a file with its outputs, or of standard input for ``-``.

    Raises:
        SpecError: There is none, or it is not one that may be read.
    """
    if not source:
        raise SpecError("nothing was named to read the outputs of Terraform from", hint=SOURCES)
    content = sys.stdin.buffer.read() if source == "-" else _content(Path(source))
    where = "standard input" if source == "-" else source
    try:
        outputs = json.loads(content.decode(json.detect_encoding(content)))  # PowerShell writes UTF-16 with a mark
    except ValueError as error:
        said = f"not JSON: {error}" if content.strip() else "empty"
        raise SpecError(f"`{where}` is {said}", hint=BY_HAND.removeprefix("or "), where=where) from None
    return _profile(outputs, where)


def _content(path: Path) -> bytes:
    if path.is_dir():
        return _asked(path).encode()
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"`{path}` is too big for the outputs of Terraform", hint=SOURCES, where=str(path))
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"`{path}` cannot be read: {error.strerror or error}", hint=SOURCES, where=str(path)) from None


def _asked(folder: Path) -> str:
    """What Terraform says of a folder."""
    terraform = shutil.which("terraform")
    if not terraform:
        raise SpecError(f"Terraform is needed to read `{folder}`, and is not here", hint=f"install it, {BY_HAND}")
    try:
        done = subprocess.run(
            [terraform, "output", "-json", "-no-color"], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SpecError(f"Terraform did not tell the outputs of `{folder}` within {LIMIT_S} seconds") from None
    if done.returncode:
        raise SpecError(
            f"Terraform cannot tell the outputs of `{folder}`: {done.stderr.strip() or done.stdout.strip()}",
            hint=f"run `terraform init` there, {BY_HAND}", where=str(folder),
        )  # fmt: skip
    return done.stdout


def _profile(outputs: Any, where: str) -> Profile:
    output = outputs.get(OUTPUT) if isinstance(outputs, dict) else None
    if not isinstance(output, dict) or "value" not in output:
        has = ", ".join(f"`{name}`" for name in outputs) if isinstance(outputs, dict) and outputs else "none"
        hint = f"run `terraform apply` first; if that was done, {NAMED}" if has == "none" else NAMED
        if isinstance(outputs, dict) and isinstance(outputs.get("contract_version"), str):
            hint = f"give all outputs, which say what is sensitive: `terraform output -json` without `{OUTPUT}`"
        raise SpecError(f"`{where}` has no output `{OUTPUT}`; its outputs: {has}", hint=hint, where=where)
    if output.get("sensitive"):
        raise SpecError(
            f"the output `{OUTPUT}` is marked sensitive, and the project file is no place for secrets",
            hint="take `sensitive = true` away: the modules put no secret into it", where=where,
        )  # fmt: skip
    value = output["value"]
    version = value.get("contract_version") if isinstance(value, dict) else None
    if version is not None and version != VERSION:
        raise SpecError(
            f"the profile is of version {version!r} of the contract, and this cloudml reads {VERSION!r}",
            hint="take the modules and cloudml from one release", where=where,
        )  # fmt: skip
    try:
        return Profile.model_validate(value)
    except ValidationError as error:
        said = "; ".join(f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in error.errors())
        raise SpecError(
            f"the output `{OUTPUT}` is not a profile: {said}", hint="terraform/README.md has its fields", where=where
        ) from None


def target(profile: Profile, name: str = "") -> Provisioned:
    """The target that a project has on that platform.

    Args:
        profile: The platform.
        name: How it is called; ``aws-dev`` and the like when empty.
    """
    takes = _takes(profile.provider)
    table = SETTINGS.get(profile.provider, {key: f"settings.{key}" for key in profile.settings})
    found = {key: value for key, path in table.items() if (value := _at(profile, path)) not in (None, [], {})}
    chosen = {key: value for key, value in found.items() if takes is None or key in takes}
    notes = []
    if takes is None:
        notes.append(f"the provider `{profile.provider}` is not installed here, so the target was not checked")
    else:
        left = sorted(found.keys() - chosen.keys())
        notes += [f"`{key}` of the platform is left out: `{profile.provider}` has no such setting" for key in left]
    return Provisioned(
        target=name or f"{profile.provider}-{profile.environment}",
        provider=profile.provider,
        settings=chosen,
        managed=frozenset(table),
        notes=tuple(notes),
    )


def _takes(provider: str) -> frozenset[str] | None:
    """The settings of an installed provider."""
    if provider not in plugins.names():
        return None
    return frozenset(plugins.plugin(provider).settings.model_fields)


def _at(profile: Profile, path: str) -> Any:
    value: Any = profile
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else getattr(value, key)
    return dict(value) if isinstance(value, Mapping) else value


def not_for(profile: Profile, project: str) -> Iterator[str]:
    """Why a project of that name cannot use the platform: what it may touch there goes by the project's name."""
    if project != profile.name and not project.startswith(f"{profile.name}-"):
        yield (
            f"the platform lets in projects called `{profile.name}` or `{profile.name}-…`, and this one is `{project}`"
        )
