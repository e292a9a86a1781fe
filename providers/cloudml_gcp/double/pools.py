"""The rules of worker pools that stand in prose alone, and what a container of a pool is told.

Sources: the comments of the protos (WorkerPoolSpec, ContainerSpec, Scheduling), the documentation of custom training
(environment variables, CLUSTER_SPEC), and Kubernetes' rule for ``$(NAME)`` in commands.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cloudml_gcp.double import records
from cloudml_gcp.double.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudml_gcp.double.world import World

IMAGE = re.compile(r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)/.+")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_ARGUMENTS = 100_000
MOST_VARIABLES = 100
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


def check(field: str, pools: Sequence[Any]) -> None:
    """Hold worker pools against the rules.

    Raises:
        Refused: One is broken.
    """
    for number, pool in enumerate(pools):
        if number == 0 or pool.ByteSize():
            _check_pool(f"{field}[{number}]", pool, first=number == 0)


def _check_pool(field: str, pool: Any, *, first: bool) -> None:
    if not pool.WhichOneof("task"):
        raise invalid(field, "One of container_spec and python_package_spec must be set.")
    if not pool.machine_spec.machine_type:
        raise invalid(f"{field}.machine_spec.machine_type", "Required field is not set.")
    if first and pool.replica_count != 1:
        raise invalid(f"{field}.replica_count", "The replica count of the first worker pool must be exactly 1.")
    if pool.replica_count < 1:
        raise invalid(f"{field}.replica_count", "The replica count must be at least 1.")
    if bool(pool.machine_spec.accelerator_type) != bool(pool.machine_spec.accelerator_count):
        text = "accelerator_type and accelerator_count must be set together."
        raise invalid(f"{field}.machine_spec.accelerator_count", text)
    task = pool.WhichOneof("task")
    _check_task(f"{field}.{task}", getattr(pool, task))


def _check_task(field: str, task: Any) -> None:
    image = task.image_uri if hasattr(task, "image_uri") else task.executor_image_uri
    if not IMAGE.fullmatch(image):
        raise invalid(f"{field}.image_uri", f"{image} is not an image of Artifact Registry or Container Registry.")
    if sum(map(len, task.args)) > LONGEST_ARGUMENTS:
        raise invalid(f"{field}.args", f"The arguments have more than {LONGEST_ARGUMENTS} characters.")
    if len(task.env) > MOST_VARIABLES:
        raise invalid(f"{field}.env", f"There are more than {MOST_VARIABLES} variables.")
    for number, one in enumerate(task.env):
        if not VARIABLE.fullmatch(one.name):
            raise invalid(f"{field}.env[{number}].name", f"{one.name} is not a valid C identifier.")


def check_job(job: Any) -> None:
    """Hold a custom job against the rules.

    Raises:
        Refused: One is broken.
    """
    records.check("custom_job", job)
    check("custom_job.job_spec.worker_pool_specs", job.job_spec.worker_pool_specs)
    prefix = job.job_spec.base_output_directory.output_uri_prefix
    if prefix:
        records.artifact("custom_job.job_spec.base_output_directory.output_uri_prefix", prefix)
    if job.job_spec.scheduling.timeout.seconds < 0:
        raise invalid("custom_job.job_spec.scheduling.timeout", "must not be negative")


def expanded(words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Words with ``$(NAME)`` replaced; ``$$(NAME)`` is ``$(NAME)``, and a name that is not there stays as it is."""
    return [
        _REFERENCE.sub(lambda found: environment.get(found[1], found[0]) if found[1] else "$", word) for word in words
    ]


def variables(world: World, job: Any, task: tuple[int, int], cluster: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What Vertex AI tells a training container.

    Args:
        task: The pool, and the replica in it.
        cluster: Pool -> addresses.
    """
    pool, index = task
    found = {
        "CLOUD_ML_JOB_ID": job.name.rpartition("/")[2],
        "CLOUD_ML_PROJECT_ID": world.number,
        "CLOUD_ML_REGION": world.region,
        "CLUSTER_SPEC": json.dumps(
            {
                "cluster": cluster,
                "environment": "cloud",
                "task": {"type": f"workerpool{pool}", "index": index},
            }
        ),
    }
    base = job.job_spec.base_output_directory.output_uri_prefix.rstrip("/")
    if base:
        found |= {
            "AIP_MODEL_DIR": f"{base}/model/",
            "AIP_CHECKPOINT_DIR": f"{base}/checkpoints/",
            "AIP_TENSORBOARD_LOG_DIR": f"{base}/logs/",
        }
    return found | (_tensorflow(cluster, pool, index) if sum(map(len, cluster.values())) > 1 else {})


ROLES = ("chief", "worker", "ps", "evaluator")
"""What TensorFlow calls the four pools."""


def _tensorflow(cluster: Mapping[str, Sequence[str]], pool: int, index: int) -> dict[str, str]:
    named = {ROLES[int(name.removeprefix("workerpool"))]: list(hosts) for name, hosts in cluster.items()}
    task = {"type": ROLES[pool], "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": named, "task": task, "environment": "cloud"})}


def addresses(pools: Sequence[Any]) -> dict[str, list[str]]:
    """Pool -> an address for each replica: of this machine, each with a port of its own, where Google has names."""
    from cloudml_gcp.double.ports import free

    return {
        f"workerpool{number}": [f"127.0.0.1:{free()}" for _ in range(pool.replica_count)]
        for number, pool in enumerate(pools)
        if pool.ByteSize()
    }
