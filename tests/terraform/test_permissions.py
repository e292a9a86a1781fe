"""What the modules grant is what the providers say that they use: nothing is missing, and nothing is there besides.

Each provider keeps its own table (`permissions.py`), which other tests compare with the requests that it sends.
"""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from grants import TABLES_AWS, as_list, named, statements
from stub_environments import HERE, python

import cloudml_aws.permissions as aws
import cloudml_azure.permissions as azure
import cloudml_gcp.permissions as gcp

BESIDES_AWS = {
    "adapter": {
        "kms:GenerateDataKey": "the bucket is encrypted with the platform's key",
        "kms:DescribeKey": "jobs are created with the key's name",
        "ecr:GetAuthorizationToken": "docker pushes images of one's own as the adapter",
        "ecr:BatchCheckLayerAvailability": "docker pushes",
        "ecr:BatchGetImage": "docker pushes",
        "ecr:CompleteLayerUpload": "docker pushes",
        "ecr:DescribeImages": "docker pushes, and somebody looks at what is there",
        "ecr:DescribeImageScanFindings": "images are scanned when they are pushed",
        "ecr:GetDownloadUrlForLayer": "docker pushes",
        "ecr:InitiateLayerUpload": "docker pushes",
        "ecr:PutImage": "docker pushes",
        "ecr:UploadLayerPart": "docker pushes",
    },
    "execution": {},
    "scheduler": {},
}
"""What the module grants although cloudml itself never asks for it, and why."""
NOT_AZURE = {
    f"{azure.ML}/onlineEndpoints/listKeys/action": "the target says `authentication: entra`: no keys",
    "Microsoft.MachineLearningServices/locations/usages/read": "can be granted on a whole subscription only",
}
"""What the table has and the module does not grant, and why."""
ROLES_AZURE = {
    "Storage Blob Data Contributor": {one for p in azure.CALLER if p.data for one in p.actions},
    "AcrPull": {"Microsoft.ContainerRegistry/registries/pull/read"},
    "AzureML Metrics Writer (preview)": {f"{azure.ML}/metrics/resource/write"},
}
"""Built-in roles that stand for permissions of the tables."""
BESIDES_AZURE = {
    "Monitoring Metrics Publisher": "Application Insights takes no keys here, so an endpoint's telemetry needs it",
}
WORKSPACE_AZURE = {
    "Storage Blob Data Contributor", "Storage File Data Privileged Contributor", "Storage Account Contributor",
    "Key Vault Administrator", "AcrPush", "Contributor",
}  # fmt: skip
"""What Azure asks for an identity of one's own that a workspace runs with, each on the one thing that it uses."""
BESIDES_GCP = {
    ("adapter", "roles/artifactregistry.writer"): "docker pushes images of one's own as the adapter",
    ("execution", "roles/artifactregistry.reader"): "jobs and endpoints pull them",
}
"""Roles that stand for nothing in the tables, and why they are granted."""
ROLES_GCP = {
    "roles/storage.objectUser": {*gcp.OBJECTS, *gcp.PARTS},
    "roles/logging.logWriter": {"logging.logEntries.create"},
    "roles/iam.serviceAccountUser": {"iam.serviceAccounts.actAs"},
}


@pytest.mark.parametrize("role", TABLES_AWS)
def test_aws_grants_what_is_used(newest, role: str) -> None:
    granted = {action for one in statements(newest("aws"), role) for action in as_list(one["Action"])}
    used = {action for one in TABLES_AWS[role] for action in one.actions}
    used |= {*aws.CHECKING} if role == "adapter" else set()
    assert used - granted == set(), "missing"
    assert granted - used - set(BESIDES_AWS[role]) == set(), "not used"
    assert set(BESIDES_AWS[role]) & used == set(), "a reason that is not needed any more"


@pytest.mark.parametrize("role", TABLES_AWS)
def test_aws_binds_an_action_to_what_the_provider_names_and_to_nothing_else(newest, role: str) -> None:
    names = named(newest("aws"), newest("aws").profile["storage"]["prefix"])
    wanted = {(action, one.format_map(names)) for row in TABLES_AWS[role] for action in row.actions
              for one in row.resources}  # fmt: skip
    bound = {(action, resource) for one in statements(newest("aws"), role) for action in as_list(one["Action"])
             for resource in as_list(one["Resource"])}  # fmt: skip
    used = {action for action, _ in wanted}
    assert {pair for pair in bound if pair[0] in used} == wanted


