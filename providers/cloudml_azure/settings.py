"""What a target with `provider: azure` may say. Secrets are no settings: azure-identity finds them by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

API_VERSION = "2025-12-01"
SECONDS = 60
LONGEST_ANSWER_S = 180
"""A request to an online endpoint may take no longer. Source: "Manage and increase quotas", Azure Machine Learning."""


class AzureSettings(BaseModel):
    """A workspace, its storage, and how jobs and endpoints are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subscription_id: str = Field(
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        examples=["00000000-0000-0000-0000-000000000000"],
    )
    """The subscription of the workspace."""
    # Its length is no part of the pattern: a count of letters of all scripts takes 50 ms to compile.
    resource_group: str = Field(max_length=90, pattern=r"^[-\w.()]*[-\w()]$", examples=["ml"])
    """Its resource group."""
    workspace: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}$", examples=["acme"])
    """The Azure Machine Learning workspace."""
    region: str = Field(pattern=r"^[a-z]+[a-z0-9]*$", examples=["westeurope"])
    """The region of the workspace."""
    storage_account: str = Field(pattern=r"^[a-z0-9]{3,24}$", examples=["acmeml"])
    """The storage account of the workspace."""
    container: str = Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$", examples=["cloudml"])
    """The container in it for data, code, models, captured requests and reports."""
    prefix: str = Field(default="cloudml", pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$")
    """The folder in the container below which everything lies."""
    datastore: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9_]{1,255}$")
    """A datastore of the workspace that leads to the container; one without secrets is made when left out."""
    compute: str | None = Field(default=None, pattern=r"^[a-zA-Z][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]$")
    """A cluster of the workspace on which jobs run; serverless compute when left out."""
    identity: str | None = Field(default=None, pattern=r"^/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/.+$")
    """The resource id of a user-assigned identity for jobs and endpoints; the workspace's usual way when left out."""
    authentication: Literal["key", "entra"] = "key"
    """How endpoints know their callers: by a key, or by tokens of Microsoft Entra ID."""
    request_timeout_s: int = Field(default=SECONDS, ge=1, le=LONGEST_ANSWER_S)
    """How long an endpoint may take to answer, in seconds."""
    cpu_percent: int = Field(default=70, ge=10, le=95)
    """The share of CPU above which an autoscaled endpoint gets another instance."""
    tags: Mapping[str, str] = Field(default_factory=dict, max_length=40)
    """Tags for everything that is made, besides cloudml's own."""
    api_version: str = Field(default=API_VERSION, pattern=r"^20\d\d-\d\d-\d\d$")
    """The version of Azure Machine Learning's REST interface, which some regions get later than others."""

    @property
    def group_id(self) -> str:
        """The ARM id of the resource group."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"

    @property
    def workspace_id(self) -> str:
        """The ARM id of the workspace."""
        return f"{self.group_id}/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"

    @property
    def datastore_name(self) -> str:
        """The datastore by which Azure ML reaches the container."""
        return self.datastore or f"cloudml_{self.storage_account}_{self.container.replace('-', '_')}"
