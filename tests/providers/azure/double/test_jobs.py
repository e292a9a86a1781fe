"""Command jobs really run, with Azure ML's folders, variables, files, states and errors."""

from __future__ import annotations

import json
import urllib.request

import pytest

METRIC = b"""
import json, os, urllib.request
base = os.environ["MLFLOW_TRACKING_URI"].replace("azureml://", "https://").replace("/v1.0/", "/v2.0/")
def send(path, **body):
    headers = {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "Content-Type": "application/json"}
    body = json.dumps({"run_id": os.environ["MLFLOW_RUN_ID"], **body}).encode()
    return urllib.request.urlopen(urllib.request.Request(base + "/api/2.0/mlflow/" + path, body, headers)).read()
for step in range(3):
    send("runs/log-metric", key="auc", value=step / 10, timestamp=step, step=step)
loss = {"key": "loss", "value": 1.5, "timestamp": 1, "step": 0}
send("runs/log-batch", metrics=[loss], params=[{"key": "p", "value": "1"}])
"""
WAITS = b"""
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("SIGTERM", flush=True), sys.exit(0)))
print("waiting", flush=True)
while True: signal.pause()
"""
ARGUMENTS = ("inputs.folder", "inputs.file", "outputs.model", "inputs.rate", "inputs.direct")
LOOKS = b"""
import os, sys
print(os.getcwd())
print(sys.argv[1:], sorted(os.listdir(sys.argv[1])), open(sys.argv[2]).read())
open(os.path.join(sys.argv[3], "m"), "w").write("whole")
os.makedirs("outputs"); open("outputs/extra", "w").write("x")
print(sorted(name for name in os.environ if name.startswith(("AZURE_ML_", "AZUREML_RUN", "MLFLOW_RUN"))))
"""


def test_a_job_gets_its_inputs_and_leaves_its_outputs_where_it_says(cloud):
    base = cloud.datastore()
    cloud.put("data/a.csv", b"1")
    cloud.put("data/inner/b.csv", b"2")
    asset = cloud.asset("data", "flights", dataType="uri_folder", dataUri=f"{base}/data")
    cloud.job(
        script=LOOKS,
        command=" ".join(["python main.py", *("${{" + one + "}}" for one in ARGUMENTS)]),
        inputs={
            "folder": {"jobInputType": "uri_folder", "mode": "Download", "uri": asset},
            "file": {"jobInputType": "uri_file", "uri": f"{base}/data/a.csv"},
            "rate": {"jobInputType": "literal", "value": "0.5"},
            "direct": {"jobInputType": "uri_folder", "mode": "Direct", "uri": f"{base}/data"},
        },
        outputs={"model": {"jobOutputType": "uri_folder", "mode": "Upload", "uri": f"{base}/out/model"}},
    )
    assert cloud.ended()["status"] == "Completed"
    where, found, variables = cloud.printed()
    assert where == "/mnt/azureml/wd"
    assert found.endswith("['a.csv', 'inner'] 1")
    assert f"'0.5', '{base}/data'" in found
    assert "'AZURE_ML_INPUT_folder'" in variables
    assert "'MLFLOW_RUN_ID'" in variables
    assert cloud.get("out/model/m") == b"whole"
    assert cloud.get("ExperimentRun/dcid.job/outputs/extra", "azureml") == b"x"


def test_an_output_without_a_place_lands_in_the_workspace_and_can_be_registered(cloud):
    script = b"import sys, os; os.makedirs(sys.argv[1], exist_ok=True); open(sys.argv[1] + '/m', 'w').write('1')"
    said = {"command": "python main.py ${{outputs.model}}", "outputs": {"model": {"jobOutputType": "custom_model"}}}
    cloud.job(script=script, **said)
    assert cloud.ended()["status"] == "Completed"
    cloud.asset("models", "m", modelType="custom_model", modelUri="azureml://jobs/job/outputs/model")
    uri = cloud.ask("GET", "models/m/versions/1").json["properties"]["modelUri"]
    assert uri.endswith("/datastores/workspaceblobstore/paths/azureml/job/model")


def test_its_states_are_those_of_the_service(cloud):
    assert cloud.job().json["properties"]["status"] == "NotStarted"
    cloud.ended()
    assert cloud.states() == ["NotStarted", "Starting", "Preparing", "Queued", "Running", "Finalizing", "Completed"]
    facts = cloud.ask("GET", "jobs/job").json["properties"]
    assert facts["outputs"]["default"]["uri"].endswith("ExperimentRun/dcid.job")
    assert facts["services"]["Studio"]["endpoint"].startswith("https://ml.azure.com/runs/job")


def test_the_log_can_be_read_while_it_runs(cloud):
    cloud.job(script=WAITS)
    files = cloud.until(lambda: cloud.details()["logFiles"], lambda files: "user_logs/std_log.txt" in files)
    assert urllib.request.urlopen(files["user_logs/std_log.txt"]).read() == b"waiting\n"
    assert cloud.details()["status"] == "Running"


