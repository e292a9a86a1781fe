"""Objects of Cloud Storage from inside a container, with Python's own library: its JSON API, and the metadata server.

STORAGE_EMULATOR_HOST leads elsewhere, and then no token is sent, as Google's own clients do it.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Dict, Tuple
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

HOST = "https://storage.googleapis.com"
EMULATOR = "STORAGE_EMULATOR_HOST"
TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105  a path
ANSWER_S = 60
EARLY_S = 120
"""A token is asked for anew so long before it ends."""
MISSING = 404


class Objects:
    """The objects that this container's service account may reach."""

    def __init__(self) -> None:
        host = os.environ.get(EMULATOR, "")
        self._host = (host if "://" in host else "http://" + host) if host else HOST
        self._token: Tuple[str, float] = ("", 0.0)

    def read(self, uri: str) -> "bytes | None":
        """What lies at ``gs://bucket/path``; None where nothing does."""
        bucket, path = parts(uri)
        try:
            return self._answer("/storage/v1/b/%s/o/%s?alt=media" % (bucket, quote(path, safe="")))
        except HTTPError as error:
            if error.code == MISSING:
                return None
            raise

    def write(self, uri: str, content: bytes, content_type: str) -> None:
        """Put *content* there."""
        bucket, path = parts(uri)
        place = "/upload/storage/v1/b/%s/o?uploadType=media&name=%s" % (bucket, quote(path, safe=""))
        self._answer(place, content, {"Content-Type": content_type})

    def _answer(self, path: str, body: "bytes | None" = None, headers: "Dict[str, str] | None" = None) -> bytes:
        request = Request(self._host + path, data=body, headers={**(headers or {}), **self._signed()})  # noqa: S310
        with urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310  the host is Google's or the emulator's
            return bytes(answer.read())

    def _signed(self) -> "Dict[str, str]":
        if self._host != HOST:
            return {}
        token, ends = self._token
        if time.time() > ends - EARLY_S:
            said = _metadata(TOKEN)
            token, ends = said["access_token"], time.time() + float(said["expires_in"])
            self._token = (token, ends)
        return {"Authorization": "Bearer " + token}


def parts(uri: str) -> "Tuple[str, str]":
    """Bucket and path of an address."""
    bucket, _, path = uri[len("gs://") :].partition("/")
    return bucket, path


def _metadata(path: str) -> Any:
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    request = Request("http://" + host + path, headers={"Metadata-Flavor": "Google"})
    with urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
        return json.load(answer)
