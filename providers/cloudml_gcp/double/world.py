"""The state of one double."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.doubles.clock import Clock
    from cloudml.doubles.faults import Fault, Faults
    from cloudml_gcp.double.journal import Journal
    from cloudml_gcp.double.mounts import Mount
    from cloudml_gcp.double.objects import Objects
    from cloudml_gcp.double.operations import Running
    from cloudml_gcp.double.tokens import Tokens
    from cloudml_gcp.double.uploads import Session
    from cloudml_gcp.double.xmlapi import Multipart

LATENCIES: Mapping[str, float] = {
    "pending": 60.0,
    "finishing": 30.0,
    "cancelling": 20.0,
    "restarting": 60.0,
    "capacity": 300.0,
    "upload": 20.0,
    "endpoint": 15.0,
    "deploy": 300.0,
    "undeploy": 20.0,
    "mutate": 60.0,
    "delete": 10.0,
}
"""How long the steps of the cloud take, in seconds of the double's clock."""


@dataclass(slots=True, kw_only=True)
class World:
    """The state of one double.

    Attributes:
        project: The project's id; `number` is the same project, and the one that names come back with.
        url: Where the double listens.
        environ: What a client needs to reach this double.
        inside: What a container needs to reach it: no key file, for there is a metadata server.
        lock: Held while an operation works on the records.
        folder: Where containers have their files.
        records: Name of a resource -> its message.
        hidden: Names that are taken and not to be seen yet.
        live: Whatever runs, by kind and name.
    """

    region: str
    project: str
    number: str
    clock: Clock
    faults: Faults
    objects: Objects
    mount: Mount
    tokens: Tokens
    journal: Journal
    folder: Path
    url: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    records: dict[str, Any] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    operations: dict[str, Running] = field(default_factory=dict)
    uploads: dict[str, Session] = field(default_factory=dict)
    multiparts: dict[str, Multipart] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    latencies: dict[str, float] = field(default_factory=lambda: dict(LATENCIES))
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  ids and traffic

    @property
    def account(self) -> str:
        """The address of the service account."""
        return self.tokens.account

    def identifier(self, digits: int = 19) -> str:
        """An id of the service's own."""
        return str(self.chance.randrange(10 ** (digits - 1), 10**digits))

    def stamp(self, message: Any, *names: str) -> None:
        """Write the moment into fields of a message."""
        for name in names:
            if name in message.DESCRIPTOR.fields_by_name:
                getattr(message, name).FromDatetime(self.clock.now())

    def domain(self, name: str, *about: str) -> Fault | None:
        """The domain fault of that name that strikes now, about one of several names of the same thing."""
        return next((fault for one in about if (fault := self.faults.look_up(name, one)) is not None), None)
