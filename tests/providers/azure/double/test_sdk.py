"""Microsoft's own SDK, unmodified, drives the double through the whole life of a model."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from types import SimpleNamespace

import azureml_resources
import pytest
from azureml_resources import settings

from cloudml.progress import SILENT
from cloudml.seam import Context
from cloudml.source import collect
from cloudml.specs import ModelSpec
from cloudml.status import JobState, State
from cloudml_azure.clients import Clients
from cloudml_azure.double import double
from cloudml_azure.plugin import provider

logging.disable(logging.WARNING)
pytestmark = pytest.mark.filterwarnings("ignore")
MINE = {"cloudml-project": "flights"}
"""By which cloudml lists what it did not make."""
PREDICT = """
import json

class Predictor:
    def __init__(self, model):
        self.mean = json.loads((model / "model.json").read_text())["mean"]

    def predict(self, instances):
        return [row["x"] - self.mean for row in instances]
"""
TRAIN = """
import json, os, pathlib, sys, urllib.request
out = pathlib.Path(sys.argv[2])
out.mkdir(exist_ok=True)
(out / "weight").write_text("2")
print("read", sorted(os.listdir(sys.argv[1])), "rate", sys.argv[3])
base = os.environ["MLFLOW_TRACKING_URI"].replace("azureml://", "https://").replace("/v1.0/", "/v2.0/")
body = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": "auc", "value": float(sys.argv[3]), "timestamp": 1, "step": 0}
headers = {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "Content-Type": "application/json"}
urllib.request.urlopen(
    urllib.request.Request(base + "/api/2.0/mlflow/runs/log-metric", json.dumps(body).encode(), headers)
)
"""
SCORE = """
import glob, json, os
def init():
    global weight
    weight = float(open(glob.glob(os.environ["AZUREML_MODEL_DIR"] + "/*/weight")[0]).read())
def run(data):
    return {"predictions": [weight * row for row in json.loads(data)["instances"]]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A double, MLClient, and folders of a user; one for all tests of this file, which build on each other's assets."""
    from azure.ai.ml import MLClient

    folder = tmp_path_factory.mktemp("sdk")
    for name, files in {"src": {"main.py": TRAIN, "score.py": SCORE}, "data": {"a.csv": "1"}}.items():
        (folder / name).mkdir()
        for file, text in files.items():
            (folder / name / file).write_text(text)
    with pytest.MonkeyPatch.context() as patch, double(pace=600) as azure:
        for name, value in azure.environ.items():
            patch.setenv(name, value)
        world = azure.world
        client = MLClient(
            azure.credential, world.subscription, world.group, world.workspace, transport=azure.transport(),
            enable_telemetry=False,
        )  # fmt: skip
        yield SimpleNamespace(azure=azure, client=client, folder=folder)


@pytest.fixture(scope="module")
def ours(made):
    """cloudml's own provider over the same double."""
    azure = made.azure
    clients = Clients(
        settings(), transport=azure.transport(), credential=azure.credential, blob_endpoint=azure.blob_url,
        sleep=azure.clock.sleep,
    )  # fmt: skip
    return provider(clients, Context(root=made.folder, project="flights"))


@pytest.fixture(scope="module")
def environment(made):
    from azure.ai.ml.entities import Environment

    return made.client.environments.create_or_update(
        Environment(name="own", image="mcr.microsoft.com/own", conda_file={"dependencies": ["python=3.10"]})
    )


@pytest.fixture(scope="module")
def data(made):
    from azure.ai.ml.entities import Data

    return made.client.data.create_or_update(Data(name="flights", path=str(made.folder / "data"), type="uri_folder"))


def node(made, environment, data, rate):
    from azure.ai.ml import Input, Output, command

    return command(
        code=str(made.folder / "src"),
        command="python main.py ${{inputs.data}} ${{outputs.model}} ${{inputs.rate}}",
        environment=environment,
        inputs={"data": Input(type="uri_folder", path=f"azureml:flights:{data.version}"), "rate": rate},
        outputs={"model": Output(type="custom_model")},
        properties=MINE,
        tags=MINE,
    )


@pytest.fixture(scope="module")
def job(made, environment, data):
    """A job that has run."""
    return ended(made, made.client.jobs.create_or_update(node(made, environment, data, 0.5)).name)


def ended(made, name):
    deadline = time.monotonic() + 120
    while (found := made.client.jobs.get(name)).status not in {"Completed", "Failed", "Canceled"}:
        assert time.monotonic() < deadline
        made.azure.clock.sleep(10)
    return found


@pytest.fixture(scope="module")
def model(made, job):
    from azure.ai.ml.entities import Model

    path = f"azureml://jobs/{job.name}/outputs/model"
    return made.client.models.create_or_update(Model(name="delay", path=path, type="custom_model"))


def test_data_is_uploaded_and_registered(made, data):
    assert data.path.startswith("azureml://datastores/workspaceblobstore/paths/LocalUpload/")
    assert made.client.data.get("flights", version=data.version).id == data.id
    assert made.client.data.get("flights", label="latest").version == data.version


def test_a_job_runs_and_its_output_comes_home(made, job, tmp_path):
    assert job.status == "Completed"
    made.client.jobs.download(job.name, download_path=tmp_path, output_name="model")
    assert (tmp_path / "named-outputs/model/weight").read_text() == "2"


def test_its_log_is_streamed(made, job, capsys):
    made.client.jobs.download(job.name, download_path=made.folder / "logs")
    printed = (made.folder / "logs/artifacts/user_logs/std_log.txt").read_text()
    assert "read ['a.csv'] rate 0.5" in printed
    made.client.jobs.stream(job.name)
    assert f"RunId: {job.name}" in capsys.readouterr().out


def test_a_job_that_fails_says_why(made, environment):
    from azure.ai.ml import command
    from azure.ai.ml.exceptions import JobException

    begun = made.client.jobs.create_or_update(command(command="echo so it goes; exit 3", environment=environment))
    assert ended(made, begun.name).status == "Failed"
    with pytest.raises(JobException, match="exited with status code 3"):
        made.client.jobs.stream(begun.name)


def test_a_sweep_finds_the_best(made, environment, data):
    from azure.ai.ml.sweep import Choice

    sweep = node(made, environment, data, 0.1)(rate=Choice([0.1, 0.9])).sweep(
        sampling_algorithm="grid", primary_metric="auc", goal="maximize"
    )
    sweep.set_limits(max_total_trials=2, max_concurrent_trials=2)
    done = ended(made, made.client.jobs.create_or_update(sweep).name)
    assert done.properties["best_child_run_id"] == f"{done.name}_1"
    children = [child.name for child in made.client.jobs.list(parent_job_name=done.name)]
    assert sorted(children) == [f"{done.name}_0", f"{done.name}_1"]


def test_a_job_is_seen_by_cloudml(ours, job):
    assert job.name in {one.name for one in ours.jobs.list("flights")}
    seen = ours.jobs.get(job.name)
    assert (seen.project, seen.state) == ("flights", JobState.SUCCEEDED)
    assert any("rate 0.5" in line for line in ours.logs.read("jobs", job.name, "").lines)


def test_a_model_is_deployed_and_asked(made, ours, environment, model):
    from azure.ai.ml.entities import CodeConfiguration, ManagedOnlineDeployment, ManagedOnlineEndpoint

    endpoints, deployments = made.client.online_endpoints, made.client.online_deployments
    endpoint = endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name="delay-sdk", auth_mode="key", tags=MINE)
    ).result()
    assert endpoint.scoring_uri == "https://delay-sdk.westeurope.inference.ml.azure.com/score"
    deployed = deployments.begin_create_or_update(
        ManagedOnlineDeployment(
            name="blue",
            endpoint_name="delay-sdk",
            model=model,
            environment=environment,
            code_configuration=CodeConfiguration(code=str(made.folder / "src"), scoring_script="score.py"),
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )
    ).result()
    assert deployed.provisioning_state == "Succeeded"
    endpoint.traffic = {"blue": 100}
    endpoints.begin_create_or_update(endpoint).result()
    (made.folder / "rows.json").write_text('{"instances": [1, 2]}')
    answer = endpoints.invoke("delay-sdk", request_file=str(made.folder / "rows.json"))
    assert json.loads(answer) == {"predictions": [2.0, 4.0]}
    assert endpoints.get_keys("delay-sdk").primary_key
    (seen,) = ours.endpoints.list("flights")
    assert (seen.name, seen.state, seen.reason) == ("delay-sdk", State.READY, "")
    endpoints.begin_delete("delay-sdk").result()
    assert list(endpoints.list()) == []


