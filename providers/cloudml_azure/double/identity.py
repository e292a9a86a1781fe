"""Tokens of Entra ID: made, checked for who may use them and until when, and never signed.

Somebody signs in with a client secret at the authority, a container at its managed identity endpoint (IDENTITY_ENDPOINT
and IDENTITY_HEADER, as App Service and Azure ML's compute have it).
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from cloudml_azure.double.refusals import Refused
from cloudml_azure.double.wire import answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_azure.double.wire import Answer, Asked
    from cloudml_azure.double.world import World

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "99999999-8888-7777-6666-555555555555"
OBJECT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = "not-a-secret"  # noqa: S105  that is what it says
HOUR_S = 3600
STORAGE_VERSION = "2025-05-05"
STORAGE = "https://storage.azure.com"


class Token(NamedTuple):
    """As azure-core's AccessToken."""

    token: str
    expires_on: int


class Credential:
    """A credential for clients in this process: has `get_token` as those of azure-identity."""

    def get_token(self, *scopes: str, **_: Any) -> Token:
        """A token for the scopes."""
        return token(scopes[0] if scopes else "https://management.azure.com/.default")

    def get_token_info(self, *scopes: str, options: Any = None) -> Token:
        """The same, as newer clients ask."""
        del options
        return self.get_token(*scopes)


def token(scope: str, lifetime_s: int = HOUR_S, **claims: Any) -> Token:
    """An unsigned JWT whose audience is that of the scope."""
    now = int(time.time())
    audience = scope.removesuffix("/.default")
    payload = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": now,
        "nbf": now,
        "exp": now + lifetime_s,
        "tid": TENANT,
        "oid": OBJECT,
        "appid": CLIENT,
        **claims,
    }
    parts = [_encoded({"alg": "none", "typ": "JWT"}), _encoded(payload), "c2ln"]
    return Token(".".join(parts), now + lifetime_s)


def _encoded(document: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@lru_cache(maxsize=64)
def decoded(text: str) -> Mapping[str, Any]:
    """What a token says; every request brings the same ones.

    Raises:
        Refused: It is none.
    """
    try:
        body = text.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError) as error:
        raise Refused("InvalidAuthenticationToken", "The access token is invalid.", 401) from error
    return found if isinstance(found, dict) else {}


@dataclass(slots=True)
class Identity:
    """Who may ask.

    Attributes:
        header: The value that a container sends to its managed identity endpoint.
    """

    tenant: str = TENANT
    header: str = field(default_factory=lambda: uuid.uuid4().hex)

    def check(self, text: str, *, storage: bool = False) -> None:
        """Refuse a token that is over, or for another audience.

        Raises:
            Refused: In the words of the service that was asked.
        """
        claims = decoded(text)
        if float(claims.get("exp", 0)) < time.time():
            if storage:
                raise Refused("InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired.", 401)
            raise Refused(
                "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.", 401
            )
        audience = str(claims.get("aud", ""))
        is_storage = audience.startswith(STORAGE) or ".blob." in audience
        if storage and not is_storage:
            raise Refused("InvalidAuthenticationInfo", "Audience validation failed. Audience did not match.", 401)
        if is_storage and not storage:
            raise Refused(
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{audience}'.",
                401,
            )


def of_run(header: str) -> bool:
    """Whether a header brings the token of a run, which its containers have."""
    try:
        return "run" in decoded(header.removeprefix("Bearer "))
    except Refused:
        return False


def sas(hours: float = 8.0, permissions: str = "racwdl") -> str:
    """A token that opens a container for a while."""
    expiry = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"sv={STORAGE_VERSION}&se={expiry.replace(':', '%3A')}&sr=c&sp={permissions}&sig={uuid.uuid4().hex}"


def sign_in(world: World, asked: Asked) -> Answer:
    """A token for a client secret (OAuth 2.0, version 2 of the endpoint)."""
    given = dict(parse_qsl(asked.body.decode()))
    if given.get("client_secret") != SECRET or given.get("client_id") != CLIENT:
        return answered(
            {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}, 401
        )
    del world
    found = token(given.get("scope", ""))
    return answered(
        {"token_type": "Bearer", "expires_in": HOUR_S, "ext_expires_in": HOUR_S, "access_token": found.token}
    )


def authority(world: World, asked: Asked) -> Answer:
    """Where tokens are to be had (OpenID Connect discovery)."""
    base = f"{asked.origin}/{world.identity.tenant}"
    return answered(
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "issuer": f"{base}/v2.0",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }
    )


def instances(world: World, asked: Asked) -> Answer:
    """Which authorities are known (instance discovery)."""
    del world
    host = asked.host
    aliases = sorted({host, "login.microsoftonline.com", "login.windows.net", "sts.windows.net"})
    metadata = {"preferred_network": host, "preferred_cache": "login.windows.net", "aliases": aliases}
    discovery = f"{asked.origin}/{TENANT}/v2.0/.well-known/openid-configuration"
    return answered({"tenant_discovery_endpoint": discovery, "api-version": "1.1", "metadata": [metadata]})


def managed(world: World, asked: Asked) -> Answer:
    """A token for what runs in a container; its expiry is text, in seconds since 1970.

    Raises:
        Refused: It was not asked from a container.
    """
    if asked.headers.get("x-identity-header", asked.headers.get("secret")) != world.identity.header:
        raise Refused("Unauthorized", "The identity header is missing or wrong.", 401)
    found = token(asked.query.get("resource", ""))
    return answered(
        {
            "access_token": found.token,
            "expires_on": str(found.expires_on),
            "resource": asked.query.get("resource", ""),
            "token_type": "Bearer",
            "client_id": CLIENT,
        }
    )
