"""Whatever can go wrong at GCP goes wrong on demand, in Google's own words."""

from __future__ import annotations

import pytest
import requests
from vertex_cloud import BUCKET, PARENT, job

JOBS = f"{PARENT}/customJobs"
SPOT = {"scheduling": {"strategy": "SPOT"}}
RESUMES = f"""
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("SIGTERM", flush=True), sys.exit(0)))
place = "/gcs/{BUCKET}/epoch"
done = os.path.exists(place)
print("from", 2 if done else 0, flush=True)
open(place, "w").write("2")
print("epoch 2", flush=True)
while not done: time.sleep(0.05)
"""


def count(cloud):
    return len(cloud.good("GET", JOBS).get("customJobs", ()))


@pytest.mark.parametrize(("code", "status"), [
    ("RESOURCE_EXHAUSTED", 429), ("UNAVAILABLE", 503), ("INTERNAL", 500), ("PERMISSION_DENIED", 403),
    ("DEADLINE_EXCEEDED", 504), ("UNAUTHENTICATED", 401),
])  # fmt: skip
def test_a_request_is_refused_and_then_answered(shared, code, status):
    fault = shared.gcp.faults.refuse("aiplatform:ListModels", code, "in these words")
    error = shared.bad("GET", f"{PARENT}/models")
    assert error == {"code": status, "message": "in these words", "status": code}
    assert shared.good("GET", f"{PARENT}/models") == {}
    assert fault.struck == 1


def test_a_permission_is_denied_for_one_thing(shared):
    fault = shared.gcp.faults.refuse("aiplatform:Create*", "PERMISSION_DENIED", about="mine", times=None)
    assert shared.bad("POST", JOBS, job("mine"))["status"] == "PERMISSION_DENIED"
    assert shared.ask("POST", JOBS, job("yours")).ok
    fault.times = 0


def test_nobody_runs_as_an_account_that_is_not_theirs(cloud):
    error = cloud.bad("POST", JOBS, job(spec={"serviceAccount": "me@other.iam.gserviceaccount.com"}))
    assert (error["code"], "act as service_account" in error["message"]) == (403, True)
    cloud.gcp.faults.refuse("iam:serviceAccounts.actAs", "PERMISSION_DENIED", times=None)
    assert cloud.bad("POST", JOBS, job(spec={"serviceAccount": cloud.gcp.world.account}))["code"] == 403


def test_storage_fails_in_its_own_words(shared):
    shared.gcp.faults.refuse("storage:objects.list", "RESOURCE_EXHAUSTED", "slow down", times=2)
    error = shared.bad("GET", f"/storage/v1/b/{BUCKET}/o")
    assert (error["code"], error["errors"][0]["reason"]) == (429, "rateLimitExceeded")
    answer = shared.ask("GET", f"/{BUCKET}?list-type=2")
    assert (answer.status_code, "<Code>SlowDown</Code>" in answer.text) == (429, True)


def test_a_connection_is_dropped_before_the_work(cloud):
    cloud.gcp.faults.happen("drop", "aiplatform:CreateCustomJob")
    with pytest.raises(requests.ConnectionError):
        cloud.ask("POST", JOBS, job())
    assert count(cloud) == 0


def test_an_answer_is_lost_after_the_work(cloud):
    cloud.gcp.faults.happen("lose", "aiplatform:CreateCustomJob")
    with pytest.raises(requests.ConnectionError):
        cloud.ask("POST", JOBS, job())
    assert count(cloud) == 1


def test_an_answer_does_not_come_in_time_after_the_work(cloud):
    struck = []
    cloud.gcp.faults.happen("hold", "aiplatform:CreateCustomJob", then=lambda: struck.append(count(cloud)))
    with pytest.raises(requests.Timeout):
        requests.post(f"{cloud.gcp.url}/v1/{JOBS}", json=job(), timeout=0.3)
    assert count(cloud) == 1
    assert struck == [1]


