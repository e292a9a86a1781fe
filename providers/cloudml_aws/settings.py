"""What a target with `provider: aws` may say. Secrets are not settings: boto3 finds them where it always does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _listed(value: Any) -> Any:
    """A list that came as text, as from the environment."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class AwsSettings(BaseModel):
    """An account's region, bucket and role, and how jobs and endpoints are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = Field(pattern=r"^[a-z]{2,5}(-[a-z]+)+-\d$", examples=["eu-west-1"])
    """The region of everything, the bucket's as well."""
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    """The bucket for data, code, models, captured requests and reports."""
    role_arn: str = Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.{1,512}$")
    """The role that jobs and endpoints take on (the execution role)."""
    prefix: str = Field(default="cloudml", pattern=r"^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*$")
    """The folder in the bucket below which everything lies."""
    profile: str | None = Field(default=None, min_length=1)
    """A profile of the AWS configuration files; the usual search for credentials when left out."""
    scheduler_role_arn: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.{1,512}$")
    """The role that EventBridge Scheduler takes on to start monitors; `role_arn` when left out."""
    subnets: Listed = Field(default=(), max_length=16)
    """Subnets of a VPC in which jobs and endpoints run; with `security_groups`."""
    security_groups: Listed = Field(default=(), max_length=5)
    """Security groups for them."""
    kms_key: str | None = Field(default=None, min_length=1, max_length=2048)
    """A KMS key for volumes and outputs; the account's own encryption when left out."""
    network_isolation: bool = False
    """Whether containers are cut off from every network; requirements cannot be installed then."""
    invocations_per_instance: float = Field(default=1000.0, gt=0)
    """The requests a minute that one instance of an autoscaled endpoint shall get."""
    tags: Mapping[str, str] = Field(default_factory=dict, max_length=40)
    """Tags for everything that is made, besides cloudml's own."""

    @property
    def account(self) -> str:
        """The account's number, which the role's name tells."""
        return self.role_arn.split(":")[4]

    @property
    def partition(self) -> str:
        """``aws``, or that of China or a government."""
        return self.role_arn.split(":")[1]
