"""`cloudml plan --requests` needs neither an SDK of Google nor a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from no_sdk import planned

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plan_shows_every_request_without_an_sdk(tmp_path: Path) -> None:
    steps = planned(tmp_path, "gcp", {"google", "grpc", "proto", "requests"})
    assert steps["datasets.table"] == ["storage:Upload"]
    assert steps["jobs.train"] == ["storage:Upload", "aiplatform:CreateCustomJob"]
    assert steps["models.delay"][-1] == "aiplatform:UploadModel"
    assert steps["endpoints.delay"][-2:] == ["aiplatform:CreateEndpoint", "aiplatform:DeployModel"]
