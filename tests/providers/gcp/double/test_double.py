"""The double as a whole: what it is told, who may ask, what it is for programs, and that two do not mix."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import google.auth
import pytest
import requests
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2 import service_account
from vertex_cloud import BUCKET, PARENT, Cloud

from cloudml_gcp.double import double

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
METADATA = {"Metadata-Flavor": "Google"}
THEIRS = """
import os
import google.auth
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage

def test_it(cloudml_gcp):
    storage.Client().bucket("cloudml-double").blob("a").upload_from_string(b"1")
    credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    with AuthorizedSession(credentials) as session:
        place = f"{cloudml_gcp.url}/v1/projects/{project}/locations/europe-west4/customJobs"
        assert session.get(place).json() == {}
    names = [seen.name for seen in cloudml_gcp.requests]
    assert "storage:objects.insert" in names
    assert names[-2:] == ["oauth2:token", "aiplatform:ListCustomJobs"]
    cloudml_gcp.clock.advance(3600)

def test_nothing_of_it_is_left():
    assert "STORAGE_EMULATOR_HOST" not in os.environ
"""


def account(cloud):
    return service_account.Credentials.from_service_account_file(
        cloud.gcp.environ["GOOGLE_APPLICATION_CREDENTIALS"], scopes=[SCOPE]
    )


def test_a_wish_that_it_does_not_know_is_refused():
    with pytest.raises(TypeError, match="knows no colour; it knows region, project"), double(colour="blue"):
        pass


def test_it_is_what_it_was_told_to_be():
    start = datetime(2030, 1, 1, tzinfo=UTC)
    said = {"region": "us-central1", "project": "acme", "project_number": "42", "bucket": "acme-ml"}
    with double(**said, service_account="me@acme.iam.gserviceaccount.com", start=start, pace=0) as gcp:
        assert gcp.clock.now() == start
        cloud = Cloud(gcp)
        endpoint = cloud.good("POST", "projects/acme/locations/us-central1/endpoints", {"displayName": "e"})
        assert endpoint["name"].startswith("projects/42/locations/us-central1/endpoints/")
        assert [one["name"] for one in cloud.good("GET", "/storage/v1/b")["items"]] == ["acme-ml"]
        assert account(cloud).service_account_email == "me@acme.iam.gserviceaccount.com"
        cloud.http.close()


def test_two_at_once_do_not_mix(cloud):
    with double() as other:
        there = Cloud(other)
        there.put("only/there", b"1")
        there.endpoint("there")
        assert cloud.names() == []
        assert "endpoints" not in cloud.good("GET", f"{PARENT}/endpoints")
        token = {"Authorization": f"Bearer {other.world.tokens.grant()['access_token']}"}
        assert cloud.bad("GET", f"{PARENT}/endpoints", headers=token)["status"] == "UNAUTHENTICATED"
        there.http.close()


def test_a_key_file_gets_tokens_that_end_on_the_clock(cloud):
    credentials = account(cloud)
    credentials.refresh(Request())
    header = {"Authorization": f"Bearer {credentials.token}"}
    assert cloud.ask("GET", f"{PARENT}/models", headers=header).ok
    cloud.gcp.clock.advance(3600)
    error = cloud.bad("GET", f"{PARENT}/models", headers=header)
    assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")
    assert cloud.bad("GET", "/storage/v1/b", headers=header)["code"] == 401


def test_google_auth_gets_a_new_token_by_itself(cloud):
    with AuthorizedSession(account(cloud)) as session:
        for _ in range(2):
            assert session.get(f"{cloud.gcp.url}/v1/{PARENT}/models").ok
            cloud.gcp.clock.advance(3600)
    assert [seen.name for seen in cloud.gcp.requests].count("oauth2:token") == 2


def test_a_token_that_the_key_has_signed_is_let_in_and_another_is_not(cloud):
    own = account(cloud).with_always_use_jwt_access(True)
    own.refresh(Request())
    assert cloud.ask("GET", f"{PARENT}/models", headers={"Authorization": f"Bearer {own.token}"}).ok
    head, claims, signature = own.token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"iss": "other", "exp": 9e12}).encode()).decode().rstrip("=")
    for token in (f"{head}.{forged}.{signature}", f"{head}.{claims}", "ya29.nobody"):
        assert cloud.bad("GET", f"{PARENT}/models", headers={"Authorization": f"Bearer {token}"})["code"] == 401
    answer = cloud.ask("POST", "/token", data={"grant_type": "password"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_every_token_can_be_ended_at_once(cloud):
    header = {"Authorization": f"Bearer {cloud.gcp.world.tokens.grant()['access_token']}"}
    assert cloud.ask("GET", f"{PARENT}/models", headers=header).ok
    cloud.gcp.world.tokens.expire()
    assert cloud.bad("GET", f"{PARENT}/models", headers=header)["code"] == 401


def test_the_environment_leads_the_official_clients_to_it(cloud, monkeypatch):
    from google.cloud import storage

    for name, value in cloud.gcp.environ.items():
        monkeypatch.setenv(name, value)
    credentials, project = google.auth.default()
    assert (credentials.service_account_email, project) == (cloud.gcp.world.account, "cloudml-double")
    client = storage.Client()
    client.bucket(BUCKET).blob("x").upload_from_string(b"1")
    client.close()
    assert cloud.names() == ["x"]
    assert os.environ["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"] == f"{cloud.gcp.url}/"


def test_the_metadata_server_wants_its_header(shared):
    place = "/computeMetadata/v1/instance/service-accounts/default/email"
    assert shared.ask("GET", place).status_code == 403
    answer = shared.ask("GET", place, headers=METADATA)
    assert (answer.text, answer.headers["Metadata-Flavor"]) == (shared.gcp.world.account, "Google")
    tenant = shared.ask("GET", "/computeMetadata/v1/project/project-id", headers=METADATA)
    assert tenant.text != "cloudml-double"
    assert shared.ask("GET", "/computeMetadata/v1/other", headers=METADATA).status_code == 404


def test_project_account_services_and_quotas_are_described(shared):
    project = shared.good("GET", "/v3/projects/cloudml-double")
    assert (project["name"], project["projectId"], project["state"]) == (
        "projects/123456789012", "cloudml-double", "ACTIVE",
    )  # fmt: skip
    assert shared.bad("GET", "/v3/projects/other")["code"] == 403
    email = shared.gcp.world.account
    assert shared.good("GET", f"/v1/projects/-/serviceAccounts/{email}")["email"] == email
    assert shared.bad("GET", "/v1/projects/-/serviceAccounts/nobody@x")["code"] == 404
    services = "/v1/projects/cloudml-double/services"
    assert shared.good("GET", f"{services}/aiplatform.googleapis.com")["state"] == "ENABLED"
    assert shared.good("GET", f"{services}/other.googleapis.com")["state"] == "DISABLED"
    quotas = "/v1/projects/cloudml-double/locations/global/services/aiplatform.googleapis.com/quotaInfos"
    listed = shared.good("GET", quotas)["quotaInfos"]
    one = next(each for each in listed if each["metric"].endswith("/custom_model_training_cpus"))
    assert one["dimensionsInfos"][0]["details"] == {"value": "42"}
    assert shared.good("GET", f"{quotas}/{one['quotaId']}") == one


def test_permissions_are_those_that_no_fault_denies(cloud):
    cloud.gcp.faults.refuse("aiplatform:CreateCustomJob", "PERMISSION_DENIED", times=None)
    cloud.gcp.faults.refuse("iam:serviceAccounts.actAs", "PERMISSION_DENIED", times=None)
    asked = {"permissions": ["aiplatform.customJobs.create", "aiplatform.customJobs.list", "aiplatform.models.upload"]}
    granted = cloud.good("POST", "/v3/projects/cloudml-double:testIamPermissions", asked)["permissions"]
    assert granted == ["aiplatform.customJobs.list", "aiplatform.models.upload"]
    email = cloud.gcp.world.account
    place = f"/v1/projects/cloudml-double/serviceAccounts/{email}:testIamPermissions"
    assert cloud.good("POST", place, {"permissions": ["iam.serviceAccounts.actAs"]}) == {}


def test_logs_are_filtered_paged_and_removed(cloud):
    for text in ("one", '{"message": "two", "severity": "ERROR"}', "three"):
        from cloudml_gcp.double import journal

        journal.job_line(cloud.gcp.world, "7", "workerpool0-0", text)
        cloud.gcp.clock.advance(1)
    ask = lambda **said: cloud.good(  # noqa: E731
        "POST", "/v2/entries:list", {"resourceNames": ["projects/cloudml-double"], **said}
    )
    said = lambda page: [one["jsonPayload"]["message"] for one in page.get("entries", ())]  # noqa: E731
    assert said(ask()) == ["one", "two", "three"]
    assert said(ask(orderBy="timestamp desc", pageSize=2)) == ["three", "two"]
    second = ask()["entries"][1]["timestamp"]
    assert said(ask(filter=f'timestamp>="{second}" AND resource.labels.job_id="7"')) == ["two", "three"]
    assert said(ask(filter='severity=ERROR OR jsonPayload.message=~"^th"')) == ["two", "three"]
    page = ask(pageSize=1)
    assert said(ask(pageSize=1, pageToken=page["nextPageToken"])) == ["two"]
    assert cloud.bad("POST", "/v2/entries:list", {"resourceNames": ["projects/other"]})["code"] == 403
    assert cloud.bad("POST", "/v2/entries:list", {})["code"] == 400
    cloud.good("DELETE", "/v2/projects/cloudml-double/logs/workerpool0-0")
    assert ask() == {}


def test_every_request_is_written_down(cloud):
    cloud.good("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=a/b", data=b"1")
    cloud.good("GET", f"{PARENT}/models", params={"filter": "labels.a=b"})
    put, listed = cloud.gcp.requests
    assert (put.name, put.parameters["bucket"], put.parameters["object"]) == ("storage:objects.insert", BUCKET, "a/b")
    assert (listed.name, listed.parameters["filter"]) == ("aiplatform:ListModels", "labels.a=b")


def test_what_it_does_not_have_it_does_not_make_up(shared):
    assert shared.bad("POST", f"{PARENT}/hyperparameterTuningJobs", {"displayName": "x"})["status"] == "UNIMPLEMENTED"
    answer = shared.ask("GET", f"{PARENT}/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=UTF-8")
    assert "Invalid JSON payload" in shared.bad("POST", f"{PARENT}/customJobs", data=b"{")["message"]


def test_datasets_are_kept_and_given_back(cloud):
    said = {"displayName": "d", "metadataSchemaUri": "gs://google-cloud-aiplatform/schema/x", "metadata": {"a": 1}}
    made = cloud.result(cloud.good("POST", f"{PARENT}/datasets", said))
    changed = cloud.good("PATCH", made["name"], {"displayName": "e"}, params={"updateMask": "displayName"})
    assert (changed["displayName"], changed["metadata"]) == ("e", {"a": 1})
    assert len(cloud.good("GET", f"{PARENT}/datasets")["datasets"]) == 1
    cloud.result(cloud.good("DELETE", made["name"]))
    assert cloud.bad("GET", made["name"])["code"] == 404


def test_an_operation_can_be_forgotten(cloud):
    operation = cloud.good("POST", f"{PARENT}/endpoints", {"displayName": "e"})
    cloud.done(operation)
    assert cloud.good("DELETE", operation["name"]) == {}
    assert cloud.bad("GET", operation["name"])["code"] == 404


def test_it_runs_as_a_program_until_it_is_told_to_stop():
    line = [sys.executable, "-m", "cloudml_gcp.double", "--bucket", "of-mine", "--project", "acme"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as program:
        around = {}
        while text := program.stdout.readline().strip():
            name, _, value = text.partition("=")
            around[name] = value
        found = requests.get(f"{around['STORAGE_EMULATOR_HOST']}/storage/v1/b", timeout=10).json()
        program.send_signal(signal.SIGTERM)
    assert [one["name"] for one in found["items"]] == ["of-mine"]
    assert around["GOOGLE_CLOUD_PROJECT"] == "acme"
    assert program.returncode == 0


def test_users_have_a_fixture(tmp_path):
    tmp_path.joinpath("test_theirs.py").write_text(THEIRS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout
