"""Tags: on every resource of SageMaker, and found again by the Resource Groups Tagging API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double.refusals import Refused, invalid
from cloudml_aws.double.tables import page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.tables import Record
    from cloudml_aws.double.world import World

MOST = 50
PAGE = 100


def _need(world: World, arn: str) -> Record:
    record = world.by_arn(arn)
    if record is None:
        raise invalid(f"The resource {arn} does not exist.")
    return record


def merged(old: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    """Tags with *new* in the place of those with the same key."""
    keys = {tag["Key"] for tag in new}
    return [*(tag for tag in old if tag["Key"] not in keys), *new]


def add(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = _need(world, asked["ResourceArn"])
        tags = merged(record.get("Tags", []), asked["Tags"])
        if len(tags) > MOST:
            raise Refused("ResourceLimitExceeded", f"The resource {asked['ResourceArn']} has more than {MOST} tags.")
        record["Tags"] = tags
    return {"Tags": tags}


def list_(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    return page(list(_need(world, asked["ResourceArn"]).get("Tags", [])), asked, "Tags", MOST)


def delete(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    with world.lock:
        record = _need(world, asked["ResourceArn"])
        record["Tags"] = [tag for tag in record.get("Tags", []) if tag["Key"] not in asked["TagKeys"]]
    return {}


def resources(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """GetResources: everything with the asked tags, in pages; what is too new is not seen while `lag` is on."""
    wanted = asked.get("ResourceARNList")
    found = [
        {"ResourceARN": arn, "Tags": record["Tags"]}
        for arn, record in world.records()
        if record.get("Tags")
        and (not wanted or arn in wanted)
        and _of_type(arn, asked.get("ResourceTypeFilters", ()))
        and _tagged(record["Tags"], asked.get("TagFilters", ()))
        and not world.hidden(arn, record, "lag")
    ]
    found.sort(key=lambda one: one["ResourceARN"])
    token = asked.get("PaginationToken") or ""
    size = min(int(asked.get("ResourcesPerPage") or PAGE), PAGE)
    answer = page(found, {"NextToken": token, "MaxResults": size}, "ResourceTagMappingList")
    return {"PaginationToken": answer.pop("NextToken", ""), **answer}


def _of_type(arn: str, types: list[str]) -> bool:
    service, kind = arn.split(":")[2], arn.split(":")[5].partition("/")[0]
    return not types or f"{service}:{kind}" in types or service in types


def _tagged(tags: list[dict[str, str]], filters: list[dict[str, Any]]) -> bool:
    named = {tag["Key"]: tag["Value"] for tag in tags}
    return all(one["Key"] in named and (not one.get("Values") or named[one["Key"]] in one["Values"]) for one in filters)


OPERATIONS: Mapping[str, Any] = {"AddTags": add, "ListTags": list_, "DeleteTags": delete}
TAGGING: Mapping[str, Any] = {"GetResources": resources}
