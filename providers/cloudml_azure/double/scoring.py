"""Scoring: a request to the deployment whose turn it is, and its answer back, by the rules of the managed front."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

from cloudml_azure.double.refusals import Refused
from cloudml_azure.double.routes import route
from cloudml_azure.double.wire import Answer, answered

if TYPE_CHECKING:
    from cloudml_azure.double.resources import Record
    from cloudml_azure.double.wire import Asked
    from cloudml_azure.double.world import World

HEADER = "azureml-model-deployment"
DROPPED = frozenset({"connection", "content-length", "transfer-encoding", "date", "server", "keep-alive"})
OWN = frozenset(
    {"authorization", "host", "content-length", "connection", "transfer-encoding", "accept-encoding", HEADER}
)
LONGEST_ID = 40
SUCCESS = range(200, 300)


def score(world: World, asked: Asked) -> Answer:
    """Forward a request."""
    name = asked.names["endpoint"]
    endpoint = world.resources.find(f"onlineEndpoints/{name}")
    if endpoint is None:
        raise Refused("ResourceNotFound", f"There is no endpoint {name} in {world.region}.", 404)
    if not _known(world, endpoint, asked):
        return answered(
            {"error": {"code": "Unauthorized", "message": "Invalid credentials: key or token is wrong."}}, 401
        )
    if len(asked.headers.get("x-ms-client-request-id", "")) > LONGEST_ID:
        raise Refused("BadRequest", f"x-ms-client-request-id must have at most {LONGEST_ID} characters.")
    record = _chosen(world, endpoint, asked.headers.get(HEADER, ""))
    if record is None or record["_server"] is None:
        return answered({"error": {"code": "NotFound", "message": "No valid deployments to route to."}}, 404)
    return _asked(record, asked)


def _known(world: World, endpoint: Record, asked: Asked) -> bool:
    """Whether the caller may ask: with a key, or with a token, as the endpoint wants it."""
    given = asked.headers.get("authorization", "").removeprefix("Bearer ")
    if endpoint["properties"]["authMode"] == "Key":
        return given in endpoint["_keys"].values()
    try:
        world.identity.check(given)
    except Refused:
        return False
    return True


def _chosen(world: World, endpoint: Record, wanted: str) -> Record | None:
    """The deployment that was asked for, or one as often as its traffic says."""
    path = f"onlineEndpoints/{endpoint['name']}/deployments"
    if wanted:
        return world.resources.find(f"{path}/{wanted}")
    shares = {name: share for name, share in endpoint.get("_traffic", {}).items() if share > 0}
    if not shares:
        return None
    name = random.choices(list(shares), list(shares.values()))[0]  # noqa: S311  traffic
    return world.resources.find(f"{path}/{name}")


def _asked(record: Record, asked: Asked) -> Answer:
    server, settings = record["_server"], record["properties"]["requestSettings"]
    number = asked.headers.get("x-ms-client-request-id") or str(uuid.uuid4())
    back = {HEADER: record["name"], "x-ms-client-request-id": number, "x-request-id": number}
    if server.pending >= 2 * settings["maxConcurrentRequestsPerInstance"] * record["sku"]["capacity"]:
        return Answer(status=429, headers={**back, "Content-Type": "text/plain"}, body=b"Too many pending requests")
    headers = {name: value for name, value in asked.headers.items() if name not in OWN}
    path = "/" + asked.names["path"]
    try:
        with server.asked():
            status, answer, body = server.ask(
                asked.method, path, asked.body, {**headers, "x-ms-client-request-id": number}
            )
    except TimeoutError:
        return Answer(status=408, headers={**back, "Content-Type": "text/plain"}, body=b"upstream request timeout")
    except OSError as error:
        return _model_error(back, 502, f"upstream connect error: {error}", b"", "text/plain")
    kind = next((value for name, value in answer.items() if name.lower() == "content-type"), "application/json")
    if status not in SUCCESS:
        reason = "model_error" if status != 404 else "not_found"  # noqa: PLR2004  HTTP: Not Found
        return _model_error(back, status, reason, body, kind)
    more = {name: value for name, value in answer.items() if name.lower() not in DROPPED}
    return Answer(status=status, headers={**more, **back}, body=body)


def _model_error(back: dict[str, str], status: int, reason: str, body: bytes, kind: str) -> Answer:
    """What a container answers that is no success comes as 424, with its own status in a header."""
    facts = {"ms-azureml-model-error-statuscode": str(status), "ms-azureml-model-error-reason": reason}
    return Answer(status=424, headers={**back, **facts, "Content-Type": kind}, body=body)


ROUTES = tuple(
    route(method, "/scoring/{endpoint}/{path*}", "scoring:Score", score) for method in ("GET", "POST", "OPTIONS")
)
