"""A double of Azure ML, plain requests to it, and short words for what tests ask again and again."""

from __future__ import annotations

import json
import time

import pytest
from azure.core import PipelineClient
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from leftovers import left_over

from cloudml_azure.double import double

ARM = "https://management.azure.com"
API = "https://westeurope.api.azureml.ms"
SCOPE = f"{ARM}/.default"
VERSION = "2025-12-01"
CURATED = "azureml://registries/azureml/environments/sklearn-1.5/versions/10"
OVER = {"Completed", "Failed", "Canceled"}
DEADLINE_S = 120.0
DOUBLING = b"""
import json, os
def init():
    global factor
    folder = os.environ["AZUREML_MODEL_DIR"]
    print("loading from", folder, flush=True)
    factor = float(open(os.path.join(folder, "model", "weight")).read()) * float(os.environ.get("FACTOR", "1"))
def run(data):
    return {"predictions": [factor * row for row in json.loads(data)["instances"]]}
"""


class Answered:
    """An answer."""

    def __init__(self, answer):
        self.status, self.headers, self.content = answer.status_code, dict(answer.headers), answer.read()

    @property
    def json(self):
        return json.loads(self.content)

    @property
    def code(self):
        return self.json["error"]["code"]

    @property
    def message(self):
        return self.json["error"]["message"]


