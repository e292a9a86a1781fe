"""The life of a custom job: it waits for machines, runs its containers, perhaps again, and ends.

What the double takes from reports and documentation: the words of errors, that 134 and 139 (abort, segmentation fault)
count as transient and are tried three times more, that a reclaimed spot machine brings up to six restarts, and that
code runs again in the output folder that it left. That a job over its timeout ends cancelled is the documentation of
the service's predecessor; the present one is silent.
"""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from cloudml.doubles.clock import ClosedError
from cloudml.doubles.watching import Host, Watch
from cloudml_gcp.double import contract, journal, pools, replicas
from cloudml_gcp.double.refusals import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.doubles.faults import Fault
    from cloudml.doubles.watching import Ending
    from cloudml_gcp.double.world import World

WEEK_S = 7 * 86_400
DAY_S = 86_400
TRANSIENT = frozenset({134, 139})
"""Exit codes after which the service tries again by itself."""
RETRIES = 3
RESTARTS = 6
GRACE_S = 30.0
"""What a reclaimed machine leaves its containers between SIGTERM and SIGKILL."""


@cache
def _states() -> Mapping[str, int]:
    kind = contract.methods()["CreateCustomJob"].response.DESCRIPTOR.fields_by_name["state"].enum_type
    return {value.name.removeprefix("JOB_STATE_"): value.number for value in kind.values}


def state(name: str) -> int:
    """The number of a JobState, such as RUNNING."""
    return _states()[name]


