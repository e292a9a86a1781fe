"""Which operation is answered by which function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml_aws.double import (
    accounts,
    endpoints,
    journal,
    models,
    monitoring,
    processing,
    registry,
    scaling,
    schedules,
    searching,
    tags,
    training,
    tuning,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml_aws.double.wire import Asked

SERVICES: Mapping[str, Mapping[str, Any]] = {
    "sagemaker": {
        **training.OPERATIONS,
        **processing.OPERATIONS,
        **models.OPERATIONS,
        **endpoints.OPERATIONS,
        **registry.OPERATIONS,
        **tags.OPERATIONS,
        **searching.OPERATIONS,
        **tuning.OPERATIONS,
        **monitoring.OPERATIONS,
    },
    "sagemaker-runtime": {"InvokeEndpoint": None},
    "application-autoscaling": scaling.OPERATIONS,
    "scheduler": schedules.OPERATIONS,
    "logs": journal.OPERATIONS,
    "resourcegroupstaggingapi": tags.TAGGING,
    "sts": accounts.STS,
    "iam": accounts.IAM,
    "service-quotas": accounts.QUOTAS,
}


def known(asked: Asked) -> bool:
    """Whether the double answers itself."""
    return asked.operation in SERVICES.get(asked.service, {})


def operation(asked: Asked) -> Any:
    return SERVICES[asked.service][asked.operation]
