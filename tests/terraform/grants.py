"""What the roles of an applied example may do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cloudml_aws.permissions as aws

if TYPE_CHECKING:
    from lane import Applied

TABLES_AWS = {"adapter": aws.CALLER, "execution": aws.EXECUTION, "scheduler": aws.SCHEDULER}
"""The role to what the provider says that it needs."""


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(applied: Applied, prefix: str) -> dict[str, str]:
    """What stands for the names in the provider's patterns."""
    profile = applied.profile
    return {
        "partition": "aws", "region": profile["region"], "account": profile["account"]["id"], "prefix": prefix,
        "bucket": profile["storage"]["bucket"], "project": profile["name"], "short": f"{profile['name']}-",
        "role": profile["identities"]["execution"]["id"], "kms_key": profile["encryption"]["key_id"],
        "scheduler_role": profile["settings"]["scheduler_role_arn"],
    }  # fmt: skip


def statements(applied: Applied, role: str) -> list[dict[str, Any]]:
    """What the role may do."""
    inline = [one for one in applied.made("aws_iam_role_policy") if role in {one["name"], one["index"]}]
    managed = [*applied.made("aws_iam_policy")] if role == "adapter" else []
    return [said for one in [*inline, *managed] for said in json.loads(one["values"]["policy"])["Statement"]]
