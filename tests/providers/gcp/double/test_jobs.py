"""Custom jobs run as Vertex AI runs them: buckets at /gcs, its variables, its states, its errors."""

from __future__ import annotations

import pytest
from vertex_cloud import BUCKET, IMAGE, PARENT, job

OUT = {"baseOutputDirectory": {"outputUriPrefix": f"gs://{BUCKET}/out"}}
JOBS = f"{PARENT}/customJobs"
WAITS = "import time\nprint('waiting', flush=True)\nwhile True: time.sleep(0.05)"
TAKES_TERM = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("SIGTERM", flush=True), sys.exit(0)))
print("waiting", flush=True)
while True: time.sleep(0.05)
"""


def test_it_reads_and_writes_the_buckets_as_files(cloud):
    cloud.put("data/a.csv", "1,2")
    script = f"""
import os, shutil
print(open("/gcs/{BUCKET}/data/a.csv").read())
folder = os.environ["AIP_MODEL_DIR"].replace("gs://", "/gcs/")
os.makedirs(folder)
open(folder + "model.txt", "w").write("whole")
os.remove("/gcs/{BUCKET}/data/a.csv")
"""
    made = cloud.ran(script, spec=OUT)
    assert made["state"] == "JOB_STATE_SUCCEEDED", made
    assert cloud.printed(made) == ["1,2"]
    assert cloud.get("out/model/model.txt") == b"whole"
    assert cloud.names("data/") == []


def test_it_sees_what_comes_while_it_runs_and_shows_what_it_writes(cloud):
    script = f"""
import os, time
open("/gcs/{BUCKET}/begun", "w").write("1")
while not os.path.exists("/gcs/{BUCKET}/signal"): time.sleep(0.02)
print("seen")
"""
    made = cloud.train(script)
    cloud.until(lambda: cloud.names("begun"), bool)
    cloud.put("signal", b"1")
    assert cloud.trained(made)["state"] == "JOB_STATE_SUCCEEDED"
    assert cloud.printed(made) == ["seen"]


def test_files_and_objects_change_at_once_without_waiting_for_each_other(cloud):
    script = f"""
import os
for number in range(200):
    open(f"/gcs/{BUCKET}/inside-{{number}}", "w").write("1")
"""
    made = cloud.train(script)
    cloud.until(lambda: cloud.good("GET", made["name"])["state"], lambda state: state != "JOB_STATE_PENDING")
    for number in range(200):
        cloud.put(f"outside-{number}", b"1")
        cloud.gcp.world.mount.gather()
    assert cloud.trained(made)["state"] == "JOB_STATE_SUCCEEDED"
    assert len(cloud.names("inside-")) == len(cloud.names("outside-")) == 200


def test_it_gets_vertex_variables_and_words_with_references_replaced(cloud):
    script = """
import json, os, sys
names = ("CLOUD_ML_JOB_ID", "CLOUD_ML_PROJECT_ID", "CLOUD_ML_REGION", "AIP_CHECKPOINT_DIR", "OWN", "TF_CONFIG")
print(json.dumps({"message": {name: os.environ.get(name) for name in names}}))
print(json.dumps({"message": sys.argv[1:]}))
print(json.dumps({"message": json.loads(os.environ["CLUSTER_SPEC"])["task"]}))
"""
    env = [{"name": "OWN", "value": "in $(CLOUD_ML_REGION)"}]
    args = ["$(OWN)", "$$(OWN)", "$(NOBODY)", "a b"]
    made = cloud.ran(script, spec=OUT, container={"env": env, "args": args})
    variables, arguments, task = cloud.printed(made)
    assert variables == {
        "CLOUD_ML_JOB_ID": made["name"].rpartition("/")[2],
        "CLOUD_ML_PROJECT_ID": "123456789012",
        "CLOUD_ML_REGION": "europe-west4",
        "AIP_CHECKPOINT_DIR": f"gs://{BUCKET}/out/checkpoints/",
        "OWN": "in europe-west4",
        "TF_CONFIG": None,
    }
    assert arguments == ["in europe-west4", "$(OWN)", "$(NOBODY)", "a b"]
    assert task == {"type": "workerpool0", "index": 0}


def test_a_container_has_a_token_and_reaches_the_bucket_without_a_key_file(cloud):
    script = f"""
