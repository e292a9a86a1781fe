"""checkov over each module: what it finds has been weighed, each with its reason, and nothing else is left."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from stub_environments import HERE, python
from tools import CLOUDS, MODULES

ACCEPTED = json.loads((HERE / "accepted.json").read_text("utf-8"))


def findings(folder: Any) -> set[str]:
    """The checks that fail; the scanner asks nobody outside."""
    done = subprocess.run(
        [python("scan"), "-m", "checkov.main", "-d", folder, "--framework", "terraform", "--output", "json", "--quiet",
         "--compact", "--skip-download", "--soft-fail"],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["summary"]["parsing_errors"] == 0
    assert said["summary"]["passed"] > 0
    return {one["check_id"] for one in said["results"]["failed_checks"]}


def test_the_scanner_finds_what_was_accepted_and_nothing_else(cloud) -> None:
    assert findings(MODULES / cloud) == set(ACCEPTED[cloud])


def test_an_open_bucket_would_be_found(tmp_path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_s3_bucket" "open" {\n  bucket = "open"\n}\n'
        'resource "aws_s3_bucket_acl" "open" {\n  bucket = aws_s3_bucket.open.id\n  acl    = "public-read"\n}\n'
    )
    assert "CKV_AWS_20" in findings(tmp_path)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_accepted_finding_has_a_reason(cloud: str) -> None:
    assert all(len(reason) >= 8 for reason in ACCEPTED[cloud].values())
