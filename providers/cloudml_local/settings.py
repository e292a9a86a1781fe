"""What a target with `provider: local` may say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LocalSettings(BaseModel):
    """Where things lie, and how much of this computer jobs may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: str = Field(default=".cloudml", min_length=1)
    """The folder for everything that is made, relative to the project's folder."""
    jobs: int | None = Field(default=None, ge=1, le=1024)
    """How many jobs run at once, the others waiting in a queue; as many as this computer has CPUs when left out."""
