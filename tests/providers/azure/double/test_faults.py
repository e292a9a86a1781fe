"""Whatever can go wrong at Azure goes wrong on demand, and azure-core shows it as Azure's own."""

from __future__ import annotations

import pytest
from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from azure.storage.blob import BlobServiceClient

from cloudml_azure.double import identity
from cloudml_azure.double.workspace import KEY

GONE = (ServiceRequestError, ServiceResponseError)
DATA = {"properties": {"dataType": "uri_file", "dataUri": "azureml://datastores/workspaceblobstore/paths/a"}}
LISTING = b"""
import glob, os
def init(): print(glob.glob(os.environ["AZUREML_MODEL_DIR"] + "/*/*/*"))
def run(data): pass
"""
RESUMES = b"""
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("SIGTERM", flush=True), sys.exit(0)))
place = os.path.join(sys.argv[1], "epoch")
done = int(open(place).read()) if os.path.exists(place) else 0
print("from", done, flush=True)
open(place, "w").write("2")
print("epoch 2", flush=True)
if done == 0:
    while True: signal.pause()
"""


def test_throttling_says_how_long_to_wait_and_passes(cloud):
    fault = cloud.azure.faults.refuse("ml:Jobs_List", "TooManyRequests", "Slow down", status=429, seconds=7)
    answer = cloud.ask("GET", "jobs")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "TooManyRequests", "7")
    assert cloud.ask("GET", "jobs").status == 200
    assert fault.struck == 1


def test_azure_core_waits_on_the_doubles_clock_and_tries_again(cloud):
    cloud.azure.faults.refuse("ml:Jobs_List", "TooManyRequests", status=429, seconds=300)
    arm = "https://management.azure.com"
    patient = PipelineClient(arm, policies=[RetryPolicy()], transport=cloud.azure.transport())
    before = cloud.azure.clock.seconds()
    token = cloud.azure.credential.get_token(f"{arm}/.default").token
    url = f"{arm}{cloud.ws}/jobs?api-version=2025-12-01"
    asked = HttpRequest("GET", url, headers={"Authorization": f"Bearer {token}"})
    assert patient.send_request(asked).status_code == 200
    assert cloud.azure.clock.seconds() - before >= 300


def test_the_service_is_down_for_a_while(cloud):
    cloud.azure.faults.refuse("ml:*", "ServiceUnavailable", status=503, times=2)
    assert [cloud.ask("GET", "jobs").status for _ in range(3)] == [503, 503, 200]


def test_storage_fails_in_its_own_protocol(cloud):
    cloud.azure.faults.refuse("blob:PutBlob", "ServerBusy", "The server is busy.", status=503)
    service = BlobServiceClient(cloud.azure.blob_url, credential=KEY, retry_total=0)
    with pytest.raises(HttpResponseError, match="ServerBusy"):
        service.get_blob_client("cloudml", "a").upload_blob(b"1")
    service.get_blob_client("cloudml", "a").upload_blob(b"1")


def test_a_connection_is_dropped_before_the_work(cloud):
    cloud.azure.faults.happen("drop", "ml:DataVersions_CreateOrUpdate")
    with pytest.raises(GONE):
        cloud.ask("PUT", "data/d/versions/1", DATA)
    assert cloud.ask("GET", "data/d/versions/1").status == 404


@pytest.mark.parametrize("kind", ["lose", "hold"])
def test_an_answer_is_lost_after_the_work(cloud, kind):
    happened = []
    cloud.azure.faults.happen(kind, "ml:DataVersions_CreateOrUpdate", then=lambda: happened.append(1))
    with pytest.raises(GONE):
        cloud.ask("PUT", "data/d/versions/1", DATA)
    assert cloud.ask("GET", "data/d/versions/1").status == 200
    assert happened == [1]


def test_over_the_wire_too(cloud):
    cloud.azure.faults.happen("lose", "blob:PutBlob")
    service = BlobServiceClient(cloud.azure.blob_url, credential=KEY, retry_total=0)
    with pytest.raises(GONE):
        service.get_blob_client("cloudml", "a").upload_blob(b"1")
    assert cloud.get("a") == b"1"


