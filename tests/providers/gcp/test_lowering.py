"""What the provider sends: every request is held against the vendor's own contract."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from vertex_working import PLACES, SETTINGS, endpoint, job, monitor

from cloudml.errors import SpecError, UnsupportedError
from cloudml.plan import Call
from cloudml_gcp import endpoints, jobs, monitors, requests, rollout, serving

if TYPE_CHECKING:
    from pathlib import Path


def lowered(resource) -> dict:
    return jobs.lower(resource, PLACES, SETTINGS).calls[1].body["customJob"]


def test_a_job_starts_the_driver_from_the_mounted_bucket_with_both_limits(tmp_path: Path) -> None:
    made = lowered(job(tmp_path))
    (pool,) = made["jobSpec"]["workerPoolSpecs"]
    name = made["labels"]["cloudml-id"]
    assert pool["containerSpec"]["command"] == [
        "python3",
        f"/gcs/acme-ml/cloudml/flights/jobs/{name}/code/start.py",
    ]
    assert made["jobSpec"]["scheduling"] == {
        "timeout": "4525s",
        "maxWaitDuration": "86400s",
        "strategy": "STANDARD",
        "restartJobOnWorkerRestart": False,
    }


def test_a_spot_job_on_three_machines_has_two_pools_and_restarts(tmp_path: Path) -> None:
    made = lowered(job(tmp_path, spot=True, nodes=3))
    assert [pool["replicaCount"] for pool in made["jobSpec"]["workerPoolSpecs"]] == ["1", "2"]
    assert made["jobSpec"]["scheduling"]["strategy"] == "SPOT"
    assert made["jobSpec"]["scheduling"]["restartJobOnWorkerRestart"]


def test_a_value_that_looks_like_a_variable_reaches_the_container_as_it_is(tmp_path: Path) -> None:
    made = lowered(job(tmp_path, environment={"PRICE": "$(HOME)"}))
    env = made["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]
    assert {"name": "PRICE", "value": "$$(HOME)"} in env


def test_an_empty_variable_reaches_the_script_by_its_driver(tmp_path: Path) -> None:
    upload, call = (plan := jobs.lower(job(tmp_path, environment={"EMPTY": "", "FULL": "1"}), PLACES, SETTINGS)).calls
    env = call.body["customJob"]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]
    assert {"EMPTY", "FULL"} & {one["name"] for one in env} == {"FULL"}
    assert upload.body["request"]["environment"] == {"EMPTY": "", "FULL": "1"}
    assert [note.text.rpartition(": ")[2] for note in plan.notes if note.path == "jobs.train.environment"] == ["EMPTY"]
    requests.check(call)


@pytest.mark.parametrize("changes", [{}, {"nodes": 2}, {"machine": {"gpus": 1, "gpu": "T4"}}, {"spot": True}])
def test_every_job_is_a_good_request(tmp_path: Path, changes: dict) -> None:
    for call in jobs.lower(job(tmp_path, **changes), PLACES, SETTINGS).calls[1:]:
        requests.check(call)


@pytest.mark.parametrize("changes", [{}, {"instances": {"min": 1, "max": 4}}, {"machine": {"gpu": "L4"}}])
def test_every_endpoint_is_two_good_requests(changes: dict) -> None:
    for call in endpoints.lower(endpoint(**changes), PLACES, SETTINGS)[1:]:
        requests.check(call)


def test_a_deployed_model_has_an_id_and_a_name_from_its_content() -> None:
    deployment = endpoints.lower(endpoint(), PLACES, SETTINGS)[2].body["deployedModel"]
    assert rollout.hash_of(deployment) == endpoint().identity.hash
    assert deployment["id"] == rollout.deployed_id(endpoint().identity.hash)
    assert deployment["model"].endswith("/models/flights-delay@cloudml-0123456789")


def test_the_boot_program_expands_nothing_and_is_python() -> None:
    compile(serving.BOOT, "boot", "exec")
    assert "$(" not in serving.BOOT


def test_a_schedule_posts_the_whole_job_and_names_no_run() -> None:
    card = monitors.lower(monitor(schedule="0 * * * *"), PLACES, SETTINGS)
    posted = json.loads(base64.b64decode(card["schedule"]["httpTarget"]["body"]))
    assert posted == card["job"]
    names = [one["name"] for one in posted["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]]
    assert "CLOUDML_RUN" not in names
    assert card["description"]["analysis"]["out"].endswith("/runs/{run}")
    requests.check(Call("aiplatform:CreateCustomJob", {"parent": SETTINGS.parent, "customJob": posted}))


def test_a_word_that_cloudml_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="displayName"):
        lowered(job(tmp_path, gcp={"displayName": "mine"}))


def test_a_word_that_vertex_does_not_know_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    (_, call) = jobs.lower(job(tmp_path, gcp={"jobSpec": {"enableWebAcess": True}}), PLACES, SETTINGS).calls
    with pytest.raises(SpecError, match="is `enableWebAccess` meant"):
        requests.check(call)
