"""The double itself: in a process, as a server, as a program, several at once, and nothing left of it."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from cloudml_azure.double import double, identity

TOKEN = "https://management.azure.com/.default"


def test_two_doubles_know_nothing_of_each_other(cloud_type):
    with double() as one, double(workspace="other") as two:
        first, second = cloud_type(one), cloud_type(two)
        first.put("a", b"1")
        first.asset("data", "d", dataType="uri_file", dataUri=f"{first.datastore()}/a")
        assert second.names() == []
        assert second.ask("GET", "data/d").status == 404
        assert second.ask("GET", f"{first.ws}/data/d").code == "ResourceNotFound"
        second.job(script=b"print('mine')")
        assert second.ended()["status"] == "Completed"
        assert first.ask("GET", "jobs").json["value"] == []


def test_it_listens_with_tls_and_names_itself_to_who_comes_that_way(cloud):
    trusting = ssl.create_default_context(cafile=cloud.azure.environ["REQUESTS_CA_BUNDLE"])
    asked = urllib.request.Request(
        f"{cloud.azure.url}{cloud.ws}?api-version=2025-12-01",
        headers={"Authorization": f"Bearer {identity.token(TOKEN).token}"},
    )
    found = json.loads(urllib.request.urlopen(asked, context=trusting).read())
    assert found["properties"]["discoveryUrl"] == f"{cloud.azure.url}/discovery"
    inside = cloud.ask("GET", "").json
    assert inside["properties"]["discoveryUrl"] == "https://westeurope.api.azureml.ms/discovery"


def test_an_endpoint_can_be_asked_at_the_double_itself(cloud):
    cloud.up()
    trusting = ssl.create_default_context(cafile=cloud.azure.environ["REQUESTS_CA_BUNDLE"])
    asked = urllib.request.Request(
        f"{cloud.azure.url}/scoring/delay/score", b'{"instances": [3]}', {"Authorization": f"Bearer {cloud.key()}"}
    )
    assert json.loads(urllib.request.urlopen(asked, context=trusting).read()) == {"predictions": [6.0]}


def test_every_request_is_written_down(cloud):
    cloud.job()
    seen = cloud.azure.requests[-1]
    assert (seen.name, seen.method, seen.api_version, seen.about) == (
        "ml:Jobs_CreateOrUpdate",
        "PUT",
        "2025-12-01",
        "job",
    )
    assert seen.body["properties"]["jobType"] == "Command"
    cloud.ended()


def test_what_nobody_answers_is_said(cloud):
    answer = cloud.ask("PUT", "batchEndpoints/x", {})
    assert (answer.status, answer.code) == (404, "InvalidResourceType")
    assert "The double knows no PUT" in answer.message
    assert cloud.ask("GET", "jobs", **{"api-version": ""}).code == "MissingApiVersionParameter"


def test_an_argument_that_is_none_is_refused():
    with pytest.raises(TypeError, match="double\\(\\) knows no bucket; it knows subscription_id"), double(bucket="x"):
        pass


def started():
    """The program, and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudml_azure.double", "--pace", "3600"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    environment = dict(line.strip().split("=", 1) for line in iter(process.stdout.readline, "\n"))
    return process, environment


CLIENT = """
import os
import requests
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient

credential = DefaultAzureCredential()
blobs = BlobServiceClient("https://acmeml.blob.core.windows.net", credential=credential)
blobs.get_blob_client("cloudml", "code/main.py").upload_blob(b"print('ran')")
group = "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ml"
ws = group + "/providers/Microsoft.MachineLearningServices/workspaces/acme"
headers = {"Authorization": "Bearer " + credential.get_token("https://management.azure.com/.default").token}
def put(path, **properties):
    url = ws + path + "?api-version=2025-12-01"
    answer = requests.put(url, json={"properties": properties}, headers=headers)
    answer.raise_for_status()
put("/codes/c/versions/1", codeUri="https://acmeml.blob.core.windows.net/cloudml/code")
put("/jobs/job", jobType="Command", command="python main.py && KILL", environmentId="azureml:sklearn:1",
    codeId=ws.partition(".com")[2] + "/codes/c/versions/1")
print("made", flush=True)
os.kill(os.getpid(), 9)
"""


