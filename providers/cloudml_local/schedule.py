"""When monitors run by themselves: looked after by the supervisor of the endpoint that they watch."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING

from cloudml import clock
from cloudml.records import dataclass
from cloudml_local import processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cloudml_local.state import Row, State

LOOK_S = 5.0
"""So often the monitors' rows are read; cron counts in minutes."""


def due(schedule: str, since: datetime, now: datetime) -> bool:
    """Whether a cron expression, in UTC, names a moment after *since* that has come."""
    from cronsim import CronSim

    return bool(next(CronSim(schedule, since)) <= now)


@dataclass(slots=True)
class Schedule:
    """The monitors of one endpoint.

    Attributes:
        now: The clock.
    """

    state: State
    endpoint: str
    now: Callable[[], datetime] = clock.now
    ran: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    looked: datetime | None = None
    running: dict[str, str] = field(default_factory=dict)

    def tick(self) -> list[str]:
        """Start the monitors that are due; their names."""
        now = self.now()
        if self.looked is not None and timedelta(0) <= now - self.looked < timedelta(seconds=LOOK_S):
            return []
        self.looked = now
        self.running = {name: known for name, known in self.running.items() if processes.alive(known)}
        started = [row.name for row in self.state.find("monitors") if self._due(row, now)]
        for name in started:
            self._start(name)
        return started

    def _due(self, row: Row, now: datetime) -> bool:
        """Whether it is its time; a moment that was missed while nobody looked is not made up for."""
        schedule = row.body.get("schedule")
        if not schedule or row.body.get("endpoint") != self.endpoint:
            return False
        known, since = self.ran.get(row.name, ("", now))
        if known != schedule:
            self.ran[row.name] = (schedule, now)
            return False
        if not due(schedule, since, now):
            return False
        self.ran[row.name] = (schedule, now)
        return row.name not in self.running

    def _start(self, name: str) -> None:
        places = self.state.places
        folder = places.folder("monitors", name)
        folder.mkdir(parents=True, exist_ok=True)
        self.running[name] = processes.start(
            "cloudml_local.monitors", str(places.home), name, folder=folder, log=folder / "log.txt"
        )