def test_an_answer_takes_time_on_the_clock(cloud):
    cloud.azure.faults.happen("delay", "ml:Jobs_List", seconds=300)
    before = cloud.azure.clock.seconds()
    assert cloud.ask("GET", "jobs").status == 200
    assert cloud.azure.clock.seconds() - before >= 300


def test_an_action_is_denied_with_its_name(cloud):
    cloud.azure.faults.refuse("ml:DataVersions_*", "AuthorizationFailed", times=None)
    answer = cloud.ask("PUT", "data/d/versions/1", DATA)
    assert (answer.status, answer.code) == (403, "AuthorizationFailed")
    assert "action 'Microsoft.MachineLearningServices/workspaces/data/versions/write' over scope" in answer.message


def test_a_token_runs_out(cloud):
    class Old:
        def get_token(self, *scopes, **_):
            return identity.Token(identity.token(scopes[0], -10).token, 2**31)

    from azure.core.pipeline.policies import BearerTokenCredentialPolicy

    policies = [BearerTokenCredentialPolicy(Old(), "https://management.azure.com/.default")]
    client = PipelineClient("https://management.azure.com", policies=policies, transport=cloud.azure.transport())
    answer = cloud.ask("GET", "jobs", client=client)
    assert (answer.status, answer.code) == (401, "ExpiredAuthenticationToken")
    assert cloud.ask("GET", "jobs", client=cloud.open).code == "AuthenticationFailed"


def test_no_capacity_fails_a_job_and_a_spot_job_waits(cloud):
    cloud.azure.faults.domain("capacity", "job")
    cloud.job()
    assert cloud.ended()["status"] == "Failed"
    assert cloud.details()["error"]["error"]["code"] == "OutOfCapacity"
    cloud.azure.faults.domain("capacity", "spot", times=3)
    cloud.job("spot", queueSettings={"jobTier": "Spot"})
    assert cloud.ended("spot")["status"] == "Completed"


def test_a_spot_machine_is_taken_away_and_the_job_goes_on_from_its_mounted_output(cloud):
    base = cloud.datastore()
    cloud.azure.faults.domain("spot", "job", line="epoch 2")
    cloud.job(
        script=RESUMES,
        command="python main.py ${{outputs.checkpoints}}",
        outputs={
            "checkpoints": {"jobOutputType": "uri_folder", "mode": "ReadWriteMount", "uri": f"{base}/checkpoints"}
        },
        queueSettings={"jobTier": "Spot"},
    )
    assert cloud.ended()["status"] == "Completed"
    assert cloud.printed() == ["from 0", "epoch 2", "SIGTERM", "from 2", "epoch 2"]
    assert cloud.states().count("Running") == 2
    assert cloud.get("checkpoints/epoch") == b"2"


def test_the_quota_is_used_up(cloud):
    cloud.azure.faults.domain("quota", "job")
    cloud.job()
    assert cloud.ended()["status"] == "Failed"
    assert cloud.details()["error"]["error"]["code"] == "OutOfQuota"
    cloud.azure.faults.domain("quota", "delay/deployments/blue")
    cloud.endpoint()
    done = cloud.settled(cloud.deployment())
    assert done["error"]["code"] == "OutOfQuota"
    assert "Not enough quota available for Standard_DS3_v2" in done["error"]["message"]
    cloud.azure.faults.domain("quota", "Standard NCASv3_T4 Family", limit=0, times=None)
    place = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.MachineLearningServices/locations"
    usages = cloud.ask("GET", f"{place}/westeurope/usages").json["value"]
    assert {one["limit"] for one in usages if "T4" in one["name"]["value"]} == {0}


def test_an_image_cannot_be_built(cloud):
    cloud.azure.faults.domain("image-build", "job")
    cloud.job()
    assert cloud.ended()["status"] == "Failed"
    assert cloud.details()["error"]["error"]["code"] == "ImageBuildFailure"
    assert "azureml-logs/20_image_build_log.txt" in cloud.details()["logFiles"]
    cloud.azure.faults.domain("image-build", "delay/deployments/blue", message="no such package")
    cloud.endpoint()
    done = cloud.settled(cloud.deployment())
    assert (done["error"]["code"], "no such package" in done["error"]["message"]) == ("ImageBuildFailure", True)


