"""Monitors: the monitoring engine over what an endpoint captured.

``python -m cloudml_local.monitors STATE_FOLDER NAME`` runs one, as its schedule asks.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml import clock
from cloudml.errors import NotFoundError
from cloudml.plan import Call, Plan
from cloudml.records import dataclass
from cloudml.status import CheckResult, MonitorReport, MonitorStatus, State, Verdict
from cloudml_local import processes
from cloudml_local.errors import translated
from cloudml_local.names import native
from cloudml_local.places import Places
from cloudml_local.state import Row, new
from cloudml_local.state import State as Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.progress import Progress
    from cloudml.resources import MonitorResource

OPERATION = "local:WatchEndpoint"
MOMENT = "%Y%m%dT%H%M%S%fZ"
"""How the folder of a run is called: UTC, and sorts by time."""


def lower(resource: MonitorResource, places: Places) -> dict[str, Any]:
    """The request of a monitor: what the analyser is handed, but for the times and the folder of one run."""
    spec = resource.spec
    return {
        "name": native(resource.identity),
        "endpoint": resource.endpoint,
        "schedule": spec.schedule,
        "window_s": spec.window.total_seconds() if spec.window else None,
        "analysis": {
            "monitor": resource.identity.label,
            "baseline": [resource.baseline],
            "capture": [str(places.folder("endpoints", resource.endpoint) / "capture")],
            "format": "cloudml",
            "label": resource.label,
            "checks": [check.model_dump(mode="json") for check in spec.checks],
            "kept": str(places.folder("monitors", native(resource.identity)) / "kept"),
        },
    }


def lift(row: Row) -> MonitorStatus:
    """The status in a row."""
    verdict, ran = row.facts.get("verdict"), row.facts.get("ran")
    return MonitorStatus(
        resource=row.resource,
        name=row.name,
        project=row.project,
        hash=row.hash,
        state=State(row.state),
        reason=row.reason,
        created=row.created,
        updated=row.updated,
        native={"body": row.body, "facts": row.facts},
        endpoint=row.body["endpoint"],
        schedule=row.body["schedule"] or "",
        verdict=Verdict(verdict) if verdict else None,
        ran=datetime.fromisoformat(ran) if ran else None,
    )


def lift_report(said: Mapping[str, Any], ran: datetime, page: str) -> MonitorReport:
    """The report in the analyser's report.json."""
    return MonitorReport(
        monitor=said["monitor"],
        state=Verdict(said["state"]),
        rows=said["rows"],
        baseline_rows=said["baseline_rows"],
        checks=tuple(
            CheckResult(**{key: one[key] for key in ("column", "metric", "value", "max", "violated")})
            for one in said["checks"]
        ),
        ran=ran,
        html=page,
    )


@dataclass(frozen=True, slots=True)
class LocalMonitors:
    """Monitors in folders, run in the calling process."""

    places: Places
    state: Database

    def plan(self, resource: MonitorResource) -> Plan:
        """One request; nothing is read."""
        return Plan((Call(OPERATION, lower(resource, self.places)),))

    def create(self, resource: MonitorResource) -> MonitorStatus:
        """Write the monitor down; the endpoint's supervisor sees its schedule.

        Raises:
            AlreadyExistsError: It is there.
        """
        row = new(resource.identity, native(resource.identity), State.READY, lower(resource, self.places))
        self.state.add(row)
        return self.get(row.name)

    def update(self, resource: MonitorResource) -> MonitorStatus:
        """Let the next run follow *resource*; earlier reports stay."""
        name, body = native(resource.identity), lower(resource, self.places)
        self.state.get("monitors", name)
        self.state.edit(
            "monitors",
            name,
            lambda now: replace(now, body=body, hash=resource.identity.hash, state=State.READY, reason=""),
        )
        return self.get(name)

    def get(self, name: str) -> MonitorStatus:
        """How the monitor stands, and what its last run found."""
        return lift(self.state.get("monitors", name))

    def list(self, project: str) -> Iterator[MonitorStatus]:
        """Every monitor of the project."""
        yield from map(lift, self.state.find("monitors", project))

    def run(self, name: str, *, since: datetime | None, until: datetime | None, progress: Progress) -> MonitorReport:
        """Compare what was captured with the baseline, and keep the report.

        Raises:
            NotFoundError: There is no such monitor, or its endpoint is gone.
            SpecError: A check does not fit the baseline, or that cannot be read.
        """
        from cloudml.profile.analysis import analyse

        del progress  # files of this computer are read at once
        row, ran = self.state.get("monitors", name), clock.now()
        self.state.get("endpoints", row.body["endpoint"])
        start = since or _window_start(row, until or ran)
        out = self.places.folder("monitors", name) / ran.strftime(MOMENT)
        with translated("local:RunMonitor"):
            out.mkdir(parents=True)
            for folder in row.body["analysis"]["capture"]:
                Path(folder).mkdir(parents=True, exist_ok=True)  # the endpoint makes it when it first captures
            times = {"since": _text(start), "until": _text(until)}
            try:
                analyse({**row.body["analysis"], **times, "out": str(out)})
            except BaseException:
                processes.remove(out)
                raise
        report = self._read(out)
        self.state.edit("monitors", name, lambda now: _seen(now, report, out.name))
        return report

    def report(self, name: str) -> MonitorReport:
        """What the last run found."""
        row = self.state.get("monitors", name)
        if "report" not in row.facts:
            raise NotFoundError(
                f"monitor `{name}` has not run", operation="local:GetReport", hint="`cloudml monitor run` runs it now"
            )
        with translated("local:GetReport"):
            return self._read(self.places.folder("monitors", name) / row.facts["report"])

    def delete(self, name: str) -> None:
        """Remove the monitor and its reports."""
        self.state.drop("monitors", name)

    def _read(self, out: Path) -> MonitorReport:
        said = json.loads((out / "report.json").read_text("utf-8"))
        ran = datetime.strptime(out.name, MOMENT).replace(tzinfo=clock.EPOCH.tzinfo)
        page = out / "report.html"
        return lift_report(said, ran, str(page) if page.exists() else "")


def _window_start(row: Row, until: datetime) -> datetime | None:
    from datetime import timedelta

    window = row.body["window_s"]
    return None if window is None else until - timedelta(seconds=window)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _seen(now: Row, report: MonitorReport, folder: str) -> Row | None:
    """The row with what a run found; None when a later run was quicker."""
    if now.facts.get("report", "") > folder:
        return None
    return now.with_facts(verdict=str(report.state), ran=report.ran.isoformat() if report.ran else None, report=folder)


def main(home: str, name: str) -> None:
    """Run one monitor, as its schedule asks."""
    from cloudml.progress import SILENT

    places = Places(Path(home))
    LocalMonitors(places, Database(places)).run(name, since=None, until=None, progress=SILENT)


if __name__ == "__main__":
    main(*sys.argv[1:])