def test_a_schedule_is_made_switched_off_and_removed(made, environment, data):
    from azure.ai.ml.dsl import pipeline
    from azure.ai.ml.entities import CronTrigger, JobSchedule

    @pipeline(default_compute="serverless")
    def hourly():
        node(made, environment, data, 0.5)

    trigger = CronTrigger(expression="0 * * * *")
    schedules = made.client.schedules
    done = schedules.begin_create_or_update(JobSchedule(name="hourly", trigger=trigger, create_job=hourly())).result()
    assert (done.provisioning_state, done.is_enabled) == ("Succeeded", True)
    assert schedules.begin_disable("hourly").result().is_enabled is False
    assert [one.name for one in schedules.list()] == []
    schedules.begin_delete("hourly").result()


def test_what_cloudml_makes_it_sees(made, model, cloud_type):
    own = cloud_type(made.azure)
    own.asset("models", "ours", modelType="custom_model", modelUri=f"{own.datastore()}/ours", tags={"cloudml": "yes"})
    assert made.client.models.get("ours", version="1").tags == {"cloudml": "yes"}
    assert {"delay", "ours"} <= {one.name for one in made.client.models.list()}


def test_a_job_and_an_endpoint_of_cloudml_are_seen_by_it(made, ours):
    root = made.folder / "project"
    root.mkdir()
    wanted = azureml_resources.job(root, outputs=("model",))
    (root / "train.py").write_text(
        "import json\nfrom cloudml import runtime\n"
        "(runtime.job().outputs['model'] / 'model.json').write_text(json.dumps({'mean': 10}))\n"
    )
    wanted = replace(wanted, source=collect(root, "train.py"))
    started = ours.jobs.create(wanted, SILENT)
    assert ended(made, started.name).status == "Completed"
    assert started.name in {one.name for one in made.client.jobs.list()}

    (root / "predict.py").write_text(PREDICT)
    spec = ModelSpec(name="delay", source="jobs.train.model", predictor="predict.py:Predictor")
    source = collect(root, "predict.py")
    version = ours.models.create(azureml_resources.model(spec=spec, source=source, artifact=started.outputs["model"]))
    deployed = replace(azureml_resources.endpoint(), model=version.name)
    status = ours.endpoints.create(deployed)
    while status.state is not State.READY:
        assert status.state is not State.FAILED, status.reason
        made.azure.clock.sleep(20)
        status = ours.endpoints.get(status.name)
        status = ours.endpoints.update(deployed) if status.state is State.UNFINISHED else status
    (made.folder / "row.json").write_text('{"instances": [{"x": 12}]}')
    answer = made.client.online_endpoints.invoke(status.name, request_file=str(made.folder / "row.json"))
    assert json.loads(answer) == {"predictions": [2]}
    assert status.name in {one.name for one in made.client.online_endpoints.list()}
