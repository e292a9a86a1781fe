"""Who asks, what they may do, and how much of it: STS, IAM's simulation and Service Quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zlib import crc32

from cloudml_aws.double.refusals import Refused
from cloudml_aws.double.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.world import World

USER = "AIDACLOUDMLDOUBLE"
QUOTA = 20.0
TRUST = quote(
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": '
    '{"Service": ["sagemaker.amazonaws.com", "scheduler.amazonaws.com"]}}]}'
)
"""Who may take on the role, encoded as IAM sends it."""
PURPOSES = ("training job usage", "spot training job usage", "processing job usage", "endpoint usage")


def identity(world: World, asked: Mapping[str, Any]) -> Answer:
    del asked
    inner = (
        f"<Arn>arn:aws:iam::{world.account}:user/cloudml</Arn><UserId>{USER}</UserId><Account>{world.account}</Account>"
    )
    return _answer("GetCallerIdentity", inner, "https://sts.amazonaws.com/doc/2011-06-15/")


def simulate(world: World, asked: Mapping[str, Any]) -> Answer:
    """Every action is allowed but those for which a fault answers AccessDenied."""
    actions = [value for key, value in sorted(asked.items()) if key.startswith("ActionNames.member.")]
    inner = "".join(f"<member>{_evaluated(world, action)}</member>" for action in actions)
    inner = f"<EvaluationResults>{inner}</EvaluationResults><IsTruncated>false</IsTruncated>"
    return _answer("SimulatePrincipalPolicy", inner, "https://iam.amazonaws.com/doc/2010-05-08/")


def _evaluated(world: World, action: str) -> str:
    decision = "implicitDeny" if world.faults.denies(action) else "allowed"
    return (
        f"<EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision><MatchedStatements/><MissingContextValues/>"
    )


def role(world: World, asked: Mapping[str, Any]) -> Answer:
    """The execution role, and no other."""
    name = world.role_arn.rpartition("/")[2]
    if asked.get("RoleName") != name:
        words = f"The role with name {asked.get('RoleName')} cannot be found."
        raise Refused("NoSuchEntity", words, 404)
    inner = (
        f"<Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>AROACLOUDMLDOUBLE</RoleId><Arn>{world.role_arn}</Arn>"
        f"<AssumeRolePolicyDocument>{TRUST}</AssumeRolePolicyDocument>"
        "<CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
    )
    return _answer("GetRole", inner, "https://iam.amazonaws.com/doc/2010-05-08/")


def _answer(operation: str, inner: str, namespace: str) -> Answer:
    text = (
        f'<{operation}Response xmlns="{namespace}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>double</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Answer(headers={"Content-Type": "text/xml"}, body=text.encode())


def quotas(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The quotas of SageMaker's instances; the domain fault `quota` (about: the quota's name) says other values."""
    names = [f"{kind} for {purpose}" for kind in instances() for purpose in PURPOSES]
    start, count = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or 100)
    more = {"NextToken": str(start + count)} if start + count < len(names) else {}
    return {"Quotas": [_quota(world, name) for name in names[start : start + count]], **more}


def instances() -> list[str]:
    """The instance types of the service model."""
    from cloudml_aws.clients import service_model

    found: list[str] = service_model("sagemaker").shape_for("TrainingInstanceType").enum
    return found


def code(name: str) -> str:
    """The code of a quota: made up, but always the same."""
    return f"L-{crc32(name.encode()):08X}"


def quota(world: World, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One quota by its code."""
    for kind in instances():
        for purpose in PURPOSES:
            if code(f"{kind} for {purpose}") == asked["QuotaCode"]:
                return {"Quota": _quota(world, f"{kind} for {purpose}")}
    raise Refused("NoSuchResourceException", "The request failed because the specified quota does not exist.", 400)


def _quota(world: World, name: str) -> dict[str, Any]:
    fault = world.domain("quota", name)
    return {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaName": name,
        "QuotaCode": code(name),
        "QuotaArn": f"{world.arn('servicequotas', 'sagemaker')}",
        "Value": float(fault.facts.get("value", 0)) if fault else QUOTA,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


STS: Mapping[str, Any] = {"GetCallerIdentity": identity}
IAM: Mapping[str, Any] = {"SimulatePrincipalPolicy": simulate, "GetRole": role}
QUOTAS: Mapping[str, Any] = {
    "GetServiceQuota": quota,
    "ListServiceQuotas": quotas,
    "ListAWSDefaultServiceQuotas": quotas,
}
