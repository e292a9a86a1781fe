from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from watching import SETTINGS, resource

from cloudml_aws import monitors
from cloudml_aws.clients import Clients
from cloudml_aws.double import KEY, SECRET, double
from cloudml_aws.places import Places

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.live import sweep

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, YOUNG = "live-20260301t0500-0a1b", "live-20260301t1130-0a1c"
OTHERS = ("flights", "live-demo", "live-20260301t0500-0a1b-more")


@pytest.fixture
def clients():
    with double(region=SETTINGS.region, bucket=SETTINGS.bucket, role_arn=SETTINGS.role_arn) as aws:
        yield Clients(SETTINGS, endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)


def leave(clients: Clients, *projects: str) -> None:
    """Leave a monitor of each project, with a schedule, and a file of a dataset."""
    for name in projects:
        places = Places(SETTINGS.bucket, f"{SETTINGS.prefix}/{name}")
        monitors.AwsMonitors(clients, places).create(resource("drift", name, schedule="0 * * * *"))
        clients.storage(places.root).write("datasets/table/x.csv", b"1")


def test_a_project_s_name_says_when_it_began() -> None:
    name = sweep.project(NOW)
    assert sweep.begun(name) == NOW
    assert len(name) <= 31
    assert [sweep.begun(one) for one in OTHERS] == [None] * len(OTHERS)


def test_only_what_is_old_enough_is_swept() -> None:
    assert sweep.old({OLD, YOUNG, *OTHERS}, NOW, timedelta(hours=6)) == [OLD]
    assert sweep.old({OLD, YOUNG}, NOW, timedelta(0)) == [OLD, YOUNG]


def test_projects_are_found_by_what_they_left(clients) -> None:
    leave(clients, OLD, YOUNG)
    clients.storage(f"s3://{SETTINGS.bucket}/{SETTINGS.prefix}").write("flights/x", b"")
    assert sweep.projects(clients) == {OLD, YOUNG}
    for name in (OLD, YOUNG):
        root = clients.storage(f"s3://{SETTINGS.bucket}/{SETTINGS.prefix}/{name}")
        root.remove([one.path for one in root.list()])
    assert sweep.projects(clients) == {OLD, YOUNG}, "the schedules are left"


def test_a_dry_run_removes_nothing(clients) -> None:
    leave(clients, OLD, YOUNG)
    assert list(sweep.run(clients, NOW, sweep.OLD, dry=True)) == [f"would remove {OLD}"]
    assert sweep.projects(clients) == {OLD, YOUNG}


def test_a_sweep_removes_all_of_an_old_project_and_nothing_of_another(clients) -> None:
    leave(clients, OLD, YOUNG, "flights")
    said = list(sweep.run(clients, NOW, sweep.OLD, dry=False))
    assert said == [f"removed {OLD}: {OLD}-drift"]
    assert sweep.projects(clients) == {YOUNG}
    keys = clients.pages("s3:ListObjectsV2", {"Bucket": SETTINGS.bucket}, "Contents")
    assert not [one["Key"] for one in keys if OLD in one["Key"]]
    assert sweep.schedules(clients, "flights-") == ["flights-drift"]


def test_the_target_is_what_would_stand_in_the_project_file(tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    file.write_text(json.dumps({"provider": "aws", **SETTINGS.model_dump(include={"region", "bucket", "role_arn"})}))
    assert sweep.target(file).settings == SETTINGS
