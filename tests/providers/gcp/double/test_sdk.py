"""The official high-level SDK, unmodified, and cloudml see of each other what they have made."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from vertex_cloud import SERVER
from vertex_working import PLACES, SETTINGS, endpoint, model

from cloudml.errors import NotFoundError
from cloudml.seam import Context
from cloudml.status import State
from cloudml_gcp import names, plugin, rollout
from cloudml_gcp.clients import Clients
from cloudml_gcp.double import double
from cloudml_gcp.double.rehearsal import signed_in

PROGRAM = Path(__file__).parent.with_name("vertex_sdk.py")
PACE = 2000
JSON = "application/json"
PREDICT = """
import json

class Predictor:
    def __init__(self, model):
        self.mean = json.loads((model / "model.json").read_text())["mean"]

    def predict(self, instances, parameters):
        return [(row["x"] - self.mean) * parameters.get("times", 1) for row in instances]
"""


@contextmanager
def official(gcp):
    """The program, while it waits: what it saw and what it made; in the end it removes that."""
    command = [sys.executable, "-W", "ignore", str(PROGRAM), gcp.url, SETTINGS.project_id, SETTINGS.bucket, SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        printed = []
        while not printed or not printed[-1].startswith("["):
            printed.append(process.stdout.readline())
            assert printed[-1], process.stderr.read()[-4000:]
        yield json.loads(printed[-1])
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint[-4000:]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """cloudml's provider with a model that it serves, and what the official SDK saw and made."""
    root = tmp_path_factory.mktemp("project")
    said = {"region": SETTINGS.region, "project": SETTINGS.project_id, "bucket": SETTINGS.bucket}
    with double(pace=PACE, service_account=SETTINGS.service_account, **said) as gcp:
        clients = Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
        ours = plugin.provider(clients, Context(root=root, project="flights"))
        gcp.world.objects.put(SETTINGS.bucket, f"{PLACES.prefix}/trained/model.json", b'{"mean": 10}')
        (root / "predict.py").write_text(PREDICT)
        version = ours.models.create(model(root, PLACES.uri("trained/"), predictor="predict.py:Predictor"))
        deployed = ours.endpoints.create(endpoint(model_name=version.name))
        while not (status := ours.endpoints.get(deployed.name)).state.over:
            gcp.clock.sleep(20)
        assert status.state is State.READY, status.reason
        with official(gcp) as (saw, made):
            yield ours, version, status, saw, made
        with pytest.raises(NotFoundError):
            ours.endpoints.get(made["name"])


def test_the_sdk_trains_and_serves(both) -> None:
    *_, saw, made = both
    assert (saw["state"], saw["jobs"]) == ("JOB_STATE_SUCCEEDED", ["official"])
    assert (made["version"], made["aliases"], made["predictions"]) == ("1", ["blue", "default"], [2, 5])


def test_a_model_of_cloudml_is_listed_and_described_with_its_version_and_alias(both) -> None:
    _, version, _, saw, _ = both
    alias = names.alias(version.name)
    assert (saw["model"], saw["told"]) == (names.group(version.name), version.name)
    assert (saw["versions"], saw["by alias"]) == ([["1", sorted([alias, "default"])]], "1")
    assert saw["labels"] == {"cloudml-project": "flights", "cloudml-resource": "models_delay"}
    assert saw["container"] == ["python3", "-c"]


def test_an_endpoint_of_cloudml_is_listed_described_and_asked_at_its_own_name(both) -> None:
    _, version, status, saw, _ = both
    assert (saw["endpoint"], saw["dedicated"], saw["traffic"]) == (status.name, True, [100])
    assert names.tags(saw["endpoint labels"])["cloudml-resource"] == "endpoints.delay"
    assert saw["deployed"] == [rollout.display_name(status.hash), names.group(version.name), "1"]
    assert (saw["predictions"], saw["parameters"]) == ([2, -0.5], [4])
    assert saw["raw"] == '{"predictions":[4]}'


def test_an_endpoint_of_the_sdk_with_the_project_s_label_is_listed_and_answers(both) -> None:
    ours, _, status, _, made = both
    listed = {one.name: one for one in ours.endpoints.list("flights")}
    assert set(listed) == {status.name, made["name"]}
    theirs = listed[made["name"]]
    assert (theirs.project, theirs.resource, theirs.hash) == ("flights", "", "")
    assert (theirs.state, theirs.reason, theirs.instances) == (State.READY, "", 1)
    assert theirs.model == f"{made['model']}@1"
    answer = ours.endpoints.invoke(theirs.name, b'{"instances": [1, 2.5]}', content_type=JSON, accept=JSON)
    assert json.loads(answer.body) == {"predictions": [2.0, 5.0]}


def test_a_model_of_the_sdk_is_none_of_cloudml_s_versions(both) -> None:
    ours, version, _, _, made = both
    assert [one.name for one in ours.models.list("flights")] == [version.name]
    with pytest.raises(NotFoundError):
        ours.models.get(f"{made['model']}-0123456789")
