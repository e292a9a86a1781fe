"""Predictions: a deployed model is chosen by its share of the traffic, and its container asked.

An error of the container comes back as FAILED_PRECONDITION, whatever its status was, from predict as from rawPredict.
The words of a container's error are known from users' reports; that a dedicated endpoint refuses to be asked at the
shared host is documented, its words are ours.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import records
from cloudml_gcp.double.refusals import Refused, precondition
from cloudml_gcp.double.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.serving import Server
    from cloudml_gcp.double.wire import Request
    from cloudml_gcp.double.world import World

RAW = frozenset({"RawPredict", "StreamRawPredict"})
LARGEST, LARGEST_DEDICATED = 1_500_000, 10_000_000
"""Bytes of a request and of an answer."""
OK = 200
MANY = 300


def at_home(world: World, name: str, host: str) -> None:
    """Refuse to answer for a dedicated endpoint at any name but its own.

    Raises:
        Refused: It is asked at another.
    """
    endpoint = records.need(world, name)
    own = endpoint.dedicated_endpoint_dns
    asked = host.partition(":")[0]
    if own and asked != own:
        raise precondition(
            f"Dedicated Endpoint cannot be accessed through the shared Vertex AI domain {asked}. Please access the "
            f"endpoint using its dedicated dns name '{own}'."
        )
    if not own and asked.endswith(".prediction.vertexai.goog"):
        raise Refused("NOT_FOUND", f"No endpoint answers at {asked}.")


def _chosen(world: World, name: str) -> tuple[Any, Any, Server]:
    """Endpoint, deployed model and server of the next request.

    Raises:
        Refused: There is none.
    """
    with world.lock:
        endpoint = records.need(world, name)
        shares = [(one, endpoint.traffic_split.get(one.id, 0)) for one in endpoint.deployed_models]
        if not sum(share for _, share in shares):
            raise precondition(f"The Endpoint {endpoint.name} doesn't have traffic_split.")
        deployed = world.chance.choices([one for one, _ in shares], [share for _, share in shares])[0]
        return endpoint, deployed, world.live[f"server/{endpoint.name}/{deployed.id}"]


def _asked(world: World, name: str, body: bytes, kind: str) -> tuple[Any, Any, dict[str, str], bytes]:
    """Endpoint, deployed model, headers and body of a container's answer.

    Raises:
        Refused: It is too large, or the container answers with an error or not at all.
    """
    endpoint, deployed, server = _chosen(world, name)
    most = LARGEST_DEDICATED if endpoint.dedicated_endpoint_enabled else LARGEST
    if len(body) > most:
        raise Refused("INVALID_ARGUMENT", f"Request payload size exceeds the limit: {most} bytes.")
    try:
        status, headers, answer = server.ask("POST", server.predict, body, {"Content-Type": kind})
    except OSError as error:
        raise Refused("UNAVAILABLE", "The model server does not answer.") from error
    if not OK <= status < MANY:
        raise precondition(answer.decode("utf-8", "replace")[:4096] or f"The model server answered {status}.")
    if len(answer) > most:
        raise precondition(f"Response size too large. Received at least {len(answer)} bytes; max is {most}.")
    return endpoint, deployed, headers, answer


def raw(world: World, request: Request, name: str) -> Answer:
    """The answer to rawPredict: the container's own bytes.

    Raises:
        Refused: As `_asked`.
    """
    at_home(world, name, request.host)
    kind = request.headers.get("content-type", "application/json")
    endpoint, deployed, headers, answer = _asked(world, name, request.body, kind)
    small = {key.lower(): value for key, value in headers.items()}
    found = Answer(body=answer, kind=small.get("content-type", "application/json"))
    found.headers["X-Vertex-AI-Endpoint-Id"] = endpoint.name.rpartition("/")[2]
    found.headers["X-Vertex-AI-Deployed-Model-Id"] = deployed.id
    return found


def predict(world: World, method: Method, request: Any) -> Any:
    """The answer to predict; instances and predictions pass through protobuf's Value, where all numbers are doubles."""
    from google.protobuf import json_format

    given: dict[str, Any] = {"instances": [json_format.MessageToDict(one) for one in request.instances]}
    if request.HasField("parameters"):
        given["parameters"] = json_format.MessageToDict(request.parameters)
    body = json.dumps(given).encode()
    _, deployed, _, answer = _asked(world, request.endpoint, body, "application/json")
    said = _object(answer)
    found = method.response(
        deployed_model_id=deployed.id, model=deployed.model, model_version_id=deployed.model_version_id
    )
    found.model_display_name = world.records[f"{deployed.model}@{deployed.model_version_id}"].display_name
    for one in said["predictions"]:
        json_format.ParseDict(one, found.predictions.add())
    return found


def _object(answer: bytes) -> dict[str, Any]:
    try:
        said = json.loads(answer)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("predictions"), list):
        text = answer.decode("utf-8", "replace")[:1024]
        raise precondition(
            f"Invalid response from prediction server - the response field predictions is missing. Response: {text}"
        )
    return said


def raw_predict(world: World, method: Method, request: Any) -> Any:
    """The answer to rawPredict over gRPC."""
    kind = request.http_body.content_type or "application/json"
    _, _, headers, answer = _asked(world, request.endpoint, request.http_body.data, kind)
    small = {key.lower(): value for key, value in headers.items()}
    return method.response(content_type=small.get("content-type", "application/json"), data=answer)


HANDLERS: Mapping[str, Callable[[World, Method, Any], Any]] = {"Predict": predict, "RawPredict": raw_predict}
