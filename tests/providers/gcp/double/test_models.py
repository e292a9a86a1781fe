"""Models and their versions follow Vertex AI's rules: ids, aliases, copies of files, what may be deleted when."""

from __future__ import annotations

import pytest
from vertex_cloud import BUCKET, IMAGE, PARENT

UPLOAD = f"{PARENT}/models:upload"
HOME = "projects/123456789012/locations/europe-west4/models"


def model(name="model", **said):
    return {"displayName": name, "containerSpec": {"imageUri": IMAGE}, **said}


def test_a_model_is_to_be_seen_when_its_upload_is_done(cloud):
    operation = cloud.good("POST", UPLOAD, {"model": model(), "modelId": "mine"})
    assert cloud.bad("GET", f"{PARENT}/models/mine")["code"] == 404
    running = cloud.good("GET", f"{PARENT}/models/mine/operations")["operations"]
    assert [one["name"] for one in running] == [operation["name"]]
    assert cloud.bad("POST", UPLOAD, {"model": model(), "modelId": "mine"})["status"] == "ALREADY_EXISTS"
    found = cloud.result(operation)
    assert found["model"] == f"{HOME}/mine"
    assert found["modelVersionId"] == "1"
    shown = cloud.good("GET", f"{PARENT}/models/mine")
    assert (shown["name"], shown["versionId"], shown["versionAliases"]) == (f"{HOME}/mine", "1", ["default"])


def test_versions_are_counted_and_aliases_move(cloud):
    name = cloud.upload(modelId="mine")["model"]
    second = cloud.result(cloud.good("POST", UPLOAD, {"model": model(versionAliases=["blue"]), "parentModel": name}))
    assert second["modelVersionId"] == "2"
    assert cloud.good("GET", name)["versionId"] == "1"
    assert cloud.good("GET", f"{name}@blue")["versionId"] == "2"
    merged = cloud.good("POST", f"{name}@2:mergeVersionAliases", {"versionAliases": ["default", "-blue", "green"]})
    assert merged["versionAliases"] == ["default", "green"]
    assert cloud.good("GET", name)["versionId"] == "2"
    assert cloud.bad("GET", f"{name}@blue")["code"] == 404
    assert [one["versionId"] for one in cloud.good("GET", f"{name}:listVersions")["models"]] == ["2", "1"]
    assert [one["versionId"] for one in cloud.good("GET", f"{PARENT}/models")["models"]] == ["2"]
    minus = cloud.bad("POST", f"{name}@2:mergeVersionAliases", {"versionAliases": ["-default"]})
    assert minus["status"] == "FAILED_PRECONDITION"
    assert cloud.bad("POST", f"{name}:mergeVersionAliases", {"versionAliases": ["x1"]})["code"] == 400


def test_a_number_is_not_used_again(cloud):
    name = cloud.upload(modelId="mine")["model"]
    cloud.result(cloud.good("POST", UPLOAD, {"model": model(), "parentModel": name}))
    cloud.result(cloud.good("DELETE", f"{name}@2:deleteVersion"))
    third = cloud.result(cloud.good("POST", UPLOAD, {"model": model(), "parentModel": name}))
    assert third["modelVersionId"] == "3"


def test_neither_the_default_version_nor_the_only_one_can_be_deleted(cloud):
    name = cloud.upload(modelId="mine")["model"]
    assert "one version only" in cloud.bad("DELETE", f"{name}@1:deleteVersion")["message"]
    cloud.result(cloud.good("POST", UPLOAD, {"model": model(), "parentModel": name}))
    assert "default version" in cloud.bad("DELETE", f"{name}@1:deleteVersion")["message"]
    cloud.result(cloud.good("DELETE", name))
    assert cloud.bad("GET", f"{name}@2")["code"] == 404


def test_files_are_copied_once_into_a_bucket_that_nobody_lists(cloud):
    cloud.put("models/a/weights", b"1")
    cloud.upload(modelId="mine", model={"artifactUri": f"gs://{BUCKET}/models/a"})
    cloud.put("models/a/weights", b"2")
    copied = cloud.names(bucket="caip-tenant-123456789012-europe-west4")
    assert copied == ["mine/1/artifacts/weights"]
    assert cloud.get(copied[0], bucket="caip-tenant-123456789012-europe-west4") == b"1"
    assert [one["name"] for one in cloud.good("GET", "/storage/v1/b")["items"]] == [BUCKET]


def test_a_folder_without_files_fails_the_upload_late_and_the_id_is_free_again(cloud):
    operation = cloud.good("POST", UPLOAD, {"model": model(artifactUri=f"gs://{BUCKET}/no"), "modelId": "mine"})
    done = cloud.done(operation)
    assert (done["error"]["code"], "There are no files" in done["error"]["message"]) == (3, True)
    assert cloud.upload(modelId="mine")["modelVersionId"] == "1"


def test_an_update_changes_what_its_mask_names_and_heeds_the_etag(cloud):
    name = cloud.upload(modelId="mine")["model"]
    change = {"displayName": "new", "description": "not asked for"}
    changed = cloud.good("PATCH", name, change, params={"updateMask": "displayName"})
    assert (changed["displayName"], "description" in changed) == ("new", False)
    stale = cloud.bad("PATCH", name, {"displayName": "x", "etag": "old"}, params={"updateMask": "displayName"})
    assert stale["status"] == "ABORTED"
    image = cloud.bad("PATCH", name, {"containerSpec": {"imageUri": IMAGE}}, params={"updateMask": "containerSpec"})
    assert "cannot be updated" in image["message"]
    assert "Required" in cloud.bad("PATCH", name, {"displayName": "x"})["message"]


@pytest.mark.parametrize(("said", "text"), [
    ({"model": model(containerSpec={})}, "model.container_spec.image_uri; Message: Required"),
    ({"model": model(containerSpec={"imageUri": "image"})}, "not an image"),
    ({"model": model(containerSpec={"imageUri": IMAGE, "predictRoute": "predict"})}, "must begin with /"),
    ({"model": model(artifactUri="s3://a/b")}, "not a valid Cloud Storage URI"),
    ({"model": model(versionAliases=["Blue"])}, "Blue does not match"),
    ({"model": model(), "modelId": "Mine"}, "Mine does not match"),
    ({"model": model(name="x" * 129)}, "exceeds the maximum length of 128"),
    ({}, "Field: model; Message: Required"),
])  # fmt: skip
def test_an_upload_that_breaks_a_rule_is_refused(shared, said, text):
    assert text in shared.bad("POST", UPLOAD, said)["message"]


def test_a_version_of_a_model_that_is_not_there_is_refused(shared):
    error = shared.bad("POST", UPLOAD, {"model": model(), "parentModel": f"{PARENT}/models/none"})
    assert (error["code"], "models/none is not found" in error["message"]) == (404, True)
