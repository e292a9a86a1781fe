"""All routes of the double, in the order in which they are tried."""

from __future__ import annotations

from cloudml_azure.double import access, assets, history, jobs, operations, tracking, workspace
from cloudml_azure.double.routes import Table, route

PLACE = "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
OPERATIONS = (
    route("GET", f"{PLACE}/mfeOperationsStatus/{{operation}}", "Operations_Status", operations.status),
    route("GET", f"{PLACE}/mfeOperationResults/{{operation}}", "Operations_Result", operations.result),
)
TABLE = Table(
    (*OPERATIONS, *access.ROUTES, *workspace.ROUTES, *assets.ROUTES, *jobs.ROUTES, *history.ROUTES, *tracking.ROUTES)
)
