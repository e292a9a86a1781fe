"""Data, code, environments, models and datastores keep the service's rules."""

from __future__ import annotations


def test_a_version_never_changes_its_path_but_its_tags(cloud):
    base = cloud.datastore()
    cloud.asset("data", "d", dataType="uri_folder", dataUri=f"{base}/a")
    cloud.asset("data", "d", dataType="uri_folder", dataUri=f"{base}/a", tags={"x": "1"})
    assert cloud.ask("GET", "data/d/versions/1").json["properties"]["tags"] == {"x": "1"}
    body = {"properties": {"dataType": "uri_folder", "dataUri": f"{base}/b"}}
    refused = cloud.ask("PUT", "data/d/versions/1", body)
    assert (refused.status, refused.code, refused.message) == (400, "UserError", "Asset paths cannot be updated.")


def test_a_container_knows_its_latest_and_next_version(cloud):
    base = cloud.datastore()
    assert cloud.ask("GET", "data/d").status == 404
    for version in ("1", "2"):
        cloud.asset("data", "d", version, dataType="uri_file", dataUri=f"{base}/{version}")
    facts = cloud.ask("GET", "data/d").json["properties"]
    assert (facts["latestVersion"], facts["nextVersion"]) == ("2", "3")
    assert [one["name"] for one in cloud.ask("GET", "data/d/versions").json["value"]] == ["2", "1"]
    cloud.asset("data", "d", "2", dataType="uri_file", dataUri=f"{base}/2", isArchived=True)
    assert [one["name"] for one in cloud.ask("GET", "data/d/versions").json["value"]] == ["1"]


def test_models_are_found_by_tag_and_property(cloud):
    base = cloud.datastore()
    for version in ("1", "2"):
        said = {"modelType": "custom_model", "modelUri": f"{base}/{version}", "tags": {"v": version}}
        cloud.asset("models", "m", version, **said)
    found = cloud.ask("GET", "models/m/versions", tags="v=1").json["value"]
    assert [one["name"] for one in found] == ["1"]
    assert [one["name"] for one in cloud.ask("GET", "models").json["value"]] == ["m"]


def test_code_is_found_by_its_hash_whatever_its_name(cloud):
    uri = "https://acmeml.blob.core.windows.net/cloudml/code"
    cloud.asset("codes", "one", codeUri=uri, properties={"hash_sha256": "abc", "hash_version": "202208"})
    found = cloud.ask("GET", "codes/other/versions", hash="abc", hashVersion="202208").json["value"]
    assert [one["id"] for one in found] == [f"{cloud.ws}/codes/one/versions/1"]
    assert cloud.ask("GET", "codes/other/versions", hash="other").json["value"] == []


def test_what_is_not_there_is_a_user_error(cloud):
    missing = cloud.ask("GET", "models/m/versions/1")
    assert (missing.status, missing.code) == (404, "UserError")
    body = {"properties": {"modelType": "custom_model", "modelUri": "azureml://jobs/none/outputs/m"}}
    assert "the job none does not exist" in cloud.ask("PUT", "models/m/versions/1", body).message
    assert cloud.ask("DELETE", "models/m/versions/1").status == 204


def test_a_name_that_cannot_be_is_refused(cloud):
    body = {"properties": {"modelType": "custom_model", "modelUri": "azureml://datastores/x/paths/y"}}
    assert cloud.ask("PUT", "models/-m/versions/1", body).code == "ValidationError"


def test_enums_are_answered_in_the_services_case(cloud):
    said = {"properties": {"image": "x", "osType": "linux"}}
    answer = cloud.ask("PUT", "environments/e/versions/1", said, **{"api-version": "2023-04-01-preview"})
    assert answer.json["properties"]["osType"] == "Linux"


def test_a_datastore_hides_its_secrets_and_gives_them_when_asked(cloud):
    default = cloud.ask("GET", "datastores", isDefault="true").json["value"]
    assert [one["name"] for one in default] == ["workspaceblobstore"]
    assert default[0]["properties"]["credentials"] == {"credentialsType": "AccountKey"}
    found = cloud.ask("POST", "datastores/workspaceblobstore/listSecrets").json
    assert found["secretsType"] == "AccountKey"
    cloud.datastore()
    assert cloud.ask("POST", "datastores/own/listSecrets").status == 400
    assert cloud.ask("GET", "datastores/none").status == 404


def test_a_workspace_elsewhere_is_not_found(cloud):
    base = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups"
    provider = "providers/Microsoft.MachineLearningServices/workspaces"
    assert cloud.ask("GET", f"{base}/ml/{provider}/none").code == "ResourceNotFound"
    assert cloud.ask("GET", f"{base}/none/{provider}/acme").code == "ResourceGroupNotFound"
    other = "/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups"
    assert cloud.ask("GET", f"{other}/ml/{provider}/acme").code == "SubscriptionNotFound"


def test_permissions_quotas_and_roles_can_be_asked(cloud):
    found = cloud.ask("GET", f"{cloud.ws}/providers/Microsoft.Authorization/permissions").json["value"]
    assert found == [{"actions": ["*"], "notActions": [], "dataActions": ["*"], "notDataActions": []}]
    cloud.azure.faults.refuse("ml:Jobs_CreateOrUpdate", "AuthorizationFailed", times=None)
    found = cloud.ask("GET", f"{cloud.ws}/providers/Microsoft.Authorization/permissions").json["value"]
    assert found[0]["notActions"] == ["Microsoft.MachineLearningServices/workspaces/jobs/write"]
    place = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.MachineLearningServices/locations"
    usages = cloud.ask("GET", f"{place}/westeurope/usages").json["value"]
    assert {one["limit"] for one in usages} == {1000}
    assert cloud.ask("GET", f"{cloud.ws}/providers/Microsoft.Authorization/roleAssignments").json["value"]
