"""Who may do what: permissions at a scope, role assignments, role definitions; and the sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml_azure.double import identity
from cloudml_azure.double.identity import OBJECT
from cloudml_azure.double.routes import route
from cloudml_azure.double.wire import answered

if TYPE_CHECKING:
    from cloudml_azure.double.wire import Answer, Asked
    from cloudml_azure.double.world import World

ROLES = {
    "AzureML Data Scientist": "f6c7c914-8db3-469d-8ca1-694a8f32e121",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
}
"""Built-in roles that the caller has, with the ids that they have everywhere."""


def permissions(world: World, asked: Asked) -> Answer:
    """What the caller may do at a scope: all, but what a fault refuses with AuthorizationFailed."""
    from cloudml_azure.double.services import TABLE

    del asked
    denied = {one.action for one in TABLE if one.action and world.faults.denies(f"{one.service}:{one.operation}")}
    return answered(
        {"value": [{"actions": ["*"], "notActions": sorted(denied), "dataActions": ["*"], "notDataActions": []}]}
    )


def assignments(world: World, asked: Asked) -> Answer:
    """The roles of the caller."""
    scope = f"/subscriptions/{world.subscription}/resourceGroups/{world.group}"
    definitions = f"/subscriptions/{world.subscription}/providers/Microsoft.Authorization/roleDefinitions"
    del asked
    return answered(
        {
            "value": [
                {
                    "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{role}",
                    "name": role,
                    "type": "Microsoft.Authorization/roleAssignments",
                    "properties": {
                        "principalId": OBJECT,
                        "principalType": "ServicePrincipal",
                        "scope": scope,
                        "roleDefinitionId": f"{definitions}/{role}",
                    },
                }
                for role in ROLES.values()
            ]
        }
    )


def managed(world: World, asked: Asked) -> Answer:
    return identity.managed(world, asked)


AUTHORIZATION = "/{scope*}/providers/Microsoft.Authorization"
ROUTES = (
    route(
        "GET", f"{AUTHORIZATION}/permissions", "authorization:Permissions_List", permissions,
        action="Microsoft.Authorization/permissions/read",
    ),
    route(
        "GET", f"{AUTHORIZATION}/roleAssignments", "authorization:RoleAssignments_List", assignments,
        action="Microsoft.Authorization/roleAssignments/read",
    ),
    route("POST", "/{tenant}/oauth2/v2.0/token", "login:Token", identity.sign_in),
    route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", "login:Authority", identity.authority),
    route("GET", "/common/discovery/instance", "login:Instances", identity.instances),
    route("GET", "/msi/token", "identity:Token", managed),
)  # fmt: skip