class Cloud:
    """A double and a client of azure-core with no policies but the token's."""

    def __init__(self, azure):
        self.azure, self.store, self.ws = azure, azure.world.storage, azure.world.root
        self.signed = PipelineClient(
            ARM, policies=[BearerTokenCredentialPolicy(azure.credential, SCOPE)], transport=azure.transport()
        )
        self.open = PipelineClient(ARM, policies=[], transport=azure.transport())

    def ask(self, method, path, body=None, *, host=ARM, client=None, **query):
        """A request about what is at a path below the workspace, or anywhere when it begins with a slash."""
        whole = path if path.startswith("/") else f"{self.ws}/{path}".rstrip("/")
        query = {"api-version": VERSION, **query}
        request = HttpRequest(method, host + whole, params=query, json=body)
        return Answered((client or self.signed).send_request(request))

    def plane(self, method, plane, path, body=None, **query):
        """A request to a data plane of the workspace."""
        return self.ask(method, f"/{plane}{self.ws}/{path}", body, host=API, **query)

    def until(self, look, when, step=10):
        """What *look* gives once *when* is true of it; time passes between two looks."""
        deadline = time.monotonic() + DEADLINE_S
        while not when(found := look()):
            assert time.monotonic() < deadline, f"still {found}"
            self.azure.clock.sleep(step)
        return found

    def put(self, path, content, container="cloudml"):
        self.store.put(container, path, content)

    def get(self, path, container="cloudml"):
        return self.store.read(container, path)

    def names(self, prefix="", container="cloudml"):
        return self.store.names(container, prefix)

    def asset(self, kind, name, version="1", **properties):
        answer = self.ask("PUT", f"{kind}/{name}/versions/{version}", {"properties": properties})
        assert answer.status in {200, 201}, answer.content
        return f"{self.ws}/{kind}/{name}/versions/{version}"

    def code(self, name, script, file="main.py"):
        """A code asset with one script."""
        self.put(f"code/{name}/{file}", script)
        return self.asset("codes", name, codeUri=f"https://acmeml.blob.core.windows.net/cloudml/code/{name}")

    def datastore(self):
        """The name of a datastore that leads to the container."""
        facts = {"datastoreType": "AzureBlob", "accountName": "acmeml", "containerName": "cloudml"}
        self.ask("PUT", "datastores/own", {"properties": {**facts, "credentials": {"credentialsType": "None"}}})
        return "azureml://datastores/own/paths"

    def job(self, name="job", script=b"print(1)", **said):
        """Begin a command job that runs *script*; the answer."""
        facts = {
            "jobType": "Command",
            "command": "python main.py",
            "codeId": self.code(name, script),
            "environmentId": CURATED,
            **said,
        }
        return self.ask("PUT", f"jobs/{name}", {"properties": facts})

    def ended(self, name="job"):
        """The job's properties when it is over."""
        look = lambda: self.ask("GET", f"jobs/{name}").json["properties"]  # noqa: E731
        return self.until(look, lambda now: now["status"] in OVER)

    def details(self, name="job"):
        return self.plane("GET", "history/v1.0", f"runs/{name}/details").json

    def printed(self, name="job", file="user_logs/std_log.txt"):
        return self.get(f"ExperimentRun/dcid.{name}/{file}", "azureml").decode().splitlines()

    def states(self, name="job"):
        return self.azure.world.resources.find(f"jobs/{name}")["_states"]

    def settled(self, answer):
        """The status document of an operation when it is over."""
        url = answer.headers.get("Azure-AsyncOperation")
        if url is None:
            place = answer.headers["Location"]
            look = lambda: Answered(self.signed.send_request(HttpRequest("GET", place)))  # noqa: E731
            return self.until(look, lambda now: now.status != 202)
        look = lambda: self.signed.send_request(HttpRequest("GET", url)).json()  # noqa: E731
        return self.until(look, lambda now: now["status"] != "InProgress")

    def endpoint(self, name="delay", **properties):
        """Make an endpoint, or give it other traffic; the end of the operation."""
        facts = {"authMode": "Key", **properties}
        answer = self.ask("PUT", f"onlineEndpoints/{name}", {"location": "westeurope", "properties": facts})
        assert answer.status in {200, 201}, answer.content
        return self.settled(answer)

    def deployment(self, name="blue", endpoint="delay", **said):
        """Begin a deployment of the model that doubles; the answer."""
        return self.ask("PUT", f"onlineEndpoints/{endpoint}/deployments/{name}", self.deployed(**said))

    def deployed(self, script=DOUBLING, capacity=1, **said):
        """The body of a deployment."""
        self.put("models/m1/model/weight", b"2")
        uri = "https://acmeml.blob.core.windows.net/cloudml/models/m1/model"
        model = self.asset("models", "doubling", modelType="custom_model", modelUri=uri)
        number = str(abs(hash(script)))
        config = {"codeId": self.code(f"serve{number}", script, "score.py"), "scoringScript": "score.py"}
        facts = {
            "endpointComputeType": "Managed",
            "instanceType": "Standard_DS3_v2",
            "model": model,
            "environmentId": CURATED,
            "codeConfiguration": config,
            **said,
        }
        sku = {"name": "Default", "capacity": capacity}
        kept = {key: value for key, value in facts.items() if value is not None}
        return {"location": "westeurope", "sku": sku, "properties": kept}

    def up(self, endpoint="delay", **said):
        """An endpoint with one deployment that gets all traffic."""
        self.endpoint(endpoint)
        done = self.settled(self.deployment(endpoint=endpoint, **said))
        assert done["status"] == "Succeeded", done
        self.endpoint(endpoint, traffic={"blue": 100})

    def logged(self, words, name="blue", **said):
        """The log of a deployment once those words stand in it."""
        path = f"onlineEndpoints/delay/deployments/{name}/getLogs"
        return self.until(lambda: self.ask("POST", path, said).json["content"], lambda now: words in now)

    def key(self, endpoint="delay"):
        return self.ask("POST", f"onlineEndpoints/{endpoint}/listKeys").json["primaryKey"]

    def score(self, body=b'{"instances": [1, 2]}', endpoint="delay", path="/score", **headers):
        """One prediction."""
        url = self.ask("GET", f"onlineEndpoints/{endpoint}").json["properties"]["scoringUri"].removesuffix("/score")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Authorization": f"Bearer {self.key(endpoint)}", "Content-Type": "application/json", **named}
        return Answered(self.open.send_request(HttpRequest("POST", url + path, content=body, headers=named)))


@pytest.fixture
def cloud_type():
    """For tests that make their doubles themselves."""
    return Cloud


@pytest.fixture
def cloud():
    """A double; in the end nothing of it is left."""
    with double() as azure:
        folder = azure.world.folder
        yield Cloud(azure)
    assert not left_over()
    assert not folder.exists()
