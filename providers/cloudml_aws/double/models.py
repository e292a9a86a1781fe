"""Models and endpoint configurations: records that endpoints are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double.objects import split
from cloudml_aws.double.refusals import invalid
from cloudml_aws.double.tables import chosen, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World


def create_model(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    containers = [*([asked["PrimaryContainer"]] if "PrimaryContainer" in asked else []), *asked.get("Containers", ())]
    if not containers:
        raise invalid("You must provide PrimaryContainer or Containers.")
    for one in containers:
        _check_container(world, one)
    return {"ModelArn": _add(world, "model", "ModelName", asked, "model")["_arn"]}


def _check_container(world: World, container: Mapping[str, Any]) -> None:
    resolved = resolve(world, container)
    if not resolved.get("Image"):
        raise invalid("Container definition must have an Image or a ModelPackageName.")
    uri = model_data(resolved)
    if uri and not world.objects.keys(uri):
        raise invalid(f"Could not find model data at {uri}.")


def model_data(container: Mapping[str, Any]) -> str:
    """The address of a container's model; empty when it has none."""
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return str(container.get("ModelDataUrl") or source.get("S3Uri") or "")


def resolve(world: World, container: Mapping[str, Any]) -> dict[str, Any]:
    """A container with what its model package says.

    Raises:
        Refused: The package is missing, or not approved.
    """
    name = container.get("ModelPackageName")
    if not name:
        return dict(container)
    package = world.need("model-package", name)
    if package.get("ModelApprovalStatus", "Approved") != "Approved":
        raise invalid(f"ModelPackage {name} is not approved: its status is {package['ModelApprovalStatus']}.")
    inner = package["InferenceSpecification"]["Containers"][0]
    environment = {**inner.get("Environment", {}), **container.get("Environment", {})}
    return {**inner, **container, "Environment": environment}


def create_config(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    for variant in asked["ProductionVariants"]:
        if "ModelName" in variant:
            world.need("model", variant["ModelName"])
        if "ServerlessConfig" not in variant and not variant.get("InstanceType"):
            raise invalid(f"Production variant {variant['VariantName']} must have an InstanceType.")
    names = [variant["VariantName"] for variant in asked["ProductionVariants"]]
    if len(set(names)) < len(names):
        raise invalid("Variant names must be unique within an endpoint configuration.")
    capture = asked.get("DataCaptureConfig")
    if capture and not world.objects.has_bucket(split(capture["DestinationS3Uri"])[0]):
        raise invalid(f"The S3 bucket of DestinationS3Uri {capture['DestinationS3Uri']} does not exist.")
    record = _add(world, "endpoint-config", "EndpointConfigName", asked, "endpoint configuration")
    return {"EndpointConfigArn": record["_arn"]}


def _add(world: World, kind: str, key: str, asked: Mapping[str, Any], words: str) -> Record:
    name = asked[key]
    with world.lock:
        arn = world.arn("sagemaker", kind, name)
        if name in world.table(kind):
            raise invalid(f'Cannot create already existing {words} "{arn}".')
        arns = {"_arn": arn, key.replace("Name", "Arn"): arn}
        return world.table(kind).add(name, {**asked, **arns, "CreationTime": world.clock.now()})


def _describe(kind: str, key: str) -> Any:
    return lambda world, asked: dict(world.need(kind, asked[key]))


def _list(kind: str, key: str, listed: str) -> Any:
    def operation(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
        records = [record for record in world.table(kind) if not world.hidden(record[key], record, "lag")]
        return page(chosen(records, asked, name=key, status=""), asked, listed)

    return operation


def _delete(kind: str, key: str) -> Any:
    def operation(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
        with world.lock:
            world.need(kind, asked[key])
            _refuse_used(world, kind, asked[key])
            world.table(kind).remove(asked[key])
        return {}

    return operation


def _refuse_used(world: World, kind: str, name: str) -> None:
    """AWS lets models go that are used, and configurations of endpoints that are not in the midst of a change."""
    if kind != "endpoint-config":
        return
    for endpoint in world.table("endpoint"):
        if endpoint["EndpointConfigName"] == name and endpoint["EndpointStatus"] in {"Creating", "Updating"}:
            arn = world.arn("sagemaker", kind, name)
            raise invalid(
                f'Cannot delete endpoint configuration "{arn}" while it is in use by an endpoint in progress.'
            )


OPERATIONS: Mapping[str, Any] = {
    "CreateModel": create_model,
    "DescribeModel": _describe("model", "ModelName"),
    "ListModels": _list("model", "ModelName", "Models"),
    "DeleteModel": _delete("model", "ModelName"),
    "CreateEndpointConfig": create_config,
    "DescribeEndpointConfig": _describe("endpoint-config", "EndpointConfigName"),
    "ListEndpointConfigs": _list("endpoint-config", "EndpointConfigName", "EndpointConfigs"),
    "DeleteEndpointConfig": _delete("endpoint-config", "EndpointConfigName"),
}
