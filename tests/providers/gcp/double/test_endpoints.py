"""Endpoints answer with the model's own container; traffic, deployments and deletions follow Vertex AI's rules."""

from __future__ import annotations

import json

import pytest
from vertex_cloud import BUCKET, PARENT

HOME = "projects/123456789012/locations/europe-west4/endpoints"
SPEAKS_OF_ITSELF = """
import http.server, json, os, urllib.request
place = os.environ["AIP_STORAGE_URI"].removeprefix("gs://")
bucket, _, folder = place.partition("/")
base = os.environ["STORAGE_EMULATOR_HOST"] + "/storage/v1/b/" + bucket + "/o"
listed = json.load(urllib.request.urlopen(base + "?prefix=" + folder))["items"]
files = {one["name"].rpartition("/")[2]: urllib.request.urlopen(one["mediaLink"] if "mediaLink" in one
         else base + "/" + one["name"].replace("/", "%2F") + "?alt=media").read().decode() for one in listed}

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = json.dumps({"predictions": [{"files": files, "around": {
            name: value for name, value in os.environ.items() if name.startswith("AIP_")}, "path": self.path}]})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())
    do_GET = do_POST = answer
    def log_message(self, *_): pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def up(shared):
    """An endpoint that answers; its name."""
    return shared.served()


def test_predictions_are_the_containers(shared, up):
    answer = shared.good("POST", f"{up}:predict", {"instances": [1, 2]})
    assert answer["predictions"] == [2, 4]
    deployed = shared.good("GET", up)["deployedModels"][0]
    assert (answer["deployedModelId"], answer["model"], answer["modelVersionId"]) == (
        deployed["id"], deployed["model"], "1",
    )  # fmt: skip


def test_raw_predictions_are_the_containers_own_bytes(shared, up):
    answer = shared.ask("POST", f"{up}:rawPredict", data=b"raw \xff", headers={"Content-Type": "x/y"})
    assert (answer.content, answer.headers["Content-Type"]) == (b"\xff war", "text/plain")
    assert answer.headers["X-Vertex-AI-Endpoint-Id"] == "endpoint"


def test_an_error_of_the_container_is_a_failed_precondition(shared, up):
    for verb in ("predict", "rawPredict"):
        error = shared.bad("POST", f"{up}:{verb}", {"instances": ["bad"]})
        assert error == {"code": 400, "message": '{"error": "no such row"}', "status": "FAILED_PRECONDITION"}
    odd = shared.bad("POST", f"{up}:predict", {"instances": []} | {"rows": 1})
    assert "Unknown name" in odd["message"]


def test_too_large_a_request_is_refused(shared, up):
    error = shared.bad("POST", f"{up}:rawPredict", data=b"raw" + b"x" * 1_500_000)
    assert "exceeds the limit" in error["message"]


def test_containers_write_logs_and_have_no_mount(shared, up):
    asked = {"resourceNames": ["projects/123456789012"], "filter": 'resource.type="aiplatform.googleapis.com/Endpoint"'}
    entries = shared.good("POST", "/v2/entries:list", asked)["entries"]
    assert entries[0]["textPayload"].startswith("serving ")
    assert entries[0]["textPayload"].endswith(" False")
    assert entries[0]["resource"]["labels"]["endpoint_id"] == "endpoint"
    assert up.endswith("/endpoint")


def test_a_container_is_told_where_its_files_are_and_what_it_is(cloud):
    cloud.put("m/weights.json", b"3")
    spec = {"artifactUri": f"gs://{BUCKET}/m/", "containerSpec": {"imageUri": "gcr.io/a/b:1", "command": []}}
    spec["containerSpec"]["command"] = ["python3", "-c", SPEAKS_OF_ITSELF]
    spec["containerSpec"]["env"] = [{"name": "PLACE", "value": "$(AIP_STORAGE_URI)"}]
    endpoint = cloud.served(modelId="mine", model=spec)
    said = cloud.good("POST", f"{endpoint}:predict", {"instances": [1]})["predictions"][0]
    assert said["files"] == {"weights.json": "3"}
    around = said["around"]
    assert around["AIP_STORAGE_URI"] == "gs://caip-tenant-123456789012-europe-west4/mine/1/artifacts"
    number = around["AIP_DEPLOYED_MODEL_ID"]
    assert around["AIP_HEALTH_ROUTE"] == f"/v1/endpoints/endpoint/deployedModels/{number}"
    assert said["path"] == around["AIP_PREDICT_ROUTE"] == f"/v1/endpoints/endpoint/deployedModels/{number}:predict"
    assert (around["AIP_MODE"], around["AIP_MODEL_NAME"], around["AIP_ENDPOINT_ID"]) == (
        "PREDICTION", "mine", "endpoint",
    )  # fmt: skip


def test_an_endpoint_and_a_deployment_are_to_be_seen_when_they_are_done(cloud):
    operation = cloud.good("POST", f"{PARENT}/endpoints", {"displayName": "e"}, params={"endpointId": "e1"})
    assert operation["name"].startswith(f"{HOME}/e1/operations/")
    assert cloud.bad("GET", f"{PARENT}/endpoints/e1")["code"] == 404
    again = cloud.bad("POST", f"{PARENT}/endpoints", {"displayName": "e"}, params={"endpointId": "e1"})
    assert again["status"] == "ALREADY_EXISTS"
    endpoint = cloud.result(operation)["name"]
    deploying = cloud.deploy(endpoint, cloud.upload()["model"], {"0": 100})
    assert "deployedModels" not in cloud.good("GET", endpoint)
    assert cloud.bad("POST", f"{endpoint}:predict", {"instances": [1]})["message"].endswith(
        "doesn't have traffic_split."
    )
    assert cloud.bad("DELETE", endpoint)["status"] == "FAILED_PRECONDITION"
    done = cloud.done(deploying)
    assert done["metadata"]["deploymentStage"] == "SUCCESSFULLY_DEPLOYED"
    deployed = done["response"]["deployedModel"]
    assert cloud.good("GET", endpoint)["trafficSplit"] == {deployed["id"]: 100}
    assert deployed["status"] == {"availableReplicaCount": 1}


def test_traffic_goes_where_it_is_sent(cloud):
    endpoint = cloud.served()
    other = cloud.upload("other", env=[{"name": "FACTOR", "value": "10"}])["model"]
    first = cloud.good("GET", endpoint)["deployedModels"][0]["id"]
    cloud.result(cloud.deploy(endpoint, other, id="77"))
    before = cloud.good("GET", endpoint)
    assert before["trafficSplit"] == {first: 100}
    patch = lambda split, **said: cloud.ask(  # noqa: E731
        "PATCH", endpoint, {"trafficSplit": split, **said}, params={"updateMask": "trafficSplit"}
    )
    assert "add up to 100" in patch({first: 50}).text
    assert "does not exist" in patch({first: 50, "5": 50}).text
    assert patch({"77": 100}, etag="old").json()["error"]["status"] == "ABORTED"
    assert patch({first: 50, "77": 50}, etag=before["etag"]).ok
    found = {cloud.good("POST", f"{endpoint}:predict", {"instances": [1]})["predictions"][0] for _ in range(30)}
    assert found == {2, 10}
    undeploy = lambda number, **said: cloud.ask(  # noqa: E731
        "POST", f"{endpoint}:undeployModel", {"deployedModelId": number, **said}
    )
    assert "has traffic" in undeploy(first).json()["error"]["message"]
    cloud.result(undeploy(first, trafficSplit={"77": 100}).json())
    after = cloud.good("GET", endpoint)
    assert (after["trafficSplit"], [one["id"] for one in after["deployedModels"]]) == ({"77": 100}, ["77"])
    cloud.result(undeploy("77").json())
    assert "trafficSplit" not in cloud.good("GET", endpoint)
    cloud.result(cloud.good("DELETE", endpoint))


def test_a_model_that_is_deployed_cannot_be_deleted(cloud):
    endpoint = cloud.served(modelId="mine")
    assert cloud.good("GET", f"{PARENT}/models/mine")["deployedModels"][0]["endpoint"] == endpoint
    assert "undeploy it first" in cloud.bad("DELETE", f"{PARENT}/models/mine")["message"]


def test_a_container_that_ends_fails_the_deployment_and_leaves_nothing(cloud):
    endpoint = cloud.endpoint()["name"]
    model = cloud.upload(script="import sys; print('cannot load', flush=True); sys.exit(7)")["model"]
    done = cloud.done(cloud.deploy(endpoint, model, {"0": 100}))
    assert (done["error"]["code"], done["metadata"]["deploymentStage"]) == (9, "FAILED_TO_DEPLOY")
    assert "Model server exited unexpectedly" in done["error"]["message"]
    assert "deployedModels" not in cloud.good("GET", endpoint)


def test_a_container_that_never_is_healthy_fails_the_deployment(cloud):
    endpoint = cloud.endpoint()["name"]
    script, limit = "import time\nwhile True: time.sleep(0.05)", {"deploymentTimeout": "60s"}
    model = cloud.upload(script=script, container=limit)["model"]
    done = cloud.done(cloud.deploy(endpoint, model))
    assert "Model server never became ready" in done["error"]["message"]


def test_replicas_are_changed_and_nothing_else(cloud):
    endpoint = cloud.served()
    number = cloud.good("GET", endpoint)["deployedModels"][0]["id"]
    wanted = {"deployedModel": {"id": number, "dedicatedResources": {"minReplicaCount": 2, "maxReplicaCount": 3}}}
    mask = "dedicatedResources.minReplicaCount,dedicatedResources.maxReplicaCount"
    cloud.result(cloud.good("POST", f"{endpoint}:mutateDeployedModel", {**wanted, "updateMask": mask}))
    resources = cloud.good("GET", endpoint)["deployedModels"][0]["dedicatedResources"]
    assert (resources["minReplicaCount"], resources["maxReplicaCount"]) == (2, 3)
    assert resources["machineSpec"] == {"machineType": "n1-standard-2"}
    other = {**wanted, "updateMask": "displayName"}
    assert "cannot be updated" in cloud.bad("POST", f"{endpoint}:mutateDeployedModel", other)["message"]


def test_a_dedicated_endpoint_answers_at_its_own_name_only(cloud):
    endpoint = cloud.endpoint(dedicatedEndpointEnabled=True)
    host = endpoint["dedicatedEndpointDns"]
    assert host == "endpoint.europe-west4-123456789012.prediction.vertexai.goog"
    cloud.result(cloud.deploy(endpoint["name"], cloud.upload()["model"], {"0": 100}))
    path, body = f"{endpoint['name']}:predict", {"instances": [1]}
    assert f"using its dedicated dns name '{host}'" in cloud.bad("POST", path, body)["message"]
    assert cloud.good("POST", path, body, headers={"Host": host})["predictions"] == [2]


def test_a_shared_endpoint_answers_at_no_such_name(shared, up):
    host = "endpoint.europe-west4-123456789012.prediction.vertexai.goog"
    assert shared.bad("POST", f"{up}:predict", {"instances": [1]}, headers={"Host": host})["code"] == 404


def test_endpoints_are_listed_by_label_and_order(shared):
    for name in ("b-1", "a-1"):
        shared.endpoint(name, labels={"kind": "listed"})
    asked = {"filter": "labels.kind=listed", "orderBy": "display_name"}
    found = shared.good("GET", f"{PARENT}/endpoints", params=asked)["endpoints"]
    assert [one["displayName"] for one in found] == ["a-1", "b-1"]
    one = shared.good("GET", f"{PARENT}/endpoints", params={"filter": "endpoint=a-1"})["endpoints"]
    assert [each["name"] for each in one] == [f"{HOME}/a-1"]


@pytest.mark.parametrize(("said", "params", "text"), [
    ({}, {}, "display_name; Message: Required"),
    ({"trafficSplit": {"1": 100}}, {}, "cannot be set when an Endpoint is created"),
    ({}, {"endpointId": "Upper"}, "Upper does not match"),
    ({"predictRequestResponseLoggingConfig": {"enabled": True}}, {}, "sampling_rate"),
])  # fmt: skip
def test_an_endpoint_that_breaks_a_rule_is_refused(shared, said, params, text):
    name = {} if text.startswith("display_name") else {"displayName": "e"}
    assert text in shared.bad("POST", f"{PARENT}/endpoints", {**name, **said}, params=params)["message"]


@pytest.mark.parametrize(("said", "text"), [
    ({"dedicatedResources": None}, "prediction_resources; Message: Required"),
    ({"dedicatedResources": {"machineSpec": {}, "minReplicaCount": 0}}, "min_replica_count"),
    ({"dedicatedResources": {"minReplicaCount": 1}}, "machine_spec; Message: Required"),
    ({"dedicatedResources": {"machineSpec": {}, "minReplicaCount": 2, "maxReplicaCount": 1}}, "max_replica_count"),
    ({"id": "x"}, "1 to 10 digits"),
    ({"model": ""}, "deployed_model.model; Message: Required"),
    ({"model": f"{PARENT}/models/none"}, "is not found"),
])  # fmt: skip
def test_a_deployment_that_breaks_a_rule_is_refused(shared, up, said, text):
    model = shared.good("GET", up)["deployedModels"][0]["model"]
    resources = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1}
    body = {"deployedModel": {"model": model, "dedicatedResources": resources, **said}}
    assert text in json.dumps(shared.bad("POST", f"{up}:deployModel", body))
