"""What Google's own clients make, cloudml sees; what cloudml makes, they see."""

from __future__ import annotations

import json

import pytest
import vertex_clients as vertex
from google.auth.credentials import AnonymousCredentials
from vertex_cloud import IMAGE
from vertex_working import PLACES, SETTINGS, identity, job

from cloudml.errors import NotFoundError
from cloudml.progress import SILENT
from cloudml.seam import Context
from cloudml.status import JobState
from cloudml.waiting import Waiter
from cloudml_gcp import plugin
from cloudml_gcp.clients import Clients
from cloudml_gcp.double import double
from cloudml_gcp.double.rehearsal import signed_in
from cloudml_gcp.names import alias, group, native
from cloudml_gcp.versions import Registry
from cloudml_gcp.wire.operations import waited

PARENT = f"projects/{SETTINGS.project_id}/locations/{SETTINGS.region}"
POOL = {
    "replica_count": 1,
    "machine_spec": {"machine_type": "n1-standard-4"},
    "container_spec": {"image_uri": IMAGE, "command": ["python3", "-c", "print('officially')"]},
}


@pytest.fixture
def gcp():
    said = SETTINGS
    with double(
        region=said.region, project=said.project_id, bucket=said.bucket, service_account=said.service_account
    ) as gcp:
        yield gcp


@pytest.fixture
def ours(gcp, tmp_path):
    clients = Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
    return plugin.provider(clients, Context(root=tmp_path, project="flights"))


@pytest.fixture
def theirs(gcp):
    options = {"api_endpoint": gcp.url}
    return vertex.JobServiceClient(credentials=AnonymousCredentials(), transport="rest", client_options=options)


def test_a_job_of_the_official_client_is_listed_by_its_label_described_read_and_removed(gcp, ours, theirs) -> None:
    wanted = {
        "display_name": "official",
        "job_spec": {"worker_pool_specs": [POOL]},
        "labels": {"cloudml-project": "flights"},
    }
    made = theirs.create_custom_job(parent=PARENT, custom_job=wanted)
    while theirs.get_custom_job(name=made.name).state <= vertex.JobState.JOB_STATE_RUNNING:
        gcp.clock.sleep(30)
    (listed,) = ours.jobs.list("flights")
    number = made.name.rpartition("/")[2]
    assert (listed.name, listed.project, listed.state) == (number, "flights", JobState.SUCCEEDED)
    assert ours.jobs.get(number) == listed
    assert "officially" in ours.logs.read("jobs", number, "").lines
    ours.jobs.delete(number)
    with pytest.raises(NotFoundError):
        ours.jobs.get(number)


def test_a_job_of_cloudml_is_listed_and_described_by_the_official_client(gcp, ours, theirs, tmp_path) -> None:
    resource = job(tmp_path, inputs={})
    started = ours.jobs.create(resource, SILENT)
    Waiter(5.0, 30.0, gcp.clock.sleep).until_over(ours.jobs.get, started.name)
    (seen,) = theirs.list_custom_jobs(request={"parent": PARENT, "filter": "labels.cloudml-project=flights"})
    assert (seen.display_name, seen.state) == (started.name, vertex.JobState.JOB_STATE_SUCCEEDED)
    assert seen.job_spec.base_output_directory.output_uri_prefix.startswith(PLACES.root)


def test_of_versions_that_two_made_at_once_the_first_is_left_with_its_alias(gcp) -> None:
    clients = Clients(SETTINGS, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
    name, registry = native(identity("models.delay")), Registry(clients)
    said = {"project": "flights", "resource": "models.delay", "name": name}
    model = {
        "displayName": "delay",
        "versionAliases": ["default", alias(name)],
        "versionDescription": json.dumps({"cloudml": said}),
        "containerSpec": {"imageUri": IMAGE},
    }
    for where in ({"modelId": group(name)}, {"parentModel": registry.model(name)}):
        answer = clients.send("aiplatform:UploadModel", {"parent": PARENT, "model": model, **where})
        waited(clients, answer, "aiplatform:UploadModel", 600)
    registry.leave_one(identity("models.delay"))
    (left,) = registry.versions(registry.model(name))
    assert (left["versionId"], set(left["versionAliases"])) == ("1", {"default", alias(name)})