def test_an_answer_takes_time_on_the_clock(cloud):
    cloud.gcp.faults.happen("delay", "aiplatform:ListModels", seconds=300)
    before = cloud.gcp.clock.seconds()
    cloud.good("GET", f"{PARENT}/models")
    assert cloud.gcp.clock.seconds() - before >= 300


def test_a_stockout_keeps_a_job_waiting_until_it_ends(cloud):
    fault = cloud.gcp.faults.domain("stockout", "job", times=None)
    made = cloud.train("print('at last')")
    cloud.gcp.clock.advance(7200)
    assert cloud.good("GET", made["name"])["state"] == "JOB_STATE_PENDING"
    fault.times = 0
    assert cloud.trained(made)["state"] == "JOB_STATE_SUCCEEDED"


def test_a_job_does_not_wait_longer_than_it_may(cloud):
    cloud.gcp.faults.domain("stockout", "job", times=None)
    made = cloud.ran("print(1)", spec={"scheduling": {"maxWaitDuration": "1800s"}})
    assert (made["state"], made["error"]["code"]) == ("JOB_STATE_FAILED", 8)
    assert "startTime" not in made


def test_no_capacity_fails_a_job_after_a_while(cloud):
    cloud.gcp.faults.domain("capacity", "job")
    made = cloud.ran("print(1)")
    assert (made["state"], made["error"]["code"]) == ("JOB_STATE_FAILED", 8)
    assert made["error"]["message"].startswith("Resources are insufficient in region: europe-west4.")


def test_a_quota_refuses_a_job_at_once_or_fails_it_later(cloud):
    cloud.gcp.faults.domain("allocation", "job")
    error = cloud.bad("POST", JOBS, job())
    assert (error["status"], "aiplatform.googleapis.com/custom_model_training_cpus" in error["message"]) == (
        "RESOURCE_EXHAUSTED", True,
    )  # fmt: skip
    cloud.gcp.faults.domain("job-quota", "job")
    made = cloud.ran("print(1)")
    assert made["error"]["code"] == 8
    assert made["error"]["message"].startswith("The following quota metrics exceed quota limits")


def test_a_spot_machine_is_taken_away_and_the_code_runs_again(cloud):
    cloud.gcp.faults.domain("spot", "job", line="epoch 2")
    made = cloud.ran(RESUMES, spec=SPOT)
    assert made["state"] == "JOB_STATE_SUCCEEDED", made
    assert cloud.printed(made) == ["from 0", "epoch 2", "SIGTERM", "from 2", "epoch 2"]


def test_a_machine_that_is_not_spot_stays(cloud):
    fault = cloud.gcp.faults.domain("spot", "job")
    assert cloud.ran("print(1)")["state"] == "JOB_STATE_SUCCEEDED"
    assert fault.struck == 0


def test_a_spot_machine_is_not_had_again_for_ever(cloud):
    cloud.gcp.faults.domain("spot", "job", line="up", times=None)
    made = cloud.ran("import signal; print('up', flush=True); signal.pause()", spec=SPOT)
    assert (made["state"], "STOCKOUT" in made["error"]["message"]) == ("JOB_STATE_FAILED", True)


def test_a_restart_of_a_machine_runs_the_code_again(cloud):
    cloud.gcp.faults.domain("restart", "job", line="epoch 2")
    made = cloud.ran(RESUMES)
    assert made["state"] == "JOB_STATE_SUCCEEDED", made
    assert cloud.printed(made)[-1] == "epoch 2"


def test_a_deployment_fails_late_and_leaves_nothing_but_its_operation(cloud):
    endpoint, model = cloud.endpoint()["name"], cloud.upload()["model"]
    cloud.gcp.faults.domain("deploy", "endpoint", message="Model server never became ready.")
    operation = cloud.deploy(endpoint, model, {"0": 100})
    done = cloud.done(operation)
    assert done["error"] == {"code": 9, "message": "Model server never became ready."}
    assert cloud.ask("GET", operation["name"]).status_code == 200
    assert "deployedModels" not in cloud.good("GET", endpoint)
    assert cloud.result(cloud.deploy(endpoint, model, {"0": 100}))


