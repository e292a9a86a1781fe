"""Cloud Scheduler's jobs fire on the clock, and what they ask of Vertex AI happens."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from vertex_cloud import PARENT, Cloud, job

from cloudml_gcp.double import double

JOBS = f"{PARENT}/jobs"
ACCOUNT = "cloudml@cloudml-double.iam.gserviceaccount.com"


def scheduled(name="nightly", **said):
    target = {
        "uri": f"https://europe-west4-aiplatform.googleapis.com/v1/{PARENT}/customJobs",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "body": base64.b64encode(json.dumps(job("fired")).encode()).decode(),
        "oauthToken": {"serviceAccountEmail": ACCOUNT},
        **said.pop("target", {}),
    }
    return {"name": f"{JOBS}/{name}", "schedule": "0 3 * * *", "httpTarget": target, **said}


@pytest.fixture
def night():
    """A double whose clock begins at two in the morning, and passes when it is told to."""
    with double(start=datetime(2030, 6, 1, 2, tzinfo=UTC), pace=0) as gcp:
        cloud = Cloud(gcp)
        cloud.put("code/fired.py", "print('fired')")
        yield cloud
        cloud.http.close()


def fired(cloud):
    return cloud.good("GET", f"{PARENT}/customJobs").get("customJobs", [])


def test_a_job_fires_every_time_that_it_is_due(night):
    made = night.good("POST", JOBS, scheduled())
    assert (made["state"], made["scheduleTime"]) == ("ENABLED", "2030-06-01T03:00:00.000000Z")
    night.gcp.clock.advance(3590)
    assert fired(night) == []
    night.gcp.clock.advance(20)
    assert [one["displayName"] for one in fired(night)] == ["fired"]
    seen = night.good("GET", made["name"])
    assert (seen["status"], seen["lastAttemptTime"], seen["scheduleTime"]) == (
        {}, "2030-06-01T03:00:00.000000Z", "2030-06-02T03:00:00.000000Z",
    )  # fmt: skip
    night.gcp.clock.advance(86_400)
    assert len(fired(night)) == 2
    assert night.trained(fired(night)[0])["state"] == "JOB_STATE_SUCCEEDED"


def test_time_zones_are_heeded(night):
    made = night.good("POST", JOBS, scheduled(timeZone="Europe/Zurich"))
    assert made["scheduleTime"] == "2030-06-02T01:00:00.000000Z"


def test_it_can_be_run_paused_resumed_changed_and_deleted(night):
    name = night.good("POST", JOBS, scheduled())["name"]
    night.good("POST", f"{name}:run", {})
    night.gcp.clock.advance(1)
    assert len(fired(night)) == 1
    assert night.good("POST", f"{name}:pause", {})["state"] == "PAUSED"
    assert night.bad("POST", f"{name}:pause", {})["status"] == "FAILED_PRECONDITION"
    night.gcp.clock.advance(7200)
    assert len(fired(night)) == 1
    assert night.good("POST", f"{name}:resume", {})["state"] == "ENABLED"
    changed = night.good("PATCH", name, {"schedule": "0 5 * * *"}, params={"updateMask": "schedule"})
    assert (changed["schedule"], changed["httpTarget"]["httpMethod"]) == ("0 5 * * *", "POST")
    night.gcp.clock.advance(3600)
    assert len(fired(night)) == 2
    assert [one["name"] for one in night.good("GET", JOBS)["jobs"]] == [name]
    night.good("DELETE", name)
    night.gcp.clock.advance(86_400)
    assert len(fired(night)) == 2
    assert night.bad("GET", name)["code"] == 404


def test_a_name_is_there_once(night):
    night.good("POST", JOBS, scheduled())
    assert night.bad("POST", JOBS, scheduled())["status"] == "ALREADY_EXISTS"


@pytest.mark.parametrize(("change", "code"), [
    ({"target": {"oauthToken": {}}}, 16),
    ({"target": {"oauthToken": {"serviceAccountEmail": "other@x"}}}, 16),
    ({"target": {"body": base64.b64encode(b"{}").decode()}}, 3),
    ({"target": {"uri": "https://example.com/"}}, 14),
])  # fmt: skip
def test_a_refusal_shows_as_the_jobs_status(night, change, code):
    name = night.good("POST", JOBS, scheduled(**change))["name"]
    night.good("POST", f"{name}:run", {})
    night.gcp.clock.advance(1)
    assert night.good("GET", name)["status"] == {"code": code}
    assert fired(night) == []


@pytest.mark.parametrize(("change", "text"), [
    ({"schedule": "every day"}, "Schedule or time zone is invalid"),
    ({"timeZone": "Mars/Olympus"}, "Invalid time zone"),
    ({"httpTarget": {"uri": "ftp://x"}}, "must begin with http"),
    ({"target": {"body": "not base64!"}}, "Base64 decoding failed"),
    ({"colour": "blue"}, 'Unknown name "colour"'),
    ({"pubsubTarget": {}}, "exactly one target"),
])  # fmt: skip
def test_a_job_that_breaks_a_rule_is_refused(shared, change, text):
    assert text in shared.bad("POST", JOBS, scheduled("bad", **change))["message"]
