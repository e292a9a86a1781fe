"""In the scanner's environment: which IAM actions on standard input do not exist or are bound too loosely."""

from __future__ import annotations

import json
import sys

from policy_sentry.querying.actions import get_action_data

NEVER_BOUND = ("sagemaker:ListModelPackages",)
"""The table knows a resource for it; cloudml's provider for AWS found that SageMaker binds no list."""
NEWER = ("sagemaker:DeleteTrainingJob", "sagemaker:DeleteProcessingJob")
"""Newer than the table; tests/providers/aws compares them with the service's own model."""


def problem(action: str, anywhere: bool) -> str:
    service, _, name = action.partition(":")
    rows = (get_action_data(service, name) or {}).get(service, [])
    if not rows and action in NEWER:
        return ""
    if not rows:
        return f"{action} does not exist"
    bound = {row["resource_arn_format"] for row in rows} - {"*"}
    if anywhere and bound and action not in NEVER_BOUND:
        return f"{action} can be bound to {sorted(bound)}"
    if not anywhere and not bound:
        return f"{action} matches no resource: IAM knows none for it"
    return ""


if __name__ == "__main__":
    found = [problem(one["action"], one["any"]) for one in json.load(sys.stdin)]
    print(json.dumps([one for one in found if one]))
