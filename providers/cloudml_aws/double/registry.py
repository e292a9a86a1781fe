"""The model registry: groups, and versions in them, which the service counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double.refusals import Refused, invalid
from cloudml_aws.double.tables import chosen, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

GROUP, PACKAGE = "model-package-group", "model-package"
CHANGED = ("ModelApprovalStatus", "ApprovalDescription", "SourceUri")
DEFAULT_APPROVAL = "PendingManualApproval"


def create_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    name = asked["ModelPackageGroupName"]
    with world.lock:
        arn = world.arn("sagemaker", GROUP, name)
        if name in world.table(GROUP):
            raise invalid(f"Model Package Group already exists: {arn}")
        own = {"_arn": arn, "ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed", "_last": 0}
        by = {"CreatedBy": {}, "CreationTime": world.clock.now()}
        world.table(GROUP).add(name, {**asked, **own, **by})
    return {"ModelPackageGroupArn": arn}


def group_name(text: str) -> str:
    """The name in a name or an ARN."""
    return text.rpartition("/")[2]


def describe_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    return dict(world.need(GROUP, group_name(asked["ModelPackageGroupName"])))


def list_groups(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    records = [one for one in world.table(GROUP) if not world.hidden(one["ModelPackageGroupName"], one, "lag")]
    found = chosen(records, asked, name="ModelPackageGroupName", status="")
    return page(found, asked, "ModelPackageGroupSummaryList")


def delete_group(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    name = group_name(asked["ModelPackageGroupName"])
    with world.lock:
        record = world.need(GROUP, name)
        if any(one.get("ModelPackageGroupName") == record["ModelPackageGroupName"] for one in world.table(PACKAGE)):
            words = f"Cannot delete model package group {record['_arn']}: it contains model packages."
            raise Refused("ConflictException", words)
        world.table(GROUP).remove(name)
    return {}


def create(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Register a version; a second request with the same ClientToken makes none."""
    with world.lock:
        token = asked.get("ClientToken")
        for one in world.table(PACKAGE):
            if token and one.get("_token") == token:
                return {"ModelPackageArn": one["_arn"]}
        record = _versioned(world, asked) if "ModelPackageGroupName" in asked else _unversioned(world, asked)
        now = world.clock.now()
        own = {"_token": token, "CreationTime": now, "LastModifiedTime": now, "ModelPackageStatus": "Completed"}
        details: dict[str, Any] = {"ValidationStatuses": [], "ImageScanStatuses": []}
        record = {**asked, **record, **own, "ModelPackageStatusDetails": details, "CreatedBy": {}}
        record.pop("ClientToken", None)
        world.table(PACKAGE).add(record["_arn"], record)
    return {"ModelPackageArn": record["_arn"]}


def _versioned(world: World, asked: Mapping[str, Any]) -> Record:
    if "ModelPackageName" in asked:
        raise invalid("Both ModelPackageName and ModelPackageGroupName cannot be specified.")
    if asked.get("Tags"):
        raise invalid("Tags cannot be set for a model package version; set them on its model package group.")
    group = world.need(GROUP, group_name(asked["ModelPackageGroupName"]))
    group["_last"] += 1
    name, version = group["ModelPackageGroupName"], group["_last"]
    arn = f"{world.arn('sagemaker', PACKAGE, name)}/{version}"
    approval = {"ModelApprovalStatus": asked.get("ModelApprovalStatus", DEFAULT_APPROVAL)}
    own = {"_arn": arn, "ModelPackageArn": arn, "ModelPackageGroupName": name, "ModelPackageVersion": version}
    return {**own, **approval}


def _unversioned(world: World, asked: Mapping[str, Any]) -> Record:
    name = asked.get("ModelPackageName")
    if not name:
        raise invalid("ModelPackageName or ModelPackageGroupName must be provided.")
    arn = world.arn("sagemaker", PACKAGE, name)
    if arn in world.table(PACKAGE):
        raise invalid(f"Model Package already exists: {arn}")
    return {"_arn": arn, "ModelPackageArn": arn}


def key(world: World, text: str) -> str:
    """Under which a package stands: its ARN, which a name also tells."""
    return text if text.startswith("arn:") else world.arn("sagemaker", PACKAGE, text)


def describe(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    return dict(world.need(PACKAGE, key(world, asked["ModelPackageName"])))


def batch_describe(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    found, errors = {}, {}
    for arn in asked["ModelPackageArnList"]:
        record = world.table(PACKAGE).get(arn)
        if record is None:
            errors[arn] = {"ErrorCode": "ValidationException", "ErrorResponse": f"ModelPackage {arn} does not exist."}
        else:
            found[arn] = record
    return {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": errors}


def list_(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Without a group and a type only packages without a version, as AWS does."""
    group = asked.get("ModelPackageGroupName")
    kind = asked.get("ModelPackageType") or ("Versioned" if group else "Unversioned")
    if group:
        world.need(GROUP, group_name(group))
    approval = asked.get("ModelApprovalStatus")
    records = [
        one
        for one in world.table(PACKAGE)
        if _of_kind(one, kind)
        and (not group or one.get("ModelPackageGroupName") == group_name(group))
        and approval in {None, one.get("ModelApprovalStatus")}
        and not world.hidden(one["_arn"], one, "lag")
    ]
    name = "ModelPackageGroupName" if kind == "Versioned" else "ModelPackageName"
    found = chosen(records, asked, name=name, status="ModelPackageStatus")
    return page(found, asked, "ModelPackageSummaryList")


def _of_kind(record: Record, kind: str) -> bool:
    return kind == "Both" or (kind == "Versioned") == ("ModelPackageVersion" in record)


def update(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = world.need(PACKAGE, asked["ModelPackageArn"])
        gone = set(asked.get("CustomerMetadataPropertiesToRemove", ()))
        metadata = {**record.get("CustomerMetadataProperties", {}), **asked.get("CustomerMetadataProperties", {})}
        said = {
            name: asked[name] for name in ("ModelApprovalStatus", "ApprovalDescription", "SourceUri") if name in asked
        }
        kept = {name: value for name, value in metadata.items() if name not in gone}
        record.update(said, CustomerMetadataProperties=kept, LastModifiedTime=world.clock.now())
    return {"ModelPackageArn": record["_arn"]}


def delete(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        arn = key(world, asked["ModelPackageName"])
        world.need(PACKAGE, arn)
        world.table(PACKAGE).remove(arn)
    return {}


OPERATIONS: Mapping[str, Any] = {
    "CreateModelPackageGroup": create_group,
    "DescribeModelPackageGroup": describe_group,
    "ListModelPackageGroups": list_groups,
    "DeleteModelPackageGroup": delete_group,
    "CreateModelPackage": create,
    "DescribeModelPackage": describe,
    "BatchDescribeModelPackage": batch_describe,
    "ListModelPackages": list_,
    "UpdateModelPackage": update,
    "DeleteModelPackage": delete,
}
