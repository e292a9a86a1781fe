"""Datasets on the double: what is sent, what two at once do, and what is left of what was interrupted."""

from __future__ import annotations

import json
import threading
from contextlib import suppress

import pytest
from deploying import HASH, PLACES, settings
from working import connected, table

from cloudml.clouds.datasets import INTERRUPTED, lift
from cloudml.errors import AlreadyExistsError, CloudMLError, NotFoundError, PermissionDeniedError
from cloudml.progress import SILENT
from cloudml.status import State
from cloudml_aws.clients import Clients
from cloudml_aws.datasets import AwsDatasets

NAME = "flights-table-3fa9c1d2e4"


def plan(resource):
    return AwsDatasets(Clients(settings()), PLACES).plan(resource)


@pytest.fixture
def there(tmp_path):
    with connected(tmp_path) as there:
        yield there


def test_the_plan_shows_the_card_and_where_the_files_go(tmp_path) -> None:
    resource = table(tmp_path, label="late")
    (call,) = plan(resource).calls
    assert call.operation == "s3:Upload"
    assert call.body["to"] == f"s3://acme-ml/cloudml/flights/datasets/{NAME}/"
    assert call.body["card"] == {
        "tags": {"cloudml-project": "flights", "cloudml-resource": "datasets.table", "cloudml-hash": HASH},
        "path": "data/*.csv",
        "label": "late",
        "uri": f"s3://acme-ml/cloudml/flights/datasets/{NAME}",
        "manifest": resource.manifest.hash,
        "files": 1,
        "bytes": 8,
    }


def test_a_card_without_anything_is_lifted() -> None:
    assert lift("x", {}, complete=False).state is State.FAILED


def test_a_dataset_is_whole_with_its_card_and_says_whose_it_is(there) -> None:
    resource = table(there.root, label="late")
    made = there.datasets.create(resource, SILENT)
    assert (made.state, made.resource, made.project, made.hash) == (State.READY, "datasets.table", "flights", HASH)
    assert (made.files, made.bytes, made.uri) == (1, 8, there.datasets.uri(resource.identity))
    assert made.created is not None
    assert made.native["label"] == "late"
    stored = json.loads(there.clients.storage(PLACES.root).read(f"cards/datasets/{NAME}.json"))
    assert {**stored, "created": None} == {**plan(resource).calls[0].body["card"], "created": None}
    assert f"datasets/{NAME}/table.csv" in there.objects()
    with pytest.raises(AlreadyExistsError):
        there.datasets.create(resource, SILENT)
    assert [one.name for one in there.datasets.list("flights")] == [NAME]
    assert tuple(there.datasets.list("flight")) == ()


def test_of_several_who_send_it_at_once_one_makes_it(there) -> None:
    resource = table(there.root)
    made, refused = [], []

    def send() -> None:
        try:
            made.append(there.datasets.create(resource, SILENT))
        except AlreadyExistsError as error:
            refused.append(error)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 3)
    assert there.datasets.get(NAME).state is State.READY


@pytest.mark.parametrize("first", range(1, 6))
def test_what_was_interrupted_is_found_finished_and_removed(there, first: int) -> None:
    resource = table(there.root)
    there.aws.faults.refuse("s3:*", "AccessDenied", status=403, first=first, times=None)
    with suppress(CloudMLError):
        there.datasets.create(resource, SILENT)
    there.aws.faults.clear()
    for status in there.datasets.list("flights"):
        assert (status.state, status.reason) == (State.FAILED, INTERRUPTED)
    assert there.datasets.create(resource, SILENT).state is State.READY
    there.datasets.delete(NAME)
    assert there.objects() == set()


@pytest.mark.parametrize("first", range(1, 8))
def test_a_deletion_that_was_interrupted_is_seen_and_finished(there, first: int) -> None:
    there.datasets.create(table(there.root), SILENT)
    there.aws.faults.refuse("s3:*", "AccessDenied", status=403, first=first, times=None)
    with suppress(CloudMLError):
        there.datasets.delete(NAME)
    there.aws.faults.clear()
    left = [one.name for one in there.datasets.list("flights")]
    assert left == [NAME] or f"datasets/{NAME}/table.csv" not in there.objects()
    there.datasets.delete(NAME)
    assert there.objects() == set()
    assert tuple(there.datasets.list("flights")) == ()


def test_contents_stay_while_another_version_is_there_and_go_with_the_last(there) -> None:
    there.datasets.create(table(there.root), SILENT)
    there.datasets.create(table(there.root, "3,4\n", digest="1" * 64), SILENT)
    there.datasets.delete(NAME)
    assert any(path.startswith("blobs/") for path in there.objects())
    there.datasets.delete("flights-table-1111111111")
    assert there.objects() == set()
    with pytest.raises(NotFoundError):
        there.datasets.get(NAME)


def test_a_remote_dataset_is_copied_into_the_bucket(there, monkeypatch) -> None:
    for name, value in there.aws.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    there.aws.provision("elsewhere")
    there.clients.storage("s3://elsewhere").write("rows/a.csv", b"a,b\n1,2\n")
    resource = table(there.root, path="s3://elsewhere/rows/*.csv")
    assert any(note.path == "datasets.table.path" for note in there.datasets.plan(resource).notes)
    assert there.datasets.create(resource, SILENT).files == 1
    assert f"datasets/{NAME}/a.csv" in there.objects()


def test_a_bucket_that_is_closed_to_us_says_so(there) -> None:
    there.aws.faults.refuse("s3:*", "AccessDenied", "Access Denied", status=403, times=None)
    with pytest.raises(PermissionDeniedError, match="acme-ml"):
        there.datasets.create(table(there.root), SILENT)