def azure_roles(applied, name: str) -> set[str]:
    return {
        one["values"]["role_definition_name"]
        for one in applied.resources("azurerm_role_assignment")
        if one["name"] == name and one["values"].get("role_definition_name")
    }


def test_azure_grants_what_is_used(newest) -> None:
    (role,) = (one["values"] for one in newest("azure").resources("azurerm_role_definition"))
    granted = {*role["permissions"][0]["actions"]}
    used = {action for one in azure.CALLER if not one.data for action in one.actions} | {*azure.CHECKING}
    assert not role["permissions"][0].get("data_actions")
    assert used - granted == set(NOT_AZURE), "missing"
    assert granted - used == set(), "not used"


def test_azure_s_execution_identity_has_the_roles_that_stand_for_what_it_uses(newest) -> None:
    used = {action for one in azure.EXECUTION for action in one.actions}
    roles = azure_roles(newest("azure"), "execution")
    assert used <= {action for role in roles for action in ROLES_AZURE.get(role, ())}
    assert roles - set(ROLES_AZURE) == set(BESIDES_AZURE)


def test_azure_s_workspace_has_what_azure_asks_for_and_on_no_more_than_one_thing_each(newest) -> None:
    assert azure_roles(newest("azure"), "workspace") == WORKSPACE_AZURE
    scopes = {one["values"]["scope"] for one in newest("azure").made("azurerm_role_assignment")}
    assert not [scope for scope in scopes if re.fullmatch(r"/subscriptions/[^/]+", scope)]


def test_azure_s_adapter_has_blobs_images_and_the_execution_identity_besides(newest) -> None:
    assert azure_roles(newest("azure"), "adapter") == {
        "Storage Blob Data Contributor", "AcrPush", "Managed Identity Operator",
    }  # fmt: skip


def gcp_grants(applied, who: str) -> set[str]:
    """The permissions that an account has, by the roles that are made and by those of Google."""
    own = {one["index"]: {*one["values"]["permissions"]} for one in applied.resources("google_project_iam_custom_role")}
    if who == "scheduler":
        return own["scheduler"] | {"iam.serviceAccounts.actAs"}
    named = {"adapter": own["adapter"] | own["bucket"], "execution": set()}[who]
    for one in applied.resources("google_storage_bucket_iam_member", "google_project_iam_member"):
        if one.get("index") == who or (who == "execution" and one["name"] == "execution"):
            named = named | ROLES_GCP.get(one["values"].get("role"), set())
    passes = [one["index"] for one in applied.resources("google_service_account_iam_member") if one["name"] == "pass"]
    return named | ({"iam.serviceAccounts.actAs"} if any(name.startswith(who) for name in passes) else set())


def test_gcp_grants_what_is_used(newest) -> None:
    used = {name for one in gcp.CALLER for name in one.names} | {*gcp.CHECKING}
    assert gcp_grants(newest("gcp"), "adapter") == used


def test_gcp_grants_no_role_besides_those_that_have_a_reason(newest) -> None:
    bound = [
        (one["index"], one["values"]["role"])
        for kind in ("google_artifact_registry_repository", "google_bigquery_dataset", "google_storage_bucket")
        for one in newest("gcp").made(f"{kind}_iam_member")
        if one["values"]["role"].startswith("roles/")
    ]
    named = {one["values"]["role"] for one in newest("gcp").made("google_project_iam_member")}
    assert {pair for pair in bound if pair[1] not in ROLES_GCP} == set(BESIDES_GCP)
    assert {name for name in named if name.startswith("roles/")} == {"roles/logging.logWriter"}


def test_gcp_s_execution_account_starts_no_job_since_another_account_does(newest) -> None:
    used = {name for one in gcp.EXECUTION for name in one.names} | {*gcp.PARTS}  # which come with the role
    assert gcp_grants(newest("gcp"), "execution") == used - {
        "aiplatform.customJobs.create",
        "iam.serviceAccounts.actAs",
    }
    assert gcp_grants(newest("gcp"), "scheduler") == {"aiplatform.customJobs.create", "iam.serviceAccounts.actAs"}
    assert newest("gcp").profile["settings"]["scheduler_service_account"]


def test_every_action_exists_and_is_bound_to_a_resource_where_iam_knows_one(newest) -> None:
    asked = [
        {"action": action, "any": as_list(one["Resource"]) == ["*"]}
        for role in TABLES_AWS
        for one in statements(newest("aws"), role)
        for action in as_list(one["Action"])
    ]
    done = subprocess.run(
        [python("scan"), HERE / "actions.py"], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
