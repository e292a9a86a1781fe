"""Endpoints and deployments keep the service's rules, and answer with the code that was deployed."""

from __future__ import annotations

import concurrent.futures

import pytest

REFUSING = b"""
import json
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
def init():
    pass
@rawhttp
def run(request):
    return AMLResponse(json.dumps({"told": request.get_data().decode()}), 422, {"Content-Type": "application/json"})
"""
SLOW = b"""
import threading
def init(): pass
def run(data):
    threading.Event().wait(5)
"""
PREDICTOR = b"""
class Predictor:
    def __init__(self, model): pass
    def predict(self, instances): return [1] * len(instances)
"""
CRASHING = b"def init():\n    raise ValueError('no such weight')\ndef run(data): pass\n"


def test_an_endpoint_is_made_deployed_given_traffic_and_asked(cloud):
    cloud.up()
    answer = cloud.score()
    assert (answer.status, answer.json) == (200, {"predictions": [2.0, 4.0]})
    assert answer.headers["azureml-model-deployment"] == "blue"
    folder = "/var/azureml-app/azureml-models/doubling/1"
    assert cloud.logged(folder, tail=5) == f"loading from {folder}"
    assert "Downloaded" in cloud.logged(folder, containerType="StorageInitializer")


def test_creating_takes_time_that_the_answer_tells_how_to_wait_for(cloud):
    facts = {"location": "westeurope", "properties": {"authMode": "key"}}
    answer = cloud.ask("PUT", "onlineEndpoints/delay", facts)
    assert (answer.status, answer.json["properties"]["provisioningState"]) == (201, "Creating")
    assert answer.json["properties"]["authMode"] == "Key"
    assert answer.headers["Retry-After"].isdecimal()
    refused = cloud.deployment()
    assert (refused.status, refused.code) == (409, "Conflict")
    assert "because it is in Creating provisioning state" in refused.message
    assert cloud.settled(answer)["status"] == "Succeeded"
    assert cloud.ask("GET", "onlineEndpoints/delay").json["properties"]["provisioningState"] == "Succeeded"


def test_without_traffic_nobody_answers_but_by_name(cloud):
    cloud.endpoint()
    cloud.settled(cloud.deployment())
    assert cloud.score().status == 404
    assert cloud.score(azureml_model_deployment="blue").status == 200
    assert cloud.score(azureml_model_deployment="none").status == 404


def test_traffic_is_shared_out_and_must_be_whole(cloud):
    cloud.up()
    cloud.settled(cloud.deployment("green", environmentVariables={"FACTOR": "10"}))
    for traffic, words in (({"blue": 50}, "sum to 0 or 100"), ({"red": 100}, "do not exist: red")):
        body = {"location": "westeurope", "properties": {"authMode": "Key", "traffic": traffic}}
        refused = cloud.ask("PUT", "onlineEndpoints/delay", body)
        assert (refused.status, refused.code) == (400, "BadArgument")
        assert words in refused.message
    cloud.endpoint(traffic={"blue": 50, "green": 50})
    assert {tuple(cloud.score().json["predictions"]) for _ in range(40)} == {(2.0, 4.0), (20.0, 40.0)}
    cloud.endpoint(traffic={"blue": 0, "green": 100})
    assert cloud.score().json["predictions"] == [20.0, 40.0]


def test_a_deployment_with_traffic_cannot_be_deleted_one_without_can(cloud):
    cloud.up()
    refused = cloud.ask("DELETE", "onlineEndpoints/delay/deployments/blue")
    assert (refused.status, refused.code) == (400, "BadArgument")
    cloud.endpoint(traffic={})
    assert cloud.settled(cloud.ask("DELETE", "onlineEndpoints/delay/deployments/blue")).status == 204
    assert cloud.ask("DELETE", "onlineEndpoints/delay/deployments/blue").status == 204


def test_an_endpoint_goes_with_its_deployments(cloud):
    cloud.up()
    assert cloud.settled(cloud.ask("DELETE", "onlineEndpoints/delay")).status == 204
    assert cloud.ask("GET", "onlineEndpoints/delay").code == "ResourceNotFound"
    assert cloud.ask("GET", "onlineEndpoints").json["value"] == []
    assert not [key for key in cloud.azure.world.live if key.startswith("container/")]


def test_keys_and_tokens_open_it_and_nothing_else(cloud):
    cloud.up()
    assert cloud.score(Authorization="Bearer wrong").status == 401
    old = cloud.key()
    cloud.settled(cloud.ask("POST", "onlineEndpoints/delay/regenerateKeys", {"keyType": "Primary"}))
    assert cloud.key() != old
    assert cloud.score(Authorization=f"Bearer {old}").status == 401
    cloud.endpoint("tokens", authMode="AMLToken")
    assert cloud.ask("POST", "onlineEndpoints/tokens/listKeys").status == 400
    assert cloud.ask("POST", "onlineEndpoints/tokens/token").json["tokenType"] == "Bearer"


def test_an_error_of_the_model_comes_as_424_with_its_own_status(cloud):
    cloud.up(script=REFUSING)
    answer = cloud.score(b"hello")
    assert (answer.status, answer.headers["ms-azureml-model-error-statuscode"]) == (424, "422")
    assert answer.json == {"told": "hello"}


