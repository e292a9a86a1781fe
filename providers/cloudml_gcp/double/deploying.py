"""Models on endpoints: deployed, changed, taken away, each as an operation that takes its time.

A deployment really starts the container and asks for its health. One that fails leaves nothing behind but its
operation, where the reason stands.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from cloudml.doubles.clock import ClosedError
from cloudml_gcp.double import accounts, behaviour, models, operations, records
from cloudml_gcp.double.refusals import CODES, Refused, invalid, precondition
from cloudml_gcp.double.serving import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.operations import Running
    from cloudml_gcp.double.world import World

ID = re.compile(r"[0-9]{1,10}")
WHOLE = 100
MACHINE = "n1-standard-2"
CHANGEABLE = frozenset({
    "dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count",
    "dedicated_resources.required_replica_count", "dedicated_resources.autoscaling_metric_specs",
    "automatic_resources", "disable_container_logging",
})  # fmt: skip
STAGES = ("PREPARING_MODEL", "CREATING_SERVING_CLUSTER", "GETTING_CONTAINER_IMAGE", "STARTING_MODEL_SERVER")


def split(wanted: Mapping[str, int], known: set[str], new: str = "") -> dict[str, int]:
    """A traffic split, with the id of the new model for "0".

    Raises:
        Refused: It does not sum up to 100, or names a model that is not there.
    """
    found = {(new if key == "0" and new else key): share for key, share in wanted.items()}
    if found and (sum(found.values()) != WHOLE or min(found.values()) < 0):
        raise invalid("traffic_split", "The traffic split percentages must add up to 100.")
    for key in found:
        if key not in known:
            raise invalid("traffic_split", f"The DeployedModel {key} does not exist in the Endpoint.")
    return found


def under_way(world: World, endpoint: str) -> bool:
    """Whether something is being deployed there."""
    return any(
        one.method.rpc == "DeployModel" and not one.message.done and name.startswith(f"{endpoint}/operations/")
        for name, one in world.operations.items()
    )


def deploy(world: World, method: Method, request: Any) -> Any:
    """Begin to deploy a model."""
    endpoint = records.need(world, request.endpoint)
    deployed = copy.deepcopy(request.deployed_model)
    behaviour.clear_output_only(deployed)
    model = _model(world, deployed)
    _check(deployed)
    accounts.act_as(world, deployed.service_account)
    if any(one.id == deployed.id for one in endpoint.deployed_models):
        raise Refused("ALREADY_EXISTS", f"The DeployedModel {deployed.id} already exists in {endpoint.name}.")
    deployed.id = deployed.id or world.identifier(10)
    deployed.model, deployed.model_version_id = model.name.split("@")
    deployed.display_name = deployed.display_name or model.display_name
    known = {one.id for one in endpoint.deployed_models} | {deployed.id}
    traffic = split(request.traffic_split, known, deployed.id)
    operation = operations.begin(world, method, endpoint.name)
    now = copy.deepcopy(operation.message)
    world.clock.work(_deploy, world, operation, (endpoint.name, deployed, model), traffic)
    return now


def _model(world: World, deployed: Any) -> Any:
    if not deployed.model:
        raise invalid("deployed_model.model", "Required field is not set.")
    model = models.resolve(world, deployed.model)
    if not model.HasField("container_spec"):
        raise precondition(f"The Model {model.name} has no container and cannot be deployed.")
    return model


def _check(deployed: Any) -> None:
    """The rules that stand in prose.

    Raises:
        Refused: One is broken.
    """
    field = "deployed_model.dedicated_resources"
    if not deployed.WhichOneof("prediction_resources"):
        raise invalid("deployed_model.prediction_resources", "Required field is not set.")
    if deployed.id and not ID.fullmatch(deployed.id):
        raise invalid("deployed_model.id", f"{deployed.id} must be 1 to 10 digits.")
    if deployed.WhichOneof("prediction_resources") != "dedicated_resources":
        return
    wanted = deployed.dedicated_resources
    wanted.machine_spec.machine_type = wanted.machine_spec.machine_type or MACHINE
    if bool(wanted.machine_spec.accelerator_type) != bool(wanted.machine_spec.accelerator_count):
        raise invalid(f"{field}.machine_spec", "accelerator_type and accelerator_count must be set together.")
    _check_replicas(field, wanted)


def _check_replicas(field: str, wanted: Any) -> None:
    if wanted.min_replica_count < 1:
        raise invalid(f"{field}.min_replica_count", "must be greater than or equal to 1")
    wanted.max_replica_count = wanted.max_replica_count or wanted.min_replica_count
    if wanted.max_replica_count < wanted.min_replica_count:
        raise invalid(f"{field}.max_replica_count", "must not be less than min_replica_count")
    for one in wanted.autoscaling_metric_specs:
        one.target = one.target or 60
        if not 1 <= one.target <= WHOLE:
            raise invalid(f"{field}.autoscaling_metric_specs.target", "must be between 1 and 100")


def _deploy(world: World, operation: Running, what: tuple[str, Any, Any], traffic: dict[str, int]) -> None:
    """A worker's life with one deployment."""
    endpoint, deployed, model = what
    server = Server(world, endpoint, deployed, model)
    try:
        _prepared(world, operation, endpoint, deployed)
        server.start()
        with world.lock:
            operations.failing(world, operation)
            _commit(world, endpoint, deployed, server, traffic)
            _stage(world, operation, "SUCCESSFULLY_DEPLOYED")
            operation.done(world, operation.method.result(deployed_model=deployed))
    except Refused as refusal:
        server.close()
        with world.lock:
            _stage(world, operation, "FAILED_TO_DEPLOY")
            operation.failed(world, refusal)
    except ClosedError:
        server.close()
        raise