def state(environment):
    """The job's state, asked over the wire."""
    trusting = ssl.create_default_context(cafile=environment["REQUESTS_CA_BUNDLE"])
    path = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ml/providers"
    url = (
        f"{environment['CLOUDML_AZURE_ARM_ENDPOINT']}{path}/Microsoft.MachineLearningServices/workspaces/acme/jobs/job"
    )
    headers = {"Authorization": f"Bearer {identity.token(TOKEN).token}"}
    asked = urllib.request.Request(f"{url}?api-version=2025-12-01", headers=headers)
    return json.loads(urllib.request.urlopen(asked, context=trusting).read())["properties"]["status"]


def test_the_program_outlives_clients_that_are_killed_and_ends_when_it_is_told():
    process, environment = started()
    try:
        program = CLIENT.replace(" && KILL", "")
        around = {**os.environ, **environment}
        killed = subprocess.run([sys.executable, "-c", program], env=around, check=False, stdout=subprocess.PIPE)
        assert killed.returncode == -signal.SIGKILL
        pause = threading.Event()
        for _ in range(2000):
            if (now := state(environment)) in {"Completed", "Failed"}:
                break
            pause.wait(0.02)  # its time passes by itself
        assert now == "Completed"
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()


def test_nothing_stays_when_the_double_itself_is_killed():
    process, environment = started()
    program = CLIENT.replace("KILL", "sleep 600")
    around = {**os.environ, **environment}
    subprocess.run([sys.executable, "-c", program], env=around, check=False, stdout=subprocess.PIPE)
    pause = threading.Event()
    while not (keepers := below(process.pid)):
        pause.wait(0.02)  # its time passes by itself, until the job runs
    process.kill()
    process.wait(60)
    process.stdout.close()
    for _ in range(3000):
        if not any(Path(f"/proc/{pid}").exists() for pid in keepers):
            return
        pause.wait(0.02)  # the keeper sees the end of its input, and ends all that is below it
    raise AssertionError(keepers)


def below(parent):
    """The processes below one, once there are some below those."""
    found = [int(pid) for one in Path(f"/proc/{parent}/task").glob("*/children") for pid in one.read_text().split()]
    inner = [int(pid) for keeper in found for pid in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()]
    return [*found, *inner] if inner else []


PYTESTER = """
import os, requests
from azure.identity import DefaultAzureCredential

def test_it(cloudml_azure):
    credential = DefaultAzureCredential()
    token = credential.get_token("https://management.azure.com/.default").token
    url = "https://management.azure.com" + cloudml_azure.world.root + "?api-version=2025-12-01"
    found = requests.get(url, headers={"Authorization": "Bearer " + token}).json()
    assert found["name"] == "acme"
    assert cloudml_azure.requests[-1].name == "ml:Workspaces_Get"
    cloudml_azure.clock.advance(3600)

def test_nothing_of_it_is_left():
    assert "CLOUDML_AZURE_ARM_ENDPOINT" not in os.environ
"""


def test_users_have_a_fixture(tmp_path):
    tmp_path.joinpath("test_theirs.py").write_text(PYTESTER)
    around = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env=around, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout


def test_the_plugin_loads_nothing_heavy():
    program = "import json, sys, cloudml.testing; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"azure", "cryptography", "requests", "pydantic", "numpy", "cloudml_azure"}


def test_other_hosts_are_reached_as_before(cloud):
    """A host that is none of Azure's is passed on to, with its own certificate untouched."""
    with double() as other:
        name = other.url.removeprefix("https://")
        proxy = urllib.request.ProxyHandler({"https": cloud.azure.environ["HTTPS_PROXY"]})
        trusting = urllib.request.HTTPSHandler(
            context=ssl.create_default_context(cafile=other.environ["SSL_CERT_FILE"])
        )
        found = urllib.request.build_opener(proxy, trusting).open(f"https://{name}/discovery").read()
        assert json.loads(found)["api"] == other.url
        assert other.requests[-1].name == "discovery:Discovery_Get"