import json, os, urllib.request
assert "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ
base = "http://" + os.environ["GCE_METADATA_HOST"] + "/computeMetadata/v1/"
ask = urllib.request.Request(base + "instance/service-accounts/default/token", headers={{"Metadata-Flavor": "Google"}})
token = json.load(urllib.request.urlopen(ask))["access_token"]
place = os.environ["STORAGE_EMULATOR_HOST"] + "/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=from/inside"
headers = {{"Authorization": "Bearer " + token}}
urllib.request.urlopen(urllib.request.Request(place, b"1", headers, method="POST"))
import google.auth
credentials, project = google.auth.default()
print(type(credentials).__name__, project)
"""
    made = cloud.ran(script)
    assert made["state"] == "JOB_STATE_SUCCEEDED", cloud.printed(made)
    assert cloud.get("from/inside") == b"1"
    assert {one.inside for one in cloud.gcp.requests if one.operation == "objects.insert"} == {True}
    assert not any(one.inside for one in cloud.gcp.requests if one.operation == "CreateCustomJob")
    assert cloud.printed(made) == ["Credentials cloudml-double"]


def test_an_exit_code_fails_the_job_in_vertex_words(cloud):
    made = cloud.ran("import sys; print('dying'); sys.exit(3)")
    assert made["state"] == "JOB_STATE_FAILED"
    assert made["error"]["code"] == 3
    assert made["error"]["message"].startswith("The replica workerpool0-0 exited with a non-zero status of 3.")
    assert made["endTime"] > made["startTime"] > made["createTime"]


def test_an_abort_is_tried_three_times_more_in_the_same_folder(cloud):
    script = f"""
import os, sys
place = "/gcs/{BUCKET}/tries"
tries = int(open(place).read()) if os.path.exists(place) else 0
open(place, "w").write(str(tries + 1))
sys.stdout.flush()
os._exit(134 if tries < 2 else 0)
"""
    assert cloud.ran(script)["state"] == "JOB_STATE_SUCCEEDED"
    assert cloud.get("tries") == b"3"


def test_but_not_when_retries_are_disabled(cloud):
    script = f"import os\nopen('/gcs/{BUCKET}/t', 'a').write('x')\nos._exit(139)"
    made = cloud.ran(script, spec={"scheduling": {"disableRetries": True}})
    assert made["state"] == "JOB_STATE_FAILED"
    assert cloud.get("t") == b"x"


def test_nodes_find_each_other(cloud):
    script = """
import json, os, socket, time
spec = json.loads(os.environ["CLUSTER_SPEC"])
host, port = spec["cluster"]["workerpool0"][0].split(":")
if spec["task"]["type"] == "workerpool0":
    server = socket.create_server((host, int(port)))
    print(sorted(server.accept()[0].recv(9).decode() for _ in range(2)), json.loads(os.environ["TF_CONFIG"])["task"])
else:
    while True:
        try:
            socket.create_connection((host, int(port))).send(str(spec["task"]["index"]).encode())
            break
        except OSError:
            time.sleep(0.02)
