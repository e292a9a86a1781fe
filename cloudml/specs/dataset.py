"""Datasets."""

from __future__ import annotations

from pydantic import Field

from cloudml.specs.base import Name, Spec


class DatasetSpec(Spec, defer_build=True):
    """Files that jobs read, versioned by their content."""

    name: Name
    """How the rest of the project calls it."""
    path: str = Field(min_length=1, max_length=1024, examples=["data/*.parquet"])
    """A file, a folder or a glob, relative to the project file; or s3:// gs:// az:// https://."""
    label: str | None = Field(default=None, min_length=1)
    """The column that a model is to predict."""