def test_a_command_that_fails_says_its_code_and_last_lines(cloud):
    cloud.job(script=b"import sys; print('nearly'); sys.exit(3)")
    assert cloud.ended()["status"] == "Failed"
    error = cloud.details()["error"]["error"]
    assert error["code"] == "UserError"
    assert "exited with status code 3" in error["message"]
    assert error["message"].endswith("nearly")


def test_an_input_that_is_not_there_fails_it(cloud):
    base = cloud.datastore()
    cloud.job(inputs={"data": {"jobInputType": "uri_folder", "uri": f"{base}/nothing"}})
    assert cloud.ended()["status"] == "Failed"
    assert "there is nothing at cloudml/nothing" in cloud.details()["error"]["error"]["message"]


def test_metrics_are_logged_from_inside_and_read_from_outside(cloud):
    cloud.job(script=METRIC)
    assert cloud.ended()["status"] == "Completed", cloud.printed()
    run = cloud.plane("GET", "mlflow/v2.0", "api/2.0/mlflow/runs/get", run_id="job").json["run"]
    assert {one["key"]: one["value"] for one in run["data"]["metrics"]} == {"auc": 0.2, "loss": 1.5}
    assert run["data"]["params"] == [{"key": "p", "value": "1"}]
    assert run["info"]["status"] == "FINISHED"
    found = cloud.plane("GET", "mlflow/v2.0", "api/2.0/mlflow/metrics/get-history", run_id="job", metric_key="auc").json
    assert [one["value"] for one in found["metrics"]] == [0.0, 0.1, 0.2]


def test_a_job_is_cancelled_with_time_to_clean_up(cloud):
    cloud.job(script=WAITS)
    cloud.until(lambda: cloud.ask("GET", "jobs/job").json["properties"]["status"], lambda now: now == "Running")
    cloud.until(lambda: cloud.details()["logFiles"], bool)
    answer = cloud.ask("POST", "jobs/job/cancel")
    assert (answer.status, "Location" in answer.headers) == (202, True)
    cloud.settled(answer)
    assert cloud.ended()["status"] == "Canceled"
    assert "CancelRequested" in cloud.states()
    assert cloud.printed() == ["waiting", "SIGTERM"]
    assert cloud.ask("POST", "jobs/job/cancel").status == 200


def test_a_limit_ends_it_as_cancelled_and_says_so(cloud):
    cloud.job(script=WAITS, limits={"jobLimitsType": "Command", "timeout": "PT1M"})
    assert cloud.ended()["status"] == "Canceled"
    assert "longer than its limit of PT1M" in cloud.details()["warnings"][0]["message"]


def test_nodes_of_a_distributed_job_find_each_other(cloud):
    script = b"import os; print(os.environ['RANK'], os.environ['WORLD_SIZE'], os.environ['LOCAL_RANK'])"
    distribution = {"distributionType": "PyTorch", "processCountPerInstance": 2}
    cloud.job(script=script, resources={"instanceCount": 2}, distribution=distribution)
    assert cloud.ended()["status"] == "Completed"
    lines = [cloud.printed(file=f"user_logs/std_log_process_0{rank}.txt") for rank in range(4)]
    assert lines == [["0 4 0"], ["1 4 1"], ["2 4 0"], ["3 4 1"]]


def test_a_container_with_an_identity_gets_tokens_for_storage(cloud):
    script = b"""
import json, os, urllib.request
url = os.environ["IDENTITY_ENDPOINT"] + "?api-version=2019-08-01&resource=https://storage.azure.com/"
asked = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]})
token = json.loads(urllib.request.urlopen(asked).read())["access_token"]
headers = {"Authorization": "Bearer " + token, "x-ms-version": "2025-05-05", "x-ms-blob-type": "BlockBlob"}
url = "https://acmeml.blob.core.windows.net/cloudml/from-inside"
print(urllib.request.urlopen(urllib.request.Request(url, b"1", headers, method="PUT")).status)
"""
    cloud.job(script=script, identity={"identityType": "Managed"})
    assert cloud.ended()["status"] == "Completed", cloud.printed()
    assert cloud.get("from-inside") == b"1"