def test_a_deployment_finds_no_machines(cloud):
    endpoint, model = cloud.endpoint()["name"], cloud.upload()["model"]
    cloud.gcp.faults.domain("capacity", "endpoint")
    assert cloud.done(cloud.deploy(endpoint, model))["error"]["code"] == 8


@pytest.mark.parametrize("rpc", ["CreateEndpoint", "UploadModel", "DeleteEndpoint"])
def test_any_operation_fails_late_with_a_number_for_a_code(cloud, rpc):
    endpoint = cloud.endpoint("there")["name"]
    cloud.gcp.faults.domain("operation", rpc, code="INTERNAL", message="Internal error encountered.")
    ask = {
        "CreateEndpoint": lambda: cloud.good("POST", f"{PARENT}/endpoints", {"displayName": "e"}),
        "UploadModel": lambda: cloud.good("POST", f"{PARENT}/models:upload", {"model": {"displayName": "m"}}),
        "DeleteEndpoint": lambda: cloud.good("DELETE", endpoint),
    }[rpc]
    done = cloud.done(ask())
    assert (done["done"], done["error"]) == (True, {"code": 13, "message": "Internal error encountered."})
    assert [one["name"] for one in cloud.good("GET", f"{PARENT}/endpoints")["endpoints"]] == [endpoint]
    assert cloud.good("GET", f"{PARENT}/models") == {}
    assert "response" in cloud.done(ask())


def test_lists_lag_behind_a_create(cloud):
    cloud.gcp.faults.domain("lag", times=None, seconds=60)
    made = cloud.train("print(1)", labels={"cloudml-id": "x"})
    look = lambda: cloud.good("GET", JOBS, params={"filter": "labels.cloudml-id=x"}).get("customJobs", [])  # noqa: E731
    assert look() == []
    assert cloud.good("GET", made["name"])["displayName"] == "job"
    cloud.gcp.clock.advance(61)
    assert len(look()) == 1


def test_get_does_not_see_what_was_just_made(cloud):
    cloud.gcp.faults.domain("stale", "endpoint")
    name = cloud.endpoint()["name"]
    assert cloud.bad("GET", name)["code"] == 404
    assert cloud.good("GET", name)["name"] == name


def test_a_page_may_be_empty_with_more_behind_it(cloud):
    cloud.train("print(1)")
    cloud.gcp.faults.domain("empty-page", "custom_jobs")
    first = cloud.good("GET", JOBS)
    assert set(first) == {"nextPageToken"}
    assert len(cloud.good("GET", JOBS, params={"pageToken": first["nextPageToken"]})["customJobs"]) == 1
    cloud.gcp.faults.domain("empty-page", "entries")
    asked = {"resourceNames": ["projects/cloudml-double"]}
    page = cloud.good("POST", "/v2/entries:list", asked)
    assert set(page) == {"nextPageToken"}
    assert cloud.good("POST", "/v2/entries:list", {**asked, "pageToken": page["nextPageToken"]})["entries"]


def test_an_api_is_not_enabled_and_a_quota_is_used_up(cloud):
    cloud.gcp.faults.domain("disabled", "aiplatform.googleapis.com", times=None)
    services = "/v1/projects/cloudml-double/services"
    assert cloud.good("GET", f"{services}/aiplatform.googleapis.com")["state"] == "DISABLED"
    cloud.gcp.faults.domain("quota", "CustomModelTrainingCPUs*", value=0, times=None)
    place = "/v1/projects/cloudml-double/locations/global/services/aiplatform.googleapis.com/quotaInfos"
    one = cloud.good("GET", f"{place}/CustomModelTrainingCPUsPerProjectPerRegion")
    assert one["dimensionsInfos"][0]["details"]["value"] == "0"
