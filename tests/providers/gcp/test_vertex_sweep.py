"""The sweeper of the live tests, on the double."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vertex_working import SETTINGS

sys.path.insert(0, str(Path(__file__).parents[3]))

from cloudml_gcp import schedules
from cloudml_gcp.clients import Clients
from cloudml_gcp.double import double
from cloudml_gcp.double.rehearsal import signed_in
from tests.live import sweep

JOB = {
    "displayName": "run",
    "jobSpec": {
        "workerPoolSpecs": [
            {
                "replicaCount": "1",
                "machineSpec": {"machineType": "e2-standard-4"},
                "containerSpec": {"imageUri": "europe-docker.pkg.dev/acme/ml/any:1", "command": ["true"]},
            }
        ]
    },
}
OVER = {"JOB_STATE_SUCCEEDED"}


def leave(clients: Clients, project: str) -> None:
    """Leave an endpoint of a project, and a run and the schedule of a monitor that no card names."""
    labels, parent = {"cloudml-project": project}, SETTINGS.parent
    run = {**JOB, "labels": {**labels, "cloudml-resource": f"monitors_{sweep.MONITOR}"}}
    endpoint = {"displayName": f"{project}-scale", "labels": labels}
    clients.send(
        "aiplatform:CreateEndpoint", {"parent": parent, "endpointId": f"{project}-scale", "endpoint": endpoint}
    )
    clients.send("aiplatform:CreateCustomJob", {"parent": parent, "customJob": run})
    monitor = f"{project}-{sweep.MONITOR}"
    clients.send(
        "cloudscheduler:CreateJob", {"parent": parent, "job": schedules.lower(monitor, "0 6 * * 1", JOB, SETTINGS)}
    )


def test_what_is_old_is_removed_and_nothing_else() -> None:
    now = datetime.now(UTC)
    old, young = sweep.project(now - timedelta(hours=7)), sweep.project(now)
    wanted = {"project": SETTINGS.project_id, "region": SETTINGS.region, "bucket": SETTINGS.bucket}
    with double(**wanted, service_account=SETTINGS.service_account) as gcp:
        clients = Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
        storage = clients.storage(f"gs://{SETTINGS.bucket}/{SETTINGS.prefix}")
        for name in (old, young):
            leave(clients, name)
        for name in (old, "live-by-hand"):
            storage.write(f"{name}/monitors/x/file", b"x")
        while {job["state"] for job in sweep.gcp_labelled(clients, "CustomJobs", "cloudml-project:*")} != OVER:
            gcp.clock.sleep(30)
        asked = {"dry": True, "provider": "gcp"}
        assert sweep.gcp_projects(clients) == {old, young}
        assert list(sweep.run(clients, now, sweep.OLD, **asked)) == [f"would remove {old}"]
        said = list(sweep.run(clients, now, sweep.OLD, **{**asked, "dry": False}))
        assert said == [f"removed {old}: {old}-scale"]
        gcp.clock.sleep(60)
        assert sweep.gcp_projects(clients) == {young}
        assert [one.path.partition("/")[0] for one in storage.list()] == ["live-by-hand"]
        assert [name.rpartition("/")[2] for name in gcp.world.schedules] == [f"{young}-{sweep.MONITOR}"]
