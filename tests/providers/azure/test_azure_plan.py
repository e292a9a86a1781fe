"""`cloudml plan --requests` needs neither an SDK of Azure nor a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from no_sdk import planned

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plan_shows_every_request_without_an_sdk(tmp_path: Path) -> None:
    steps = planned(tmp_path, "azure", {"azure", "msal", "msrest", "requests"})
    assert steps["datasets.table"] == ["Blobs_Upload", "Datastores_CreateOrUpdate", "DataVersions_CreateOrUpdate"]
    assert steps["jobs.train"][-1] == "Jobs_CreateOrUpdate"
    assert steps["models.delay"][-1] == "ModelVersions_CreateOrUpdate"
    assert steps["endpoints.delay"][-2:] == ["OnlineDeployments_CreateOrUpdate", "OnlineEndpoints_CreateOrUpdate"]
