"""Where the system binds no folders, /mnt/azureml and /var/azureml-app are other folders, which the logs name."""

from __future__ import annotations

import pytest

from cloudml.doubles import containers

LOOK = b"import os, sys; print(os.getcwd()); open(os.path.join(sys.argv[1], 'm'), 'w').write('1')"


@pytest.fixture
def forbidding(cloud, monkeypatch):
    """A system that lets nobody bind folders."""
    monkeypatch.setattr(containers, "forbidden", lambda: "unshare: Operation not permitted")
    return cloud


def test_a_job_runs_in_its_own_folder(forbidding):
    base = forbidding.datastore()
    outputs = {"model": {"jobOutputType": "uri_folder", "mode": "Upload", "uri": f"{base}/out"}}
    forbidding.job(script=LOOK, command="python main.py ${{outputs.model}}", outputs=outputs)
    assert forbidding.ended()["status"] == "Completed", forbidding.printed()
    said, where = forbidding.printed()
    assert "because folders cannot be bound (unshare: Operation not permitted)" in said
    assert where.startswith(str(forbidding.azure.world.folder))
    assert forbidding.get("out/m") == b"1"


def test_a_deployment_serves_from_its_own_folder(forbidding):
    forbidding.up()
    assert forbidding.score().json == {"predictions": [2.0, 4.0]}
