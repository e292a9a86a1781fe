"""The workspace: what it is, where its data planes are, its datastores, compute clusters, and quotas."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any

from cloudml_azure.double import identity, resources
from cloudml_azure.double.refusals import Refused, not_found, user_error
from cloudml_azure.double.routes import route
from cloudml_azure.double.wire import Answer, answered
from cloudml_azure.double.world import ARTIFACTS

if TYPE_CHECKING:
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

WORKSPACE_ID = "77777777-6666-5555-4444-333333333333"
BLOBSTORE = f"azureml-blobstore-{WORKSPACE_ID}"
QUOTA = 1000
"""Cores of a family, unless the fault `quota` says otherwise."""
FAMILIES = (
    "standardDv2Family", "standardDSv2Family", "standardFSv2Family", "standardESv3Family", "standardDSv4Family",
    "standardEDSv4Family", "Standard NCASv3_T4 Family", "standardNCADSA100v4Family", "standardNCadsH100v5Family",
)  # fmt: skip
KEY = base64.b64encode(b"cloudml-double-account-key-that-signs-nothing-at-all-0123456789").decode()


def get(world: World, asked: Asked) -> Answer:
    """The workspace."""
    host = asked.host if not world.is_real(asked.host) else f"{world.region}.api.azureml.ms"
    scope = f"/subscriptions/{world.subscription}/resourceGroups/{world.group}/providers"
    return answered(
        {
            "id": world.root,
            "name": world.workspace,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "location": world.region,
            "kind": "Default",
            "tags": {},
            "identity": {
                "type": "SystemAssigned",
                "principalId": str(uuid.UUID(int=7)),
                "tenantId": world.identity.tenant,
            },
            "sku": {"name": "Basic", "tier": "Basic"},
            "systemData": world.system_data(),
            "properties": {
                "friendlyName": world.workspace,
                "storageAccount": f"{scope}/Microsoft.Storage/storageAccounts/{world.account}",
                "keyVault": f"{scope}/Microsoft.Keyvault/vaults/{world.workspace}",
                "applicationInsights": f"{scope}/Microsoft.insights/components/{world.workspace}",
                "discoveryUrl": f"{world.api(asked.origin)}/discovery",
                "mlFlowTrackingUri": f"azureml://{host}/mlflow/v1.0{world.root}",
                "workspaceId": WORKSPACE_ID,
                "provisioningState": "Succeeded",
                "publicNetworkAccess": "Enabled",
                "v1LegacyMode": False,
            },
        }
    )


def discovery(world: World, asked: Asked) -> Answer:
    """Where the data planes are."""
    base = world.api(asked.origin)
    names = ("api", "catalog", "experimentation", "gallery", "history", "hyperdrive", "modelmanagement", "pipelines")
    return answered({**dict.fromkeys(names, base), "studiocoreservices": base})


def lay_out(world: World) -> None:
    """The datastores that every workspace has."""
    for name, container, default in (
        ("workspaceblobstore", BLOBSTORE, True),
        ("workspaceartifactstore", ARTIFACTS, False),
    ):
        world.storage.make(container)
        facts = {"datastoreType": "AzureBlob", "accountName": world.account, "containerName": container}
        _keep(world, name, {**facts, "credentials": {"credentialsType": "AccountKey"}}, default=default)


def _keep(world: World, name: str, facts: dict[str, Any], *, default: bool = False) -> Record:
    body = {
        "description": None,
        "tags": {},
        "properties": {},
        "endpoint": "core.windows.net",
        "protocol": "https",
        "serviceDataAccessAuthIdentity": "None",
        "resourceGroup": world.group,
        "subscriptionId": world.subscription,
        **facts,
        "isDefault": default,
    }
    return resources.make(world, f"datastores/{name}", {}, body)


def _datastore(world: World, asked: Asked) -> Record:
    name = asked.names["datastore"]
    missing = user_error(f"Could not find datastore: {name}.", 404)
    return resources.need(world, f"datastores/{name}", missing)


def put_datastore(world: World, asked: Asked) -> Answer:
    """Name a container; its credentials are kept, and never shown."""
    name, facts = asked.names["datastore"], asked.document["properties"]
    new = world.resources.find(f"datastores/{name}") is None
    kind = {"credentialsType": facts["credentials"]["credentialsType"]}
    account, container = facts.get("accountName"), facts.get("containerName")
    if account in world.accounts and container not in world.accounts[account].containers():
        raise user_error(f"The container {container} of storage account {account} does not exist.")
    return answered(resources.shown(_keep(world, name, {**facts, "credentials": kind})), 201 if new else 200)


def get_datastore(world: World, asked: Asked) -> Answer:
    return answered(resources.shown(_datastore(world, asked)))


def list_datastores(world: World, asked: Asked) -> Answer:
    found = world.resources.below("datastores")
    if asked.query.get("isDefault", "").lower() == "true":
        found = [one for one in found if one["properties"]["isDefault"]]
    return resources.page(world, asked, found)


def delete_datastore(world: World, asked: Asked) -> Answer:
    """Forget a name for a container; the container stays."""
    name = asked.names["datastore"]
    if world.resources.find(f"datastores/{name}") is None:
        return Answer(status=204)
    world.resources.remove(f"datastores/{name}")
    return Answer()


def secrets(world: World, asked: Asked) -> Answer:
    """What opens a datastore: its kind of secret, also when one that expires was asked for; `jobs.stream` needs it."""
    record = _datastore(world, asked)
    if world.domain("keyless", record["properties"]["accountName"]):
        raise Refused(
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
            403,
        )
    kind = record["properties"]["credentials"]["credentialsType"]
    if kind == "None":
        raise user_error(f"The datastore {record['name']} has no secrets.", 400)
    if kind == "Sas":
        return answered({"secretsType": "Sas", "sasToken": identity.sas(asked.json().get("expireAfterHours", 1))})
    return answered({"secretsType": "AccountKey", "key": KEY})


def get_compute(world: World, asked: Asked) -> Answer:
    """A compute cluster; the double has those that were put there."""
    name = asked.names["compute"]
    missing = not_found("Microsoft.MachineLearningServices/workspaces/computes", name, world.group)
    return answered(resources.shown(resources.need(world, f"computes/{name}", missing)))


def put_compute(world: World, asked: Asked) -> Answer:
    """Make a cluster; it is there at once."""
    name, body = asked.names["compute"], asked.json()
    new = world.resources.find(f"computes/{name}") is None
    facts = {**body.get("properties", {}), "provisioningState": "Succeeded"}
    record = resources.make(world, f"computes/{name}", {"location": world.region, **body}, facts)
    return answered(resources.shown(record), 201 if new else 200)


def list_computes(world: World, asked: Asked) -> Answer:
    return resources.page(world, asked, world.resources.below("computes"))


def usages(world: World, asked: Asked) -> Answer:
    """Cores that are used and may be used, by family of machines."""
    del asked
    found = []
    for family in FAMILIES:
        fault = world.domain("quota", family)
        limit = int(fault.facts.get("limit", 0)) if fault else QUOTA
        found.append(
            {
                "id": f"/subscriptions/{world.subscription}/providers/Microsoft.MachineLearningServices/locations/"
                f"{world.region}/usages/{family}",
                "type": "Microsoft.MachineLearningServices/VmFamily/Usages",
                "unit": "Count",
                "currentValue": 0,
                "limit": limit,
                "name": {"value": family, "localizedValue": family},
            }
        )
    return answered({"value": found})


PLACE = "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
ROUTES = (
    route("GET", "", "Workspaces_Get", get, action="read"),
    route("GET", "/discovery", "discovery:Discovery_Get", discovery),
    route("GET", "datastores", "Datastores_List", list_datastores, action="datastores/read"),
    route("GET", "datastores/{datastore}", "Datastores_Get", get_datastore, action="datastores/read"),
    route(
        "PUT", "datastores/{datastore}", "Datastores_CreateOrUpdate", put_datastore, action="datastores/write",
        root="datastores",
    ),
    route("DELETE", "datastores/{datastore}", "Datastores_Delete", delete_datastore, action="datastores/delete"),
    route(
        "POST", "datastores/{datastore}/listSecrets", "Datastores_ListSecrets", secrets,
        action="datastores/listsecrets/action",
    ),
    route("GET", "computes", "Compute_List", list_computes, action="computes/read"),
    route("GET", "computes/{compute}", "Compute_Get", get_compute, action="computes/read"),
    route("PUT", "computes/{compute}", "Compute_CreateOrUpdate", put_compute, action="computes/write"),
    route(
        "GET", f"{PLACE}/usages", "Usages_List", usages,
        action="Microsoft.MachineLearningServices/locations/usages/read",
    ),
)  # fmt: skip