def test_an_exception_of_the_script_is_a_500_inside(cloud):
    cloud.up()
    answer = cloud.score(b"no json")
    assert (answer.status, answer.headers["ms-azureml-model-error-statuscode"]) == (424, "500")
    assert "An unexpected error occurred in scoring script" in answer.json["message"]
    assert cloud.logged("JSONDecodeError")


def test_too_slow_is_408_and_too_many_429(cloud):
    cloud.up(script=SLOW, requestSettings={"requestTimeout": "PT0.3S", "maxConcurrentRequestsPerInstance": 1})
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda _: cloud.score(), range(4)))
    assert statuses == [408, 408, 429, 429]


def test_a_container_that_ends_fails_the_operation_with_http_200_and_stays(cloud):
    cloud.endpoint()
    done = cloud.settled(cloud.deployment(script=CRASHING))
    assert (done["status"], done["error"]["code"]) == ("Failed", "ResourceNotReady")
    assert "no such weight" in done["error"]["message"]
    facts = cloud.ask("GET", "onlineEndpoints/delay/deployments/blue").json["properties"]
    assert facts["provisioningState"] == "Failed"
    assert cloud.logged("no such weight")
    assert cloud.settled(cloud.ask("DELETE", "onlineEndpoints/delay/deployments/blue")).status == 204


def test_a_failed_update_leaves_the_old_container_answering(cloud):
    cloud.up()
    assert cloud.settled(cloud.deployment(script=CRASHING))["status"] == "Failed"
    assert cloud.score().json == {"predictions": [2.0, 4.0]}


def test_a_model_that_is_not_there_is_a_bad_argument(cloud):
    cloud.endpoint()
    body = cloud.deployed()
    cloud.store.remove("cloudml", "models/m1/model/weight")
    done = cloud.settled(cloud.ask("PUT", "onlineEndpoints/delay/deployments/blue", body))
    assert done["error"]["code"] == "BadArgument"


def test_an_image_of_ones_own_answers_at_its_own_routes(cloud):
    cloud.put("models/own/predict.py", PREDICTOR)
    model = cloud.asset(
        "models", "own", modelType="custom_model", modelUri="https://acmeml.blob.core.windows.net/cloudml/models/own"
    )
    routes = {"livenessRoute": "/alive", "readinessRoute": "/ready", "scoringRoute": "/predictions"}
    config = {name: {"path": path, "port": 8080} for name, path in routes.items()}
    environment = cloud.asset("environments", "own", image="acme.azurecr.io/own:1", inferenceConfig=config)
    cloud.up(model=model, environmentId=environment, codeConfiguration=None)
    assert cloud.score().json["predictions"] == [1, 1]


def test_instances_are_counted_and_scaled(cloud):
    cloud.up()
    answer = cloud.ask("PATCH", "onlineEndpoints/delay/deployments/blue", {"sku": {"name": "Default", "capacity": 3}})
    assert answer.status == 202
    assert cloud.settled(answer).json["sku"]["capacity"] == 3
    refused = cloud.ask("PATCH", "onlineEndpoints/delay/deployments/blue", {"sku": {"name": "Default", "capacity": 51}})
    assert refused.code == "BadArgument"


def test_autoscale_settings_hold_the_capacity_within_their_bounds(cloud):
    cloud.up()
    place = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ml/providers"
    target = f"{cloud.ws}/onlineEndpoints/delay/deployments/blue"
    capacity = {"minimum": "2", "maximum": "4", "default": "2"}
    facts = {
        "enabled": True,
        "targetResourceUri": target,
        "profiles": [{"name": "p", "capacity": capacity, "rules": []}],
    }
    body = {"location": "westeurope", "properties": facts}
    path = f"{place}/microsoft.insights/autoscalesettings/own"
    assert cloud.ask("PUT", path, body, **{"api-version": "2022-10-01"}).status == 201
    assert cloud.ask("GET", "onlineEndpoints/delay/deployments/blue").json["sku"]["capacity"] == 2
    facts["profiles"][0]["capacity"]["minimum"] = 2
    assert cloud.ask("PUT", path, body, **{"api-version": "2022-10-01"}).code == "ValidationError"
    assert cloud.ask("DELETE", path, **{"api-version": "2022-10-01"}).status == 200
    assert cloud.ask("GET", path, **{"api-version": "2022-10-01"}).status == 404


@pytest.mark.parametrize("name", ["d", "a--b", "-delay", "x" * 33])
def test_a_name_that_no_host_can_have_is_refused(cloud, name):
    body = {"location": "westeurope", "properties": {"authMode": "Key"}}
    assert cloud.ask("PUT", f"onlineEndpoints/{name}", body).code == "ValidationError"


def test_requests_are_held_to_the_contract(cloud):
    cloud.endpoint()
    for said, words in (
        ({"model": {"assetId": "x"}}, "`properties.model` must be a text"),
        (
            {"requestSettings": {"requestTimeout": 60}},
            "`properties.requestSettings.requestTimeout` must be an ISO 8601",
        ),
        ({"endpointComputeType": "Abacus"}, "must be one of Managed"),
    ):
        assert words in cloud.deployment(**said).message