def test_a_package_that_nobody_has_fails_the_build_by_itself(cloud):
    conda = "dependencies: [python=3.10, {pip: ['cloudml-no-such-package-0 @ file:///nowhere/none.whl']}]"
    environment = cloud.asset("environments", "e", image="x", condaFile=conda)
    cloud.endpoint()
    done = cloud.settled(cloud.deployment(environmentId=environment))
    assert done["error"]["code"] == "ImageBuildFailure"


def test_an_operation_fails_after_it_was_accepted(cloud):
    cloud.azure.faults.domain("operation", "onlineEndpoints/delay", code="InternalServerError", message="oops")
    done = cloud.endpoint()
    assert (done["status"], done["error"]["code"], done["error"]["message"]) == (
        "Failed",
        "InternalServerError",
        "oops",
    )
    assert cloud.ask("GET", "onlineEndpoints/delay").json["properties"]["provisioningState"] == "Failed"
    refused = cloud.deployment()
    assert (refused.status, "Failed provisioning state" in refused.message) == (409, True)
    assert cloud.endpoint()["status"] == "Succeeded"


def test_an_endpoint_is_busy(cloud):
    cloud.endpoint()
    cloud.azure.faults.domain("busy", "delay")
    refused = cloud.deployment()
    assert (refused.status, refused.code) == (409, "Conflict")
    assert "because it is in Updating provisioning state" in refused.message
    assert cloud.settled(cloud.deployment())["status"] == "Succeeded"


def test_a_name_is_taken_by_somebody_else_in_the_region(cloud):
    cloud.azure.faults.domain("taken", "delay", times=None)
    body = {"location": "westeurope", "properties": {"authMode": "Key"}}
    refused = cloud.ask("PUT", "onlineEndpoints/delay", body)
    assert (refused.status, refused.code) == (409, "Conflict")
    assert "already in use in region westeurope" in refused.message
    assert cloud.ask("GET", "onlineEndpoints/delay").status == 404


def test_a_model_is_mounted_one_folder_deeper(cloud):
    cloud.azure.faults.domain("deeper", "delay/deployments/blue")
    cloud.endpoint()
    done = cloud.settled(cloud.deployment())
    assert "No such file or directory" in done["error"]["message"]
    deep = cloud.deployed()["properties"]["model"]
    cloud.azure.faults.domain("deeper", "delay/deployments/green")
    assert cloud.settled(cloud.deployment("green", script=LISTING, model=deep))["status"] == "Succeeded"
    logs = cloud.logged("weight", "green")
    assert logs == "['/var/azureml-app/azureml-models/doubling/1/model/model/weight']"


def test_what_was_just_made_is_not_seen_at_once(cloud):
    cloud.azure.faults.domain("stale", "onlineEndpoints/delay")
    body = {"location": "westeurope", "properties": {"authMode": "Key"}}
    cloud.ask("PUT", "onlineEndpoints/delay", body)
    assert [cloud.ask("GET", "onlineEndpoints/delay").status for _ in range(2)] == [404, 200]
    cloud.azure.faults.domain("lag", "jobs/*", times=None, seconds=60)
    cloud.job()
    assert cloud.ask("GET", "jobs").json["value"] == []
    cloud.azure.clock.advance(61)
    assert len(cloud.ask("GET", "jobs").json["value"]) == 1
    cloud.ended()


def test_storage_allows_no_keys(cloud):
    cloud.azure.faults.domain("keyless", times=None)
    refused = cloud.ask("POST", "datastores/workspaceblobstore/listSecrets", {})
    assert (refused.status, refused.code) == (403, "KeyBasedAuthenticationNotPermitted")
    service = BlobServiceClient(cloud.azure.blob_url, credential=KEY, retry_total=0)
    with pytest.raises(HttpResponseError, match="KeyBasedAuthenticationNotPermitted"):
        service.get_blob_client("cloudml", "a").upload_blob(b"1")
    account = "https://acmeml.blob.core.windows.net"
    service = BlobServiceClient(account, credential=cloud.azure.credential, transport=cloud.azure.transport())
    service.get_blob_client("cloudml", "a").upload_blob(b"1")
