"""Asking an app without a socket, and reading its refusals. No test of its own."""

from __future__ import annotations

import asyncio
import json
import textwrap
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.applications import Starlette


def write(path: Path, text: str) -> Path:
    path.write_text(textwrap.dedent(text))
    return path


def together(app: Starlette, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
    """The answers to requests that are sent at the same moment."""

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await asyncio.gather(*(client.request(method, path, **said) for method, path, said in requests))

    return asyncio.run(send())


def get(app: Starlette, path: str) -> httpx.Response:
    return together(app, ("GET", path, {}))[0]


def post(app: Starlette, body: Any, path: str = "/invocations", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
    return together(app, ("POST", path, {"content": content, "headers": headers}))[0]


def error(response: httpx.Response, status: int = 400) -> dict[str, Any]:
    """The error in a response of that status: in one object, or flat where the Open Inference Protocol is spoken."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    found: dict[str, Any] = response.json()
    if response.request.url.path.startswith("/v2/"):
        found = {**found, "message": found["error"]}
        assert isinstance(found["message"], str)
    else:
        found = found["error"]
    assert found["request_id"] == response.headers["x-request-id"]
    return found
