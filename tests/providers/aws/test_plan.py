"""`cloudml plan --requests` needs neither boto3 nor a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from no_sdk import planned

if TYPE_CHECKING:
    from pathlib import Path

ABSENT = {"boto3", "botocore", "s3transfer", "moto", "regex", "sagemaker"}


def test_a_plan_shows_every_request_where_boto3_is_not_installed(tmp_path: Path) -> None:
    steps = planned(tmp_path, "aws", ABSENT)
    assert steps["datasets.table"] == ["s3:Upload"]
    assert steps["jobs.prepare"] == ["s3:Upload", "sagemaker:CreateProcessingJob"]
    assert steps["jobs.train"] == ["s3:Upload", "sagemaker:CreateTrainingJob"]
    assert "sagemaker:CreateEndpoint" in steps["endpoints.delay"]
