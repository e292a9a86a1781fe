"""One account in one region: everything that a double knows, and nothing that another one knows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml_aws.double.journal import Journal
from cloudml_aws.double.refusals import Refused, invalid
from cloudml_aws.double.tables import Record, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Fault, Faults
    from cloudml_aws.double.objects import Objects


def _quoted(words: str) -> Callable[[str, str], Refused]:
    return lambda name, arn: invalid(f'Could not find {words} "{arn or name}".')


MISSING: Mapping[str, Callable[[str, str], Refused]] = {
    "training-job": lambda _name, _arn: invalid("Requested resource not found."),
    "processing-job": lambda name, _arn: invalid(f"Could not find requested job with name: {name}"),
    "hyper-parameter-tuning-job": lambda name, _arn: Refused(
        "ResourceNotFound", f"Amazon SageMaker can't find a tuning job with the name {name}."
    ),
    "model": _quoted("model"),
    "endpoint": _quoted("endpoint"),
    "endpoint-config": _quoted("endpoint configuration"),
    "model-package": lambda name, arn: invalid(f"ModelPackage {arn or name} does not exist."),
    "model-package-group": lambda name, arn: invalid(f"ModelPackageGroup {arn or name} does not exist."),
    "scalable-target": _quoted("scalable target"),
    "scaling-policy": _quoted("scaling policy"),
    "schedule": _quoted("schedule"),
    "schedule-group": _quoted("schedule group"),
    "monitoring-schedule": lambda _name, arn: Refused(
        "ResourceNotFound", f"Monitoring Schedule with name {arn} does not exist."
    ),
}
"""Kind of resource -> AWS's words when there is none of that name."""

LATENCIES: Mapping[str, float] = {
    "starting": 45.0,
    "downloading": 10.0,
    "uploading": 5.0,
    "processing": 60.0,
    "restarting": 60.0,
    "pending": 600.0,
    "endpoint": 150.0,
    "shifting": 10.0,
    "deleting": 15.0,
    "tuning": 5.0,
}
"""How long the steps of the cloud take, in seconds of the double's clock."""


def empty() -> dict[str, Table]:
    """An empty table for each kind."""
    return {kind: Table(kind, said) for kind, said in MISSING.items()}


@dataclass(slots=True, kw_only=True)
class World:
    """The state of one double.

    Attributes:
        environ: What a client needs to reach this double; jobs get it as well.
        lock: Held while an operation works on the records.
        folder: Where containers have their files.
    """

    region: str
    account: str
    role_arn: str
    clock: Clock
    faults: Faults
    objects: Objects
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)
    lock: threading.RLock = field(default_factory=threading.RLock)
    tables: dict[str, Table] = field(
        default_factory=lambda: {kind: Table(kind, said) for kind, said in MISSING.items()}
    )
    live: dict[str, Any] = field(default_factory=dict)
    latencies: dict[str, float] = field(default_factory=lambda: dict(LATENCIES))

    def arn(self, service: str, kind: str, name: str = "") -> str:
        """A resource's ARN; SageMaker writes names small in it."""
        stem = f"arn:aws:{service}:{self.region}:{self.account}:{kind}"
        return f"{stem}/{name.lower()}" if name else stem

    def table(self, kind: str) -> Table:
        return self.tables[kind]

    def need(self, kind: str, name: str) -> Record:
        """The record of that kind and name; one that cannot be seen yet counts as missing."""
        table = self.table(kind)
        record = table.need(name, self.arn("sagemaker", kind, name))
        if self.hidden(f"{kind}/{name}", record, "stale"):
            Table(kind, MISSING[kind]).need(name, self.arn("sagemaker", kind, name))
        return record

    def hidden(self, about: str, record: Record, fault: str) -> bool:
        """Whether a record is too new to be seen: the domain faults `stale` (Describe) and `lag` (tags and lists)."""
        found = self.faults.look_up(fault, about)
        if found is None:
            return False
        age = (self.clock.now() - record["CreationTime"]).total_seconds()
        return not found.seconds or age < found.seconds

    def records(self) -> Iterator[tuple[str, Record]]:
        """Every record that has tags, with its ARN."""
        for table in self.tables.values():
            for record in table:
                yield record["_arn"], record

    def by_arn(self, arn: str) -> Record | None:
        return next((record for found, record in self.records() if found.lower() == arn.lower()), None)

    def domain(self, name: str, about: str) -> Fault | None:
        """The domain fault of that name that strikes now."""
        return self.faults.look_up(name, about)

    def no_capacity(self, about: str, instance: str) -> str:
        """Why there are no machines now, in AWS's words; empty when there are."""
        fault = self.faults.look_up("capacity", about)
        if fault is None:
            return ""
        return fault.message or (
            "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error for "
            f"{instance}. Please retry using a different ML instance type or after some time."
        )

    def say(self, group: str, stream: str, line: str) -> None:
        """Write a line of a container."""
        self.journal.write(group, stream, self.milliseconds(), line)

    def milliseconds(self) -> int:
        return int(self.clock.now().timestamp() * 1000)

    def pass_time(self, step: str, **said: Any) -> bool:
        """For a worker: let a step take its time; whether it was not interrupted."""
        return self.clock.wait(self.latencies[step], **said)