def _prepared(world: World, operation: Running, endpoint: str, deployed: Any) -> None:
    """Let the time before the container's start pass.

    Raises:
        Refused: The domain fault `deploy` wants it to fail, or there is no capacity.
    """
    for stage in STAGES:
        _stage(world, operation, stage)
        world.clock.wait(world.latencies["deploy"] / len(STAGES))
    names = (endpoint.rpartition("/")[2], deployed.display_name)
    if (fault := world.domain("deploy", *names)) is not None:
        code = str(fault.facts.get("code", "FAILED_PRECONDITION"))
        assert code in CODES, code
        raise Refused(code, fault.message or "Model server terminated: model server container terminated.")
    if (fault := world.domain("capacity", *names)) is not None:
        kind = deployed.dedicated_resources.machine_spec.machine_type
        text = f"Machine type temporarily unavailable, please deploy with a different machine type or retry: {kind}."
        raise Refused("RESOURCE_EXHAUSTED", fault.message or text)


def _stage(world: World, operation: Running, name: str) -> None:
    field = operation.method.metadata.DESCRIPTOR.fields_by_name.get("deployment_stage")
    if field is not None:
        numbers = field.enum_type.values_by_name
        with world.lock:
            operation.stage(world, deployment_stage=numbers[name].number)


def _commit(world: World, name: str, deployed: Any, server: Server, traffic: dict[str, int]) -> None:
    endpoint = records.need(world, name)
    shares = traffic or ({} if endpoint.deployed_models else {deployed.id: WHOLE})
    deployed.status.available_replica_count = max(1, deployed.dedicated_resources.min_replica_count)
    world.stamp(deployed, "create_time")
    endpoint.deployed_models.append(deployed)
    if shares:
        endpoint.traffic_split.clear()
        endpoint.traffic_split.update(shares)
    world.live[f"server/{name}/{deployed.id}"] = server
    _changed(world, endpoint)


def _changed(world: World, endpoint: Any) -> None:
    records.fresh_etag(world, endpoint)
    world.stamp(endpoint, "update_time")


def _deployed(endpoint: Any, number: str) -> Any:
    found = next((one for one in endpoint.deployed_models if one.id == number), None)
    if found is None:
        raise Refused("NOT_FOUND", f"The DeployedModel {number} is not found in the Endpoint {endpoint.name}.")
    return found


def undeploy(world: World, method: Method, request: Any) -> Any:
    """Begin to take a model away, unless it has traffic that goes nowhere else."""
    endpoint = records.need(world, request.endpoint)
    number = _deployed(endpoint, request.deployed_model_id).id
    known = {one.id for one in endpoint.deployed_models}
    shares = dict(endpoint.traffic_split)
    if request.traffic_split:
        shares = split(request.traffic_split, known)
    if len(known) > 1 and shares.get(number):
        text = f"The DeployedModel {number} has traffic; direct it elsewhere with traffic_split first."
        raise precondition(text)
    operation = operations.begin(world, method, endpoint.name)

    def commit() -> Any:
        here = records.need(world, endpoint.name)
        here.deployed_models.remove(_deployed(here, number))
        left = {key: share for key, share in shares.items() if key != number}
        here.traffic_split.clear()
        here.traffic_split.update(left)
        _changed(world, here)
        world.live.pop(f"server/{endpoint.name}/{number}").close()
        return method.result()

    return operations.later(world, operation, "undeploy", commit)


def mutate(world: World, method: Method, request: Any) -> Any:
    """Begin to change how many replicas a deployed model has."""
    endpoint = records.need(world, request.endpoint)
    new = copy.deepcopy(_deployed(endpoint, request.deployed_model.id))
    records.apply(request.update_mask, request.deployed_model, new, CHANGEABLE)
    _check(new)
    operation = operations.begin(world, method, endpoint.name)

    def commit() -> Any:
        new.status.available_replica_count = max(1, new.dedicated_resources.min_replica_count)
        _deployed(records.need(world, endpoint.name), new.id).CopyFrom(new)
        return method.result(deployed_model=new)

    return operations.later(world, operation, "mutate", commit)
