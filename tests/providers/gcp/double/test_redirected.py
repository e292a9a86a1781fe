"""Where the system binds no folders, /gcs is another folder, which the log names."""

from __future__ import annotations

import pytest
from vertex_cloud import BUCKET

from cloudml.doubles import containers


@pytest.fixture
def forbidding(cloud, monkeypatch):
    """A system that lets nobody bind folders."""
    monkeypatch.setattr(containers, "forbidden", lambda: "unshare: Operation not permitted")
    return cloud


def test_a_job_reads_and_writes_its_buckets_elsewhere(forbidding):
    forbidding.put("given", b"seen")
    script = f"""
import os, sys
print(open(sys.argv[1]).read(), open(os.environ["PLACE"]).read())
open(os.environ["CLOUDML_GCS"] + "/{BUCKET}/new", "w").write("1")
"""
    env = [{"name": "PLACE", "value": f"/gcs/{BUCKET}/given"}]
    made = forbidding.ran(script, container={"args": [f"/gcs/{BUCKET}/given"], "env": env})
    assert made["state"] == "JOB_STATE_SUCCEEDED", forbidding.printed(made)
    said, found = forbidding.printed(made)
    assert "because folders cannot be bound (unshare: Operation not permitted)" in said
    assert found == "seen seen"
    assert forbidding.get("new") == b"1"


def test_an_endpoint_serves_as_ever(forbidding):
    endpoint = forbidding.served()
    assert forbidding.good("POST", f"{endpoint}:predict", {"instances": [1]})["predictions"] == [2]