def test_only_words_about_a_job_may_change(cloud):
    cloud.job()
    assert cloud.job(tags={"a": "b"}, properties={"own": "1"}).status == 200
    assert cloud.ask("GET", "jobs/job").json["properties"]["tags"] == {"a": "b"}
    refused = cloud.job(command="python other.py")
    assert (refused.status, refused.code) == (400, "UserError")
    assert "command cannot be changed" in refused.message
    assert "cannot be changed" in cloud.job(properties={"own": "2"}).message
    cloud.ended()


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ({"command": ""}, "ValidationError", "`properties.command` must not be shorter than 1"),
        ({"comand": "x"}, "ValidationError", "`properties.comand` is not known"),
        ({"status": "Running"}, "ValidationError", "`properties.status` is read-only"),
        ({"jobType": "Dance"}, "ValidationError", "`properties.jobType` must be one of Command, Sweep"),
        ({"limits": {"jobLimitsType": "Command", "timeout": 60}}, "ValidationError", "must be an ISO 8601 duration"),
        ({"resources": {"instanceCount": "2"}}, "ValidationError", "must be a whole number"),
        ({"queueSettings": {"jobTier": "Cheap"}}, "ValidationError", "must be one of Null, Spot, Basic"),
        ({"codeId": "/x/workspaces/acme/codes/none/versions/1"}, "UserError", "was not found"),
        ({"computeId": "/x/workspaces/acme/computes/none"}, "UserError", "Compute none not found"),
        ({"command": "run ${{inputs.none}}"}, "UserError", "refers to inputs.none"),
    ],
)
def test_what_the_service_would_refuse_is_refused(cloud, said, code, words):
    answer = cloud.job(**said)
    assert (answer.status, answer.code) in {(400, code), (404, code)}
    assert words in answer.message


def test_an_older_version_of_the_interface_is_not_held_to_the_contract(cloud):
    body = {"properties": {"jobType": "Command", "command": "true", "environmentId": "azureml:x:1", "anything": 1}}
    assert cloud.ask("PUT", "jobs/job", body, **{"api-version": "2023-04-01"}).status == 201
    assert cloud.azure.requests[-1].api_version == "2023-04-01"


def test_jobs_are_found_by_property_and_tag_newest_first_page_by_page(cloud):
    for number in range(13):
        cloud.job(
            f"j{number}", properties={"cloudml.kind": "training" if number % 2 else "other"}, tags={f"t{number}": ""}
        )
    first = cloud.ask("GET", "jobs").json
    assert [one["name"] for one in first["value"]] == [f"j{number}" for number in range(12, 2, -1)]
    second = cloud.ask("GET", "/" + first["nextLink"].partition(".com/")[2].partition("?")[0], **{"$skip": "10"}).json
    assert [one["name"] for one in second["value"]] == ["j2", "j1", "j0"]
    found = cloud.ask("GET", "jobs", properties="cloudml.kind=training", **{"$skip": "0"}).json["value"]
    assert [one["name"] for one in found] == [f"j{number}" for number in range(11, 0, -2)]
    assert [one["name"] for one in cloud.ask("GET", "jobs", tag="t4").json["value"]] == ["j4"]


def test_a_job_that_has_ended_can_be_deleted(cloud):
    cloud.job(script=WAITS)
    assert cloud.ask("DELETE", "jobs/job").status == 409
    cloud.settled(cloud.ask("POST", "jobs/job/cancel"))
    assert cloud.settled(cloud.ask("DELETE", "jobs/job")).status == 204
    assert (cloud.ask("GET", "jobs/job").status, cloud.ask("GET", "jobs/job").code) == (404, "UserError")


def test_a_sweep_tries_its_values_and_names_the_best(cloud):
    script = (
        METRIC.split(b"for step")[0] + b"import sys\nsend('runs/log-metric', key='auc', value=float(sys.argv[1]))\n"
    )
    trial = {
        "command": "python main.py ${{search_space.rate}}",
        "codeId": cloud.code("trial", script),
        "environmentId": "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
    }
    facts = {
        "jobType": "Sweep",
        "samplingAlgorithm": {"samplingAlgorithmType": "Grid"},
        "objective": {"goal": "Maximize", "primaryMetric": "auc"},
        "searchSpace": {"rate": ["choice", [[0.1, 0.9, 0.5]]]},
        "limits": {"jobLimitsType": "Sweep", "maxTotalTrials": 3, "maxConcurrentTrials": 2},
        "trial": trial,
    }
    assert cloud.ask("PUT", "jobs/sweep", {"properties": facts}).status == 201
    ended = cloud.ended("sweep")
    assert (ended["status"], ended["properties"]["best_child_run_id"]) == ("Completed", "sweep_1")
    children = cloud.plane("GET", "history/v1.0", "runs/sweep/children", **{"$top": "2"}).json
    assert [one["runId"] for one in children["value"]] == ["sweep_0", "sweep_1"]
    assert children["continuationToken"] == "2"
    assert "sweep_0" not in [one["name"] for one in cloud.ask("GET", "jobs").json["value"]]


def test_run_history_changes_what_is_said_about_a_run(cloud):
    cloud.job()
    changed = cloud.plane(
        "PATCH",
        "history/v1.0",
        "experiments/Default/runs/job",
        {"displayName": "new", "tags": {"a": "b"}, "hidden": True},
    )
    assert changed.status == 200
    facts = cloud.ask("GET", "jobs/job").json["properties"]
    assert (facts["displayName"], facts["tags"], facts["isArchived"]) == ("new", {"a": "b"}, True)
    assert cloud.ask("GET", "jobs").json["value"] == []
    assert json.dumps(cloud.plane("POST", "history/v1.0", "rundata", {"runId": "job"}).json)
    cloud.ended()
