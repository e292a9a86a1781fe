"""What a target with `provider: gcp` may say. Secrets are not settings: google-auth finds them where it always does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]
ImageUri = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?/\S+$", max_length=500)]


class GcpSettings(BaseModel):
    """A project's region, bucket and service account, and how jobs and endpoints are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project_id: str = Field(pattern=r"^[a-z][a-z0-9.:-]{2,61}[a-z0-9]$", examples=["acme"])
    """The project's id, not its number."""
    region: str = Field(pattern=r"^[a-z]+-[a-z]+\d+$", examples=["europe-west4"])
    """The region of everything, the bucket's as well."""
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
    """The bucket for data, code, models, captured requests and reports."""
    service_account: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.gserviceaccount\.com$")
    """The service account that jobs and endpoints run as."""
    prefix: str = Field(default="cloudml", pattern=r"^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*$")
    """The folder in the bucket below which everything lies."""
    scheduler_service_account: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+\.gserviceaccount\.com$")
    """The service account as which Cloud Scheduler starts monitors; `service_account` when left out."""
    quota_project: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9.:-]{2,61}[a-z0-9]$")
    """The project whose API quota is used; that of the credentials when left out."""
    network: str | None = Field(default=None, pattern=r"^projects/\d+/global/networks/[a-z0-9-]{1,63}$")
    """A VPC network to which jobs are peered, ``projects/NUMBER/global/networks/NAME``."""
    persistent_resource: str | None = Field(default=None, pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
    """Machines that are kept, on which jobs run without waiting for others; made by somebody else."""
    kms_key: str | None = Field(
        default=None, pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$"
    )
    """A KMS key for jobs, models and endpoints; Google's own encryption when left out."""
    training_image: ImageUri | None = None
    """The image of jobs that name none; Google's own for the framework when left out."""
    serving_image: ImageUri | None = None
    """The image of endpoints; Google's own for the framework when left out. It needs Python 3.8 or later."""
    monitor_image: ImageUri | None = None
    """The image in which monitors run, with Python 3.11 or later."""
    max_wait: str = Field(default="86400s", pattern=r"^[1-9]\d{0,8}s$")
    """How long a job waits for machines before it is given up, in seconds: ``86400s``."""
    requests_per_instance: int | None = Field(default=None, gt=0)
    """The requests a minute that one instance of an autoscaled endpoint shall get; by CPU at 60 % when left out."""
    labels: Mapping[LabelKey, LabelValue] = Field(default_factory=dict, max_length=48)
    """Labels for everything that is made, besides cloudml's own."""

    @property
    def parent(self) -> str:
        """What everything of Vertex AI lies in."""
        return f"projects/{self.project_id}/locations/{self.region}"
