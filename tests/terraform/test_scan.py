"""checkov over each module: what it finds has been weighed, each with its reason, and nothing else is left."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from stub_environments import HERE, python
from tools import CLOUDS, MODULES, Stub, environment, locked

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTED = json.loads((HERE / "accepted.json").read_text("utf-8"))


OPEN = """resource "aws_s3_bucket" "open" {
  bucket = "open"
}
resource "aws_s3_bucket_acl" "open" {
  bucket = aws_s3_bucket.open.id
  acl    = "public-read"
}
"""


@pytest.fixture
def findings(lane) -> dict[str, set[str]]:
    """The checks that fail in each module, and in one with an open bucket; the scanner asks nobody outside."""
    record = lane.home / "findings.json"
    with locked(lane.home / "findings.lock"):
        if not record.exists():
            folder = lane.copy("scanned") / MODULES.name
            (folder / "open").mkdir()
            (folder / "open" / "main.tf").write_text(OPEN)
            record.write_text(json.dumps(scanned(folder)))
    return {name: {*found} for name, found in json.loads(record.read_text()).items()}


def scanned(folder: Path) -> dict[str, list[str]]:
    """The checks that fail in each folder within a folder; one call, as the scanner takes seconds to start."""
    done = subprocess.run(
        [python("scan"), HERE / "scan.py", folder],
        capture_output=True, text=True, check=True, timeout=120, env=environment(Stub(folder)),
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["summary"]["parsing_errors"] == 0
    assert said["summary"]["passed"] > 0
    found: dict[str, list[str]] = {path.name: [] for path in folder.iterdir()}
    for one in said["results"]["failed_checks"]:
        found[one["file_path"].split("/")[1]].append(one["check_id"])
    return found


def test_the_scanner_finds_what_was_accepted_and_nothing_else(findings, cloud) -> None:
    assert findings[cloud] == set(ACCEPTED[cloud])


def test_in_the_module_of_the_contract_it_finds_nothing(findings) -> None:
    assert findings["contract"] == set()


def test_an_open_bucket_would_be_found(findings) -> None:
    assert "CKV_AWS_20" in findings["open"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_accepted_finding_has_a_reason(cloud: str) -> None:
    assert all(len(reason) >= 8 for reason in ACCEPTED[cloud].values())
