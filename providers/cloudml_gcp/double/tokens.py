"""Who may ask: service account keys, access tokens that end on the double's clock, and tokens that Google did not make.

A request without credentials is let in, as with the emulators of Google's own. What comes with a token is checked.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.doubles.clock import Clock

LIFE_S = 3599
"""What an access token of Google lives."""
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFUSED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
KEY_ID = "0123456789abcdef0123456789abcdef01234567"


@cache
def key() -> Any:
    """The private key of the service accounts of all doubles in this process."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem() -> str:
    from cryptography.hazmat.primitives import serialization as form

    text = key().private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return str(text.decode())


class Tokens:
    """The access tokens of one double.

    Args:
        account: The address of its service account.
    """

    def __init__(self, clock: Clock, project: str, account: str) -> None:
        self._clock, self._project, self.account = clock, project, account
        self._ends: dict[str, float] = {}
        self._inside: set[str] = set()

    def file(self, url: str) -> dict[str, Any]:
        """The key file of the service account; what leads obstore and google-auth to the double stands in it."""
        return {
            "type": "service_account",
            "project_id": self._project,
            "private_key_id": KEY_ID,
            "private_key": pem(),
            "client_email": self.account,
            "client_id": "100000000000000000001",
            "auth_uri": f"{url}/o/oauth2/auth",
            "token_uri": f"{url}/token",
            "universe_domain": "googleapis.com",
            "gcs_base_url": url,
            "disable_oauth": True,
        }

    def grant(self, *, inside: bool = False) -> dict[str, Any]:
        """A new access token, as the token endpoint answers it, and *inside* of a container the metadata server."""
        token = f"ya29.double.{secrets.token_urlsafe(24)}"
        if inside:
            self._inside.add(token)
        self._ends[token] = self._clock.seconds() + LIFE_S
        return {"access_token": token, "expires_in": LIFE_S, "token_type": "Bearer"}

    def exchange(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The answer to a key file's assertion.

        Raises:
            Refused: It is of nobody; the code is OAuth's.
        """
        if form.get("grant_type") != GRANT:
            raise Refused("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        if not self._signed(form.get("assertion", "")):
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        return self.grant()

    def inside(self, header: str) -> bool:
        """Whether a request comes with the token of a container."""
        return header.partition(" ")[2] in self._inside

    def expire(self) -> None:
        """End every token that was given out."""
        self._ends = dict.fromkeys(self._ends, float("-inf"))

    def check(self, header: str) -> None:
        """Let a request in.

        Raises:
            Refused: Its token is over, or nobody's.
        """
        kind, _, token = header.partition(" ")
        if not token:
            return  # obstore sends the word without a token when it is told not to sign in
        known = self._ends.get(token)
        if kind.lower() != "bearer" or not (self._signed(token) if known is None else known > self._clock.seconds()):
            raise Refused("UNAUTHENTICATED", REFUSED)

    def _signed(self, token: str) -> bool:
        """Whether this is a token that the account's key has signed; its times are those of its maker's clock."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        try:
            head, claims, signature = token.split(".")
            said = json.loads(_bytes(claims))
            signed = f"{head}.{claims}".encode()
            key().public_key().verify(_bytes(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        except (ValueError, InvalidSignature):
            return False
        return bool(said.get("iss") == self.account and said.get("exp", 0) > time.time())


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
