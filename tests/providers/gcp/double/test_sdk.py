"""The official high-level SDK, unmodified, trains and serves on the double."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from vertex_cloud import BUCKET, SERVER

from cloudml_gcp.double import double

PROGRAM = Path(__file__).parent.with_name("vertex_sdk.py")
PACE = 2000


def test_a_job_a_model_and_an_endpoint_are_made_with_the_official_sdk():
    with double(pace=PACE) as gcp:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(PROGRAM), gcp.url, BUCKET, SERVER],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        assert json.loads(done.stdout.splitlines()[-1]) == {
            "state": "JOB_STATE_SUCCEEDED",
            "jobs": ["official"],
            "version": "1",
            "aliases": ["blue", "default"],
            "predictions": [2, 5],
        }
