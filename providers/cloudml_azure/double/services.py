"""All routes of the double, in the order in which they are tried."""

from __future__ import annotations

from cloudml_azure.double import (
    access,
    assets,
    deployments,
    endpoints,
    history,
    jobs,
    operations,
    scaling,
    schedules,
    scoring,
    tracking,
    workspace,
)
from cloudml_azure.double.routes import Table, route

PLACE = "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
OPERATIONS = (
    route("GET", f"{PLACE}/mfeOperationsStatus/{{operation}}", "Operations_Status", operations.status),
    route("GET", f"{PLACE}/mfeOperationResults/{{operation}}", "Operations_Result", operations.result),
)
MODULES = (
    access, workspace, assets, jobs, history, tracking, endpoints, deployments, scoring, schedules, scaling,
)  # fmt: skip
TABLE = Table((*OPERATIONS, *(one for module in MODULES for one in module.ROUTES)))