@cache
def over() -> frozenset[int]:
    """The states in which a job stays."""
    return frozenset(map(state, ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")))


@dataclass(slots=True)
class Life:
    """What the double knows of a job besides its message."""

    job: Any
    cancelled: threading.Event = field(default_factory=threading.Event)
    attempts: int = 0
    ran_s: float = 0.0

    @property
    def number(self) -> str:
        return str(self.job.name.rpartition("/")[2])

    @property
    def names(self) -> tuple[str, str]:
        """By which faults may know it."""
        return self.number, self.job.display_name


def begin(world: World, job: Any) -> None:
    """Start the life of a job."""
    life = Life(job)
    world.live[f"job/{job.name}"] = life
    world.clock.work(_live, world, life)


def cancel(world: World, job: Any) -> None:
    """Let a job end as soon as it can."""
    job.state = state("CANCELLING")
    world.stamp(job, "update_time")
    world.live[f"job/{job.name}"].cancelled.set()
    world.clock.wake(job.name)


def _live(world: World, life: Life) -> None:
    try:
        _run(world, life)
    except Exception as error:
        if not isinstance(error, ClosedError):  # the double's own mistake, which pytest shows as well
            _finish(world, life, "FAILED", ("INTERNAL", f"Internal error occurred for the current attempt: {error!r}"))
        raise
    finally:
        world.live.pop(f"job/{life.job.name}", None)
        shutil.rmtree(world.folder / f"job-{life.number}", ignore_errors=True)


def _run(world: World, life: Life) -> None:
    if not _machines(world, life):
        return
    retries, restarts = RETRIES, RESTARTS
    while True:
        ending = _attempt(world, life)
        if ending.stopped == "reclaim" and restarts:
            restarts -= 1
        elif _transient(life, ending) and retries:
            retries -= 1
        else:
            break
        _said(world, life, "The job is being restarted.")
        _move(world, life, "PENDING")
        if not _pass(world, life, "restarting"):
            return
    _end(world, life, ending)


def _transient(life: Life, ending: Ending) -> bool:
    if ending.stopped not in {"", "restart"} or life.job.job_spec.scheduling.disable_retries:
        return False
    return ending.stopped == "restart" or ending.code in TRANSIENT


def _pass(world: World, life: Life, step: str) -> bool:
    """Let time pass; a job that is cancelled meanwhile is over."""
    if world.clock.wait(world.latencies[step], key=life.job.name, unless=life.cancelled.is_set):
        return True
    _cancelled(world, life)
    return False


def _machines(world: World, life: Life) -> bool:
    """Whether there are machines for the job, sooner or later."""
    _said(world, life, "Waiting for job to be provisioned.")
    if not _pass(world, life, "pending"):
        return False
    while (fault := world.domain("stockout", *life.names)) is not None:
        if not fault.facts.get("endless") and _waited(world, life):
            text = "The job was not provisioned within its maximum wait duration."
            _finish(world, life, "FAILED", ("RESOURCE_EXHAUSTED", text))
            return False
        if not _pass(world, life, "capacity"):
            return False
    return not (_no_capacity(world, life) or _no_quota(world, life))


def _waited(world: World, life: Life) -> bool:
    """Whether it has waited as long as it may: a day unless it says otherwise, 0 for ever."""
    scheduling = life.job.job_spec.scheduling
    longest = scheduling.max_wait_duration.seconds if scheduling.HasField("max_wait_duration") else DAY_S
    since = world.clock.now().timestamp() - life.job.create_time.seconds
    return bool(longest) and since > longest


def _no_capacity(world: World, life: Life) -> bool:
    fault = world.domain("capacity", *life.names)
    if fault is None:
        return False
    for _ in range(RETRIES):
        if not _pass(world, life, "capacity"):
            return True
    kind = life.job.job_spec.worker_pool_specs[0].machine_spec.machine_type
    text = fault.message or (
        f"Resources are insufficient in region: {world.region}. Please try a different region or use a different "
        f"accelerator. Machine type: {kind}."
    )
    _finish(world, life, "FAILED", ("RESOURCE_EXHAUSTED", text))
    return True


def _no_quota(world: World, life: Life) -> bool:
    from cloudml_gcp.double.jobs import over_quota

    fault = world.domain("job-quota", *life.names)
    if fault is not None:
        _finish(world, life, "FAILED", ("RESOURCE_EXHAUSTED", fault.message or over_quota()))
    return fault is not None


def _attempt(world: World, life: Life) -> Ending:
    """One run of the containers of all pools."""
    life.attempts += 1
    _said(world, life, "Job is running.")
    with world.lock:
        _move(world, life, "RUNNING")
        if not life.job.HasField("start_time"):
            world.stamp(life.job, "start_time")
    began = world.clock.seconds()
    taken = Taken(world, life)
    specs = life.job.job_spec.worker_pool_specs
    cluster = pools.addresses(specs)
    hosts = [
        _started(world, life, taken, (pool, index), cluster)
        for pool, spec in enumerate(specs)
        for index in range(spec.replica_count if spec.ByteSize() else 0)
    ]
    limit = life.job.job_spec.scheduling.timeout.seconds or WEEK_S
    watch = Watch(limit_s=limit - life.ran_s, stop=taken.due, sync=world.mount.gather, grace_s=GRACE_S)
    ending = watch.run(world.clock, hosts)
    for host in hosts:
        replicas.end(world, host)
    world.mount.gather(whole=True)
    life.ran_s += world.clock.seconds() - began
    return ending


def _started(world: World, life: Life, taken: Taken, task: tuple[int, int], cluster: Mapping[str, list[str]]) -> Host:
    pool, index = task
    spec = life.job.job_spec.worker_pool_specs[pool]
    name = f"workerpool{pool}-{index}"
    host = Host(name=name, folder=world.folder / f"job-{life.number}" / f"{life.attempts}-{name}")

    def on_line(line: str) -> None:
        journal.job_line(world, life.number, name, line)
        taken.read(line)

    told = pools.variables(world, life.job, task, cluster)
    own: dict[str, str] = {}
    for one in spec.container_spec.env:
        own[one.name] = pools.expanded([one.value], {**told, **own})[0]
    given = [*spec.container_spec.command, *spec.container_spec.args]
    command = pools.expanded(given, {**own, **told}) if spec.container_spec.command else NOT_RUN
    replicas.start(world, host, command, {**world.inside, **own, **told}, on_line)
    return host


NOT_RUN = (
    "sh",
    "-c",
    "echo 'cloudml double: no images are run here; say what runs in container_spec.command' >&2; exit 78",
)


class Taken:
    """When a job's machines are taken from it: by the user, by the domain faults `spot` and `restart`.

    Both strike when the code prints what their fact `line` says, or at once.
    """

    def __init__(self, world: World, life: Life) -> None:
        self._life = life
        scheduling = life.job.job_spec.scheduling
        spot = scheduling.strategy == scheduling.Strategy.Value("SPOT")
        self._faults: dict[str, Fault | None] = {
            "reclaim": world.domain("spot", *life.names) if spot else None,
            "restart": world.domain("restart", *life.names),
        }
        self._seen = {why for why, fault in self._faults.items() if fault and not fault.facts.get("line")}

    def read(self, line: str) -> None:
        for why, fault in self._faults.items():
            if fault is not None and fault.facts.get("line", "\n") in line:
                self._seen.add(why)

    def due(self) -> str:
        """Why the containers shall stop; empty while they shall not."""
        return "cancel" if self._life.cancelled.is_set() else next(iter(sorted(self._seen)), "")


def _end(world: World, life: Life, ending: Ending) -> None:
    """Say how a job ended, a moment after it has."""
    world.clock.wait(world.latencies["finishing"])
    if ending.stopped == "cancel":
        _cancelled(world, life)
    elif ending.stopped == "time":
        limit = life.job.job_spec.scheduling.timeout.seconds
        _finish(world, life, "CANCELLED", ("CANCELLED", f"The job was cancelled after its timeout of {limit}s."))
    elif ending.stopped:
        text = f"The replica {ending.host.name} was preempted too often. STOCKOUT."
        _finish(world, life, "FAILED", ("RESOURCE_EXHAUSTED", text))
    elif ending.code:
        _finish(world, life, "FAILED", ("INVALID_ARGUMENT", _failure(world, life, ending)))
    else:
        _said(world, life, "Job completed successfully.")
        _finish(world, life, "SUCCEEDED")


def _failure(world: World, life: Life, ending: Ending) -> str:
    reason = "Terminated by signal" if ending.code > 128 else "Error"  # noqa: PLR2004  128 + signal
    query = f"resource.labels.job_id%3D%22{life.number}%22"
    return (
        f"The replica {ending.host.name} exited with a non-zero status of {ending.code}. Termination reason: {reason}. "
        f"To find out more about why your job exited please check the logs: "
        f"https://console.cloud.google.com/logs/viewer?project={world.number}&advancedFilter={query}"
    )


def _cancelled(world: World, life: Life) -> None:
    _finish(world, life, "CANCELLED", ("CANCELLED", "CANCELED"))


def _said(world: World, life: Life, text: str) -> None:
    """A line of the service itself, in the job's log."""
    journal.job_line(world, life.number, "service", text)


def _move(world: World, life: Life, name: str) -> None:
    with world.lock:
        if not life.cancelled.is_set():
            life.job.state = state(name)
        world.stamp(life.job, "update_time")
    world.clock.happened()


def _finish(world: World, life: Life, name: str, error: tuple[str, str] | None = None) -> None:
    """The end of a job."""
    with world.lock:
        if error is not None:
            life.job.error.code, life.job.error.message = CODES[error[0]][0], error[1]
        world.stamp(life.job, "end_time", "update_time")
        life.job.state = state(name)
    world.clock.happened()
