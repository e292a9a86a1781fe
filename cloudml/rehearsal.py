"""`rehearse`: the whole life of a project once, on a double, and nothing left behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cloudml.errors import SpecError
from cloudml.events import Event, Happened
from cloudml.progress import SILENT
from cloudml.records import dataclass
from cloudml.up import SMOKE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.down import DownResult
    from cloudml.events import Listener
    from cloudml.session import Session
    from cloudml.specs import EndpointSpec
    from cloudml.status import MonitorReport
    from cloudml.up import UpResult


PATIENCE_S = 60.0
"""For so long a monitor of a rehearsal waits for the capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalResult:
    """What a rehearsal saw.

    Attributes:
        up: What was brought into being.
        answers: Endpoint to what it answered to one request.
        reports: Monitor to what one run found.
        down: What was removed again.
    """

    up: UpResult
    answers: Mapping[str, Any]
    reports: Mapping[str, MonitorReport]
    down: DownResult

    @property
    def clean(self) -> bool:
        return self.down.clean

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{name} {report.state}" for name, report in self.reports.items())
        return f"RehearsalResult({self.up!r}, {len(self.answers)} answered, {verdicts or 'no monitors'}, {self.down!r})"

    def _repr_html_(self) -> str:
        from cloudml.notebook import table

        answers = table("answers", ("endpoint", "answer"), self.answers.items())
        reports = "".join(report._repr_html_() for report in self.reports.values())
        return f"{self.up._repr_html_()}{answers}{reports}{self.down._repr_html_()}"

    def as_json(self) -> dict[str, Any]:
        """As in the last line of `rehearse --json`."""
        return {
            **self.up.as_json(),
            "answers": dict(self.answers),
            "monitors": {name: str(report.state) for name, report in self.reports.items()},
            "residue": self.down.as_json()["residue"],
        }


def rehearse(session: Session, listener: Listener) -> RehearsalResult:
    """`up`, one request to each endpoint, one run of each monitor, `down`."""
    try:
        up = session.up(listener=listener)
        answers = {f"endpoints.{name}": _ask(session, name, listener) for name in session.spec.endpoints}
        reports = {f"monitors.{name}": _run(session, name, listener) for name in session.spec.monitors}
    finally:
        down = session.down(listener)
    return RehearsalResult(up=up, answers=answers, reports=reports, down=down)


def _ask(session: Session, name: str, listener: Listener) -> Any:
    native = f"{session.spec.project}-{name}"
    body = sample(session.spec.endpoints[name], session.root)
    answer = session.provider.endpoints.invoke(native, body, content_type="application/json", accept="application/json")
    _say(listener, f"endpoints.{name}", f"answered {answer.status}")
    return json.loads(answer.body)


def sample(spec: EndpointSpec, root: Path) -> bytes:
    """The request of a rehearsal: the rows of the endpoint's sample, none when it has no sample.

    Raises:
        SpecError: The file is missing, or holds no list of rows.
    """
    if spec.sample is None:
        return SMOKE
    path = f"endpoints.{spec.name}.sample"
    try:
        rows = json.loads((root / spec.sample).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(f"`{spec.sample}` cannot be read: {error}", path=path) from None
    if isinstance(rows, dict):
        rows = rows.get("instances")
    if not isinstance(rows, list):
        raise SpecError(f"`{spec.sample}` holds no list of rows", path=path, hint="write `[{…}, {…}]`")
    return json.dumps({"instances": rows}).encode()


def _run(session: Session, name: str, listener: Listener) -> MonitorReport:
    """One run of a monitor, again while the capture, which trails the answers, lacks what the rehearsal asked."""
    native, asked = f"{session.spec.project}-{name}", _asked(session, name)
    patience = PATIENCE_S
    while True:
        report = session.provider.monitors.run(native, since=None, until=None, progress=SILENT)
        if report.rows >= asked or patience <= 0:
            break
        patience -= session.waiter.pause(session.waiter.first_s)
    _say(listener, f"monitors.{name}", f"{report.state}: {report.rows} rows against {report.baseline_rows}")
    return report


def _asked(session: Session, name: str) -> int:
    """How many rows of this rehearsal the monitor will find: all that were sent, where all are recorded."""
    watched = session.spec.monitors[name].endpoint.partition(".")[2]
    spec = session.spec.endpoints.get(watched)
    if spec is None or spec.capture < 1:
        return 0
    return len(json.loads(sample(spec, session.root))["instances"])


def _say(listener: Listener, resource: str, message: str) -> None:
    listener(Event(event=Happened.STATE, resource=resource, message=message))
