"""What travels so that a monitor can run in a container: a wheel of cloudml, `bootstrap.py` and a description. Pure.

The files lie in a folder named by their digest, so that a run never sees them change. What differs from run to run
stands in the environment, so that a schedule can start a run again and again with one request.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from cloudml import clock
from cloudml.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.clouds.places import Places
    from cloudml.resources import MonitorResource
    from cloudml.wheel import Wheel

DESCRIPTION = "analysis.json"
MOMENT = "%Y%m%dT%H%M%SZ"
KEPT = "kept"
"""The folder of a monitor with what it knows of parts of its data."""
DIGITS = 16
"""How many hexadecimal digits of the digest stand in an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """Where a run finds and leaves things in its container.

    Attributes:
        baseline: The folder of the baseline.
        capture: The folder of the captured requests.
        report: Where the report goes.
        kept: Where the profiles of parts of the data go, for later runs.
        known: Where those of earlier runs are; None when that is the same folder.
        latest: Where a second copy of report.json goes; None for none.
        failure: The file whose text the provider shows when a run fails; None for none.
    """

    baseline: str
    capture: str
    report: str
    kept: str
    known: str | None = None
    latest: str | None = None
    failure: str | None = None


def description(resource: MonitorResource, inside: Inside, form: str) -> dict[str, Any]:
    """What `bootstrap.py` is told, see its docstring; the times are reckoned when it runs.

    Args:
        resource: The monitor.
        inside: Where things are in the container.
        form: The format of the captured requests, see `cloudml.profile.capture`.
    """
    from cloudml.wheel import wheel

    spec = resource.spec
    return {
        "analysis": {
            "monitor": resource.identity.label,
            "baseline": [inside.baseline],
            "capture": [inside.capture],
            "format": form,
            "label": resource.label,
            "checks": [check.model_dump(mode="json") for check in spec.checks],
            "out": inside.report,
            "kept": inside.kept,
            **({"known": inside.known} if inside.known else {}),
        },
        "window_s": spec.window.total_seconds() if spec.window else None,
        "requirements": list(wheel().requirements),
        "failure": inside.failure,
        "latest": inside.latest,
    }


def files(told: Mapping[str, Any], wheel: Wheel, bootstrap: bytes) -> dict[str, bytes]:
    """The folder that travels, by name."""
    from cloudml.wheel import BOOTSTRAP

    text = json.dumps(told, indent=1, ensure_ascii=False)
    return {wheel.name: wheel.content, BOOTSTRAP: bootstrap, DESCRIPTION: text.encode()}


def digest(content: Mapping[str, bytes]) -> str:
    """A digest of the folder, which stands in its address."""
    whole = hashlib.sha256()
    for name, data in sorted(content.items()):
        whole.update(f"{name}\0{len(data)}\0".encode())
        whole.update(data)
    return whole.hexdigest()[:DIGITS]


def mark(told: Mapping[str, Any]) -> str:
    """The digest of the folder with that description and the cloudml that runs."""
    from cloudml.wheel import bootstrap, wheel

    return digest(files(told, wheel(), bootstrap()))


def folder(name: str, places: Places, mark: str) -> str:
    """Where the files of that digest lie."""
    return f"{places.monitor(name)}/engine/{mark}"


def new_run() -> str:
    """The name of a run that starts now: sorts by time, and is no other run's."""
    from uuid import uuid4

    return f"{clock.now().strftime(MOMENT)}{uuid4().hex[:8]}"
