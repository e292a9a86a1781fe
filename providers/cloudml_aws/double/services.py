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


ALONE = frozenset({
    "application-autoscaling", "logs", "resourcegroupstaggingapi", "sagemaker-runtime", "scheduler", "service-quotas",
})  # fmt: skip
"""Services of which nothing is left to moto, whose answers would be made up."""


def refused(asked: Asked) -> bool:
    """Whether nobody answers."""
    return asked.service in ALONE and not known(asked)


def known(asked: Asked) -> bool:
    """Whether the double answers itself."""
    return asked.operation in SERVICES.get(asked.service, {})


def operation(asked: Asked) -> Any:
    return SERVICES[asked.service][asked.operation]
