"""Endpoints: made, listed, given traffic, deleted. What is deployed to them is `deploying`."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import behaviour, deploying, operations, records
from cloudml_gcp.double.refusals import exists, invalid, precondition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.world import World

ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|0|[1-9][0-9]{0,9}")
CHANGEABLE = frozenset({
    "display_name", "description", "labels", "traffic_split", "predict_request_response_logging_config",
    "client_connection_config",
})  # fmt: skip


def create(world: World, method: Method, request: Any) -> Any:
    endpoint = copy.deepcopy(request.endpoint)
    behaviour.clear_output_only(endpoint)
    records.check("endpoint", endpoint)
    if endpoint.traffic_split:
        raise invalid("endpoint.traffic_split", "The traffic split cannot be set when an Endpoint is created.")
    if request.endpoint_id and not ID.fullmatch(request.endpoint_id):
        raise invalid("endpoint_id", f"{request.endpoint_id} does not match {ID.pattern}.")
    _check_logging(endpoint)
    number = request.endpoint_id or world.identifier()
    endpoint.name = f"{records.normal(world, request.parent)}/endpoints/{number}"
    if endpoint.name in world.records or endpoint.name in world.hidden:
        raise exists(endpoint.name)
    world.hidden.add(endpoint.name)
    world.stamp(endpoint, "create_time", "update_time")
    records.fresh_etag(world, endpoint)
    if endpoint.dedicated_endpoint_enabled:
        endpoint.dedicated_endpoint_dns = f"{number}.{world.region}-{world.number}.prediction.vertexai.goog"
    operation = operations.begin(world, method, endpoint.name)

    def commit() -> Any:
        world.records[endpoint.name] = endpoint
        return endpoint

    return operations.later(world, operation, "endpoint", commit, undo=lambda: world.hidden.discard(endpoint.name))


def _check_logging(endpoint: Any) -> None:
    config = endpoint.predict_request_response_logging_config
    if config.enabled and not 0 < config.sampling_rate <= 1:
        field = "endpoint.predict_request_response_logging_config.sampling_rate"
        raise invalid(field, "must be greater than 0 and at most 1")


def get(world: World, _method: Method, request: Any) -> Any:
    return records.need(world, request.name)


def list_(world: World, method: Method, request: Any) -> Any:
    return records.answered(world, method, request, records.within(world, request.parent, "endpoints"))


def update(world: World, _method: Method, request: Any) -> Any:
    """Change an endpoint at once; traffic has to be for models that are deployed, and to sum up to 100."""
    endpoint = records.need(world, request.endpoint.name)
    records.same_etag(request.endpoint.etag, endpoint)
    records.check("endpoint", request.endpoint)
    _check_logging(request.endpoint)
    if "traffic_split" in request.update_mask.paths:
        deploying.split(request.endpoint.traffic_split, {one.id for one in endpoint.deployed_models})
    records.apply(request.update_mask, request.endpoint, endpoint, CHANGEABLE)
    records.fresh_etag(world, endpoint)
    world.stamp(endpoint, "update_time")
    return endpoint


def delete(world: World, method: Method, request: Any) -> Any:
    endpoint = records.need(world, request.name)
    if endpoint.deployed_models or deploying.under_way(world, endpoint.name):
        raise precondition(
            f"The Endpoint {endpoint.name} has deployed or being-deployed DeployedModels; undeploy them first."
        )

    def commit() -> Any:
        world.records.pop(endpoint.name, None)
        world.hidden.discard(endpoint.name)
        return operations.empty()

    return operations.later(world, operations.begin(world, method, endpoint.name), "delete", commit)


HANDLERS: Mapping[str, Callable[[World, Method, Any], Any]] = {
    "CreateEndpoint": create,
    "DeleteEndpoint": delete,
    "DeployModel": deploying.deploy,
    "GetEndpoint": get,
    "ListEndpoints": list_,
    "MutateDeployedModel": deploying.mutate,
    "UndeployModel": deploying.undeploy,
    "UpdateEndpoint": update,
}