"""
    worker = job()["jobSpec"]["workerPoolSpecs"][0] | {"replicaCount": "2"}
    made = cloud.ran(script, pools=[worker])
    assert made["state"] == "JOB_STATE_SUCCEEDED", made
    assert cloud.printed(made) == ["['0', '1'] {'type': 'chief', 'index': 0}"]


def test_one_node_that_fails_ends_the_others(cloud):
    script = (
        "import json, os, sys\n"
        "if json.loads(os.environ['CLUSTER_SPEC'])['task']['type'] == 'workerpool1': sys.exit(5)\n" + WAITS
    )
    made = cloud.ran(script, pools=[job()["jobSpec"]["workerPoolSpecs"][0]])
    assert "The replica workerpool1-0 exited with a non-zero status of 5." in made["error"]["message"]


def test_a_job_is_cancelled_and_its_code_hears_of_it(cloud):
    made = cloud.train(TAKES_TERM)
    cloud.until(lambda: cloud.printed(made), bool)
    assert cloud.good("POST", f"{made['name']}:cancel") == {}
    assert cloud.good("GET", made["name"])["state"] in {"JOB_STATE_CANCELLING", "JOB_STATE_CANCELLED"}
    over = cloud.trained(made)
    assert (over["state"], over["error"]) == ("JOB_STATE_CANCELLED", {"code": 1, "message": "CANCELED"})
    assert cloud.printed(made) == ["waiting", "SIGTERM"]
    assert cloud.good("POST", f"{made['name']}:cancel") == {}


def test_a_job_that_waits_is_cancelled_before_it_runs(cloud):
    made = cloud.train("print('never')")
    cloud.good("POST", f"{made['name']}:cancel")
    assert cloud.trained(made)["state"] == "JOB_STATE_CANCELLED"
    assert cloud.printed(made) == []


def test_a_job_over_its_timeout_is_cancelled(cloud):
    made = cloud.ran(WAITS, spec={"scheduling": {"timeout": "60s"}})
    assert made["state"] == "JOB_STATE_CANCELLED"
    assert "timeout of 60s" in made["error"]["message"]


def test_only_a_job_that_is_over_can_be_deleted(cloud):
    made = cloud.train("print(1)")
    assert cloud.bad("DELETE", made["name"])["status"] == "FAILED_PRECONDITION"
    cloud.trained(made)
    deleting = cloud.good("DELETE", made["name"])
    assert cloud.good("GET", made["name"])["state"] == "JOB_STATE_SUCCEEDED"
    cloud.result(deleting)
    assert cloud.bad("GET", made["name"])["code"] == 404


def test_an_image_without_a_command_says_that_it_is_not_run(cloud):
    made = cloud.ran("", container={"command": []})
    assert made["state"] == "JOB_STATE_FAILED"
    assert "no images are run here" in cloud.printed(made)[0]


@pytest.mark.parametrize(("change", "text"), [
    ({"displayName": ""}, "Field: custom_job.display_name; Message: Required field is not set."),
    ({"jobSpec": {}}, "Field: custom_job.job_spec.worker_pool_specs; Message: Required"),
    ({"pool": {"replicaCount": "2"}}, "must be exactly 1"),
    ({"pool": {"machineSpec": {}}}, "machine_type; Message: Required"),
    ({"pool": {"containerSpec": None}}, "One of container_spec and python_package_spec"),
    ({"container": {"imageUri": ""}}, "container_spec.image_uri; Message: Required"),
    ({"container": {"imageUri": "python:3"}}, "not an image of Artifact Registry"),
    ({"container": {"env": [{"name": "a-b", "value": "1"}]}}, "not a valid C identifier"),
    ({"pool": {"machineSpec": {"machineType": "n1-standard-4", "acceleratorCount": 1}}}, "must be set together"),
    ({"spec": {"baseOutputDirectory": {"outputUriPrefix": "/gcs/x"}}}, "not a valid Cloud Storage URI"),
    ({"labels": {"Upper": "x"}}, "Label Upper=x is invalid"),
    ({"labels": {"aiplatform.googleapis.com/x": "x"}}, "reserved"),
    ({"nodes": 2}, "Unknown name \"nodes\" at 'custom_job': Cannot find field."),
    ({"spec": {"scheduling": {"strategy": "CHEAP"}}}, "Invalid value at 'custom_job."),
    ({"container": {"shell": "sh"}}, "Unknown name \"shell\" at 'custom_job.job_spec.worker_pool_specs[0]"),
])  # fmt: skip
def test_a_request_that_breaks_a_rule_is_refused(shared, change, text):
    said = {"name": "bad", **change}
    error = shared.bad("POST", JOBS, job(**said) if "jobSpec" not in change else {"displayName": "bad", **change})
    assert error["status"] == "INVALID_ARGUMENT"
    assert text in error["message"]


def test_what_only_the_service_says_is_not_taken_over(shared):
    made = shared.good("POST", JOBS, job("own", state="JOB_STATE_SUCCEEDED", createTime="2020-01-01T00:00:00Z"))
    assert made["state"] == "JOB_STATE_PENDING"
    assert not made["createTime"].startswith("2020")
    assert made["name"].startswith("projects/123456789012/locations/europe-west4/customJobs/")


def test_another_project_or_region_is_refused(shared):
    assert shared.bad("POST", "projects/other/locations/europe-west4/customJobs", job())["code"] == 403
    elsewhere = shared.bad("POST", "projects/cloudml-double/locations/us-central1/customJobs", job())
    assert "location ID doesn't match" in elsewhere["message"]


def test_lists_are_filtered_ordered_and_paged(shared):
    for number in range(5):
        labels = {"kind": "list", "number": str(number)}
        shared.good("POST", JOBS, job(f"listed-{number}", labels=labels, container={"imageUri": IMAGE}))
    ask = lambda **said: shared.good("GET", JOBS, params={"filter": "labels.kind=list", **said})  # noqa: E731
    names = lambda page: [one["displayName"] for one in page.get("customJobs", ())]  # noqa: E731
    assert names(ask()) == [f"listed-{number}" for number in (4, 3, 2, 1, 0)]
    first = ask(pageSize=2)
    second = ask(pageSize=2, pageToken=first["nextPageToken"])
    third = ask(pageSize=2, pageToken=second["nextPageToken"])
    assert [names(page) for page in (first, second, third)] == [
        ["listed-4", "listed-3"], ["listed-2", "listed-1"], ["listed-0"],
    ]  # fmt: skip
    assert "nextPageToken" not in third
    assert names(ask(filter="labels.number:* AND labels.number!=3 AND (labels.number=1 OR labels.number=3)")) == [
        "listed-1"
    ]
    assert names(ask(filter='display_name="listed-*" AND NOT labels.number=0 AND state="JOB_STATE_FAILED"')) == []
    assert shared.bad("GET", JOBS, params={"filter": "labels.kind="})["status"] == "INVALID_ARGUMENT"
    assert shared.bad("GET", JOBS, params={"pageToken": "none"})["status"] == "INVALID_ARGUMENT"
    assert "Cannot bind query parameter" in shared.bad("GET", JOBS, params={"order": "x"})["message"]
