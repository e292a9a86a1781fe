"""The permissions that this provider needs, as data: each action, why, and on what.

docs/aws-permissions.md is written from here, `cloudml provider check` asks about each, and a test compares the list
with what a whole life of a project sends. An action stands with the kinds of resources that IAM binds it to, and with
no other; lists it binds to none. Sources: the service authorization reference of each service; for what an execution
role needs, "Execution Role Permissions" of the calls CreateTrainingJob, CreateProcessingJob and CreateEndpoint in the
SageMaker guide, and for keys of one's own "API Permissions" there; for scaled endpoints, "Auto scaling prerequisites"
there; for schedules, "Setting up Amazon EventBridge Scheduler".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloudml_aws.places import Places
    from cloudml_aws.settings import AwsSettings

SAGEMAKER = "arn:{partition}:sagemaker:{region}:{account}"
BUCKET = "arn:{partition}:s3:::{bucket}"
OBJECTS = "arn:{partition}:s3:::{bucket}/{prefix}/*"
NETWORK = "arn:{partition}:ec2:{region}:{account}"
ALARMS = "arn:{partition}:cloudwatch:{region}:{account}:alarm"
LOGS = "arn:{partition}:logs:{region}:{account}:log-group:/aws/sagemaker/*"
STREAMS = tuple(
    f"arn:{{partition}}:logs:{{region}}:{{account}}:log-group:/aws/sagemaker/{group}"
    for group in (
        "TrainingJobs:log-stream:{project}-*", "ProcessingJobs:log-stream:{short}*",
        "Endpoints/{project}-*:log-stream:*",
    )
)  # fmt: skip
"""The lines of a project's own jobs and endpoints; the groups of jobs belong to the whole account."""
BELOW: Mapping[str, Mapping[str, str]] = {"StringLike": {"s3:prefix": "{prefix}/*"}}
"""Of a bucket only what lies below the project's prefix is listed."""
FOR_SERVICES: Mapping[str, Mapping[str, str]] = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
THROUGH_STORAGE: Mapping[str, Mapping[str, str]] = {"StringLike": {"kms:ViaService": "s3.{region}.*"}}
SCHEDULES = "arn:{partition}:scheduler:{region}:{account}:schedule/default/{project}-*"
SCALABLE = "arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*"
LINKED_ROLE = (
    "arn:{partition}:iam::{account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
ANY = "*"
"""For actions that IAM lets nobody bind to a resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Actions that are granted together.

    Attributes:
        noun: The part of cloudml that needs them.
        actions: As IAM names them.
        resources: Patterns of ARNs, with the names of `values` in braces.
        why: In a few words.
        condition: The condition of the statement, as IAM writes it, with the same names.
        only_with: A setting without which they are not needed.
    """

    noun: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    why: str
    condition: Mapping[str, Mapping[str, str]] | None = None
    only_with: str = ""


def _sagemaker(noun: str, actions: str, kinds: str, why: str) -> Permission:
    return Permission(
        noun=noun,
        actions=tuple(f"sagemaker:{action}" for action in actions.split()),
        resources=tuple(f"{SAGEMAKER}:{kind}" for kind in kinds.split()),
        why=why,
    )


def _pass(role: str, service: str, why: str, only_with: str = "") -> Permission:
    return Permission(
        noun="roles", actions=("iam:PassRole",), resources=(role,), why=why, only_with=only_with,
        condition={"StringEquals": {"iam:PassedToService": service}},
    )  # fmt: skip


TRAINING = "training-job/{project}-*"
PROCESSING = "processing-job/{short}*"
"""The names of a monitor's runs begin with the project's name as far as it fits beside what the scheduler adds."""
MODEL = "model/{project}-*"
GROUP = "model-package-group/{project}-*"
VERSION = "model-package/{project}-*"
CONFIG = "endpoint-config/{project}-*"
ENDPOINT = "endpoint/{project}-*"

CALLER: tuple[Permission, ...] = (
    Permission(
        noun="bucket", actions=("s3:ListBucket",), resources=(BUCKET,), why="to find what lies there", condition=BELOW
    ),
    Permission(noun="bucket", actions=("s3:GetBucketLocation",), resources=(BUCKET,), why="where it lies"),
    Permission(
        noun="bucket", actions=("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
        resources=(OBJECTS,), why="data, code, outputs, reports",
    ),
    Permission(
        noun="bucket", actions=("s3:ListBucketMultipartUploads",), resources=(BUCKET,),
        why="to find interrupted uploads of large files; IAM knows no prefix for it",
    ),
    Permission(
        noun="bucket", actions=("s3:ListMultipartUploadParts",), resources=(OBJECTS,), why="to go on with them"
    ),
    _sagemaker("jobs", "CreateTrainingJob DescribeTrainingJob StopTrainingJob DeleteTrainingJob", TRAINING, "training"),
    _sagemaker(
        "jobs", "CreateProcessingJob DescribeProcessingJob StopProcessingJob DeleteProcessingJob", PROCESSING,
        "jobs without a model, and the runs of monitors",
    ),
    _sagemaker("jobs", "AddTags ListTags", f"{TRAINING} {PROCESSING}", "whose a job is"),
    _sagemaker("models", "CreateModelPackageGroup DeleteModelPackageGroup", GROUP, "a model's versions"),
    _sagemaker(
        "models", "CreateModelPackage DescribeModelPackage DeleteModelPackage", VERSION, "versions and their lineage"
    ),
    _sagemaker("models", "CreateModel DescribeModel DeleteModel", MODEL, "what an endpoint loads"),
    _sagemaker("models", "AddTags ListTags", f"{MODEL} {GROUP}", "whose a model is"),
    _sagemaker("endpoints", "CreateEndpointConfig DescribeEndpointConfig DeleteEndpointConfig", CONFIG, "endpoints"),
    _sagemaker("endpoints", "DescribeEndpoint DeleteEndpoint", ENDPOINT, "endpoints"),
    _sagemaker("endpoints", "CreateEndpoint UpdateEndpoint", f"{ENDPOINT} {CONFIG}", "endpoints"),
    _sagemaker("endpoints", "AddTags ListTags", f"{ENDPOINT} {CONFIG}", "whose an endpoint is"),
    _sagemaker("endpoints", "InvokeEndpoint", ENDPOINT, "requests"),
    Permission(
        noun="endpoints",
        actions=("application-autoscaling:RegisterScalableTarget", "application-autoscaling:DeregisterScalableTarget",
                 "application-autoscaling:PutScalingPolicy"),
        resources=(SCALABLE,), why="endpoints that grow with their traffic",
        condition={"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
    ),
    Permission(
        noun="endpoints",
        actions=("application-autoscaling:DescribeScalableTargets",
                 "application-autoscaling:DescribeScalingPolicies"),
        resources=(ANY,), why="endpoints that grow with their traffic",
    ),
    _sagemaker(
        "endpoints", "UpdateEndpointWeightsAndCapacities", ENDPOINT,
        "autoscaling asks for it before it takes an endpoint on",
    ),
    Permission(
        noun="endpoints", actions=("iam:CreateServiceLinkedRole",), resources=(LINKED_ROLE,),
        why="autoscaling makes its own role with the account's first scaled endpoint",
        condition={"StringLike": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}},
    ),
    Permission(
        noun="endpoints", actions=("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
        resources=(f"{ALARMS}:TargetTracking-endpoint/{{project}}-*",),
        why="the alarms of a scaling policy, which autoscaling makes in the caller's name",
    ),
    Permission(
        noun="endpoints", actions=("cloudwatch:DescribeAlarms",), resources=(f"{ALARMS}:*",),
        why="autoscaling looks for them",
    ),
    Permission(
        noun="monitors",
        actions=("scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule",
                 "scheduler:DeleteSchedule"),
        resources=(SCHEDULES,), why="monitors that run by themselves",
    ),
    Permission(
        noun="logs", actions=("logs:DescribeLogStreams",), resources=(LOGS,), why="which streams there are",
    ),
    Permission(
        noun="logs", actions=("logs:GetLogEvents", "logs:DeleteLogStream"), resources=STREAMS,
        why="what jobs and endpoints print; a job that is deleted takes its lines with it",
    ),
    Permission(
        noun="encryption", actions=("kms:CreateGrant",), resources=("{kms_key}",), only_with="kms_key",
        why="endpoints whose volumes are under a key of one's own", condition=FOR_SERVICES,
    ),
    Permission(
        noun="encryption", actions=("kms:Decrypt",), resources=("{kms_key}",), only_with="kms_key",
        why="outputs under a key of one's own", condition=THROUGH_STORAGE,
    ),
    Permission(
        noun="project",
        actions=("sagemaker:ListTrainingJobs", "sagemaker:ListProcessingJobs", "sagemaker:ListModelPackageGroups",
                 "sagemaker:ListModelPackages", "sagemaker:ListModels", "sagemaker:ListEndpointConfigs",
                 "sagemaker:ListEndpoints", "tag:GetResources"),
        resources=(ANY,), why="to find what a project has there",
    ),
    _pass("{role}", "sagemaker.amazonaws.com", "jobs and endpoints run with it"),
    _pass("{scheduler_role}", "scheduler.amazonaws.com", "the scheduler starts monitors with it"),
)  # fmt: skip
"""What the identity needs that runs cloudml."""

EXECUTION: tuple[Permission, ...] = (
    Permission(
        noun="bucket", actions=("s3:ListBucket",), resources=(BUCKET,), why="to find inputs", condition=BELOW
    ),
    Permission(noun="bucket", actions=("s3:GetBucketLocation",), resources=(BUCKET,), why="where it lies"),
    Permission(
        noun="bucket", actions=("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
        resources=(OBJECTS,), why="inputs, outputs, checkpoints, captured requests",
    ),
    Permission(
        noun="logs",
        actions=("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
        resources=(LOGS,), why="what the container prints",
    ),
    Permission(
        noun="metrics", actions=("cloudwatch:PutMetricData",), resources=(ANY,), why="metrics of jobs and endpoints",
        condition={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
    ),
    Permission(noun="images", actions=("ecr:GetAuthorizationToken",), resources=(ANY,), why="to pull the image"),
    Permission(
        noun="images",
        actions=("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"),
        resources=("arn:{partition}:ecr:{region}:*:repository/*",), why="AWS's images lie in accounts of its own",
    ),
    Permission(
        noun="network",
        actions=("ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs", "ec2:DescribeDhcpOptions", "ec2:DescribeSubnets",
                 "ec2:DescribeSecurityGroups"),
        resources=(ANY,), why="containers inside a VPC", only_with="subnets",
    ),
    Permission(
        noun="network", actions=("ec2:CreateNetworkInterface",),
        resources=(f"{NETWORK}:network-interface/*", f"{NETWORK}:subnet/*", f"{NETWORK}:security-group/*"),
        why="containers inside a VPC", only_with="subnets",
    ),
    Permission(
        noun="network",
        actions=("ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface",
                 "ec2:DeleteNetworkInterfacePermission"),
        resources=(f"{NETWORK}:network-interface/*",), why="containers inside a VPC", only_with="subnets",
    ),
    Permission(
        noun="encryption",
        actions=("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"),
        resources=("{kms_key}",), why="volumes and outputs under a key of one's own", only_with="kms_key",
    ),
    Permission(
        noun="encryption", actions=("kms:CreateGrant",), resources=("{kms_key}",), only_with="kms_key",
        why="volumes under a key of one's own", condition=FOR_SERVICES,
    ),
)  # fmt: skip
"""What the role of `role_arn` needs: jobs and endpoints run with it."""

SCHEDULER: tuple[Permission, ...] = (
    _sagemaker("monitors", "CreateProcessingJob AddTags", PROCESSING, "to start a run"),
    _pass("{role}", "sagemaker.amazonaws.com", "the run works with it"),
)
"""What the role of `scheduler_role_arn` needs, or that of `role_arn` where that is left out."""

CHECKING: tuple[str, ...] = (
    "iam:SimulatePrincipalPolicy", "iam:GetRole", "s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock",
    "servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas",
)  # fmt: skip
"""What `cloudml provider check` uses besides; without them it says what it could not look at."""

TRUSTED = {"role_arn": "sagemaker.amazonaws.com", "scheduler_role_arn": "scheduler.amazonaws.com"}
"""Which service must be allowed to take on which role."""

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "s3:ListObjects": ("s3:ListBucket",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:HeadObject": ("s3:GetObject",),
    "s3:CopyObject": ("s3:GetObject", "s3:PutObject"),
    "s3:DeleteObjects": ("s3:DeleteObject",),
    "s3:CreateMultipartUpload": ("s3:PutObject",),
    "s3:UploadPart": ("s3:PutObject",),
    "s3:ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "s3:ListParts": ("s3:ListMultipartUploadParts",),
    "s3:UploadPartCopy": ("s3:GetObject", "s3:PutObject"),
    "s3:CompleteMultipartUpload": ("s3:PutObject",),
    "s3:GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "s3:GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "sagemaker-runtime:InvokeEndpoint": ("sagemaker:InvokeEndpoint",),
    "resourcegroupstaggingapi:GetResources": ("tag:GetResources",),
    "sts:GetCallerIdentity": (),
}
"""The actions of operations that IAM calls otherwise; everyone may ask who they are."""
IMPLIED = frozenset({
    "sagemaker:AddTags", "s3:GetBucketLocation", "iam:PassRole",
    "cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms",
    "iam:CreateServiceLinkedRole", "sagemaker:UpdateEndpointWeightsAndCapacities", "kms:CreateGrant", "kms:Decrypt",
})  # fmt: skip
"""Actions that no operation of ours is called after: a service asks for them on the way."""


def actions_of(operation: str) -> tuple[str, ...]:
    """The IAM actions that an operation, ``sagemaker:CreateEndpoint``, asks for."""
    return OPERATIONS.get(operation, (operation,))


def values(settings: AwsSettings, places: Places) -> dict[str, str]:
    """What stands for the names in braces."""
    project = places.prefix.rpartition("/")[2]
    return {
        "partition": settings.partition,
        "region": settings.region,
        "account": settings.account,
        "bucket": settings.bucket,
        "prefix": places.prefix,
        "project": project,
        "short": project[:17],
        "role": settings.role_arn,
        "scheduler_role": settings.scheduler_role_arn or settings.role_arn,
        "kms_key": settings.kms_key or "",
    }


def granted_to_caller(settings: AwsSettings) -> frozenset[str]:
    """The actions that this target's caller has."""
    return frozenset(action for one in needed(CALLER, settings) for action in one.actions)


def needed(permissions: Iterable[Permission], settings: AwsSettings) -> Iterator[Permission]:
    """Those that this target needs."""
    return (one for one in permissions if not one.only_with or getattr(settings, one.only_with))


def policy(permissions: Iterable[Permission], named: Mapping[str, str]) -> dict[str, Any]:
    """The IAM policy that grants them, as the document is written."""
    return {"Version": "2012-10-17", "Statement": [_statement(one, named) for one in permissions]}


def _statement(permission: Permission, named: Mapping[str, str]) -> dict[str, Any]:
    said = {
        "Effect": "Allow",
        "Action": sorted(permission.actions),
        "Resource": [pattern.format_map(named) for pattern in permission.resources],
    }
    found = condition(permission, named)
    return said | ({"Condition": found} if found else {})


def condition(permission: Permission, named: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The condition with its names filled in; empty where there is none."""
    return {
        test: {key: value.format_map(named) for key, value in facts.items()}
        for test, facts in (permission.condition or {}).items()
    }
