"""Custom jobs: taken on, looked at, listed, cancelled, deleted. What becomes of them is `training`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import accounts, behaviour, operations, pools, records, training
from cloudml_gcp.double.refusals import Refused, precondition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudml_gcp.double.contract import Method
    from cloudml_gcp.double.world import World

CPUS = "aiplatform.googleapis.com/custom_model_training_cpus"


def create(world: World, _method: Method, request: Any) -> Any:
    """Take a custom job on; the answer is the job, with an id of the service's own."""
    job = copy.deepcopy(request.custom_job)
    behaviour.clear_output_only(job)
    pools.check_job(job)
    accounts.act_as(world, job.job_spec.service_account)
    fault = world.domain("allocation", job.display_name)
    if fault is not None:
        raise Refused("RESOURCE_EXHAUSTED", fault.message or over_quota())
    job.name = f"{records.normal(world, request.parent)}/customJobs/{world.identifier()}"
    job.state = training.state("PENDING")
    world.stamp(job, "create_time", "update_time")
    world.records[job.name] = job
    training.begin(world, job)
    return copy.deepcopy(job)


def over_quota(metric: str = CPUS) -> str:
    return f"The following quota metrics exceed quota limits: {metric}"


def get(world: World, _method: Method, request: Any) -> Any:
    return records.need(world, request.name)


def list_(world: World, method: Method, request: Any) -> Any:
    return records.answered(world, method, request, records.within(world, request.parent, "customJobs"))


def cancel(world: World, _method: Method, request: Any) -> Any:
    """Ask a job to stop; of one that has ended it is no error."""
    job = records.need(world, request.name)
    if job.state not in training.over():
        training.cancel(world, job)
    return operations.empty()


def delete(world: World, method: Method, request: Any) -> Any:
    job = records.need(world, request.name)
    if job.state not in training.over():
        raise precondition(f"The CustomJob {job.name} is still running and cannot be deleted; cancel it first.")

    def commit() -> Any:
        world.records.pop(job.name, None)
        return operations.empty()

    return operations.later(world, operations.begin(world, method, job.name), "delete", commit)


HANDLERS: Mapping[str, Callable[[World, Method, Any], Any]] = {
    "CancelCustomJob": cancel,
    "CreateCustomJob": create,
    "DeleteCustomJob": delete,
    "GetCustomJob": get,
    "ListCustomJobs": list_,
}
