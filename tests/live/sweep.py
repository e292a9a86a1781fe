"""Remove what the live tests left behind: ``python -m tests.live.sweep --dry-run``.

The projects of the live tests are called ``live-<time>-<four digits>``, so that their names say how old they are. A
younger one may belong to a test that runs. Nothing else is looked at.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cloudml.down import down
from cloudml.errors import NotFoundError, ProviderError
from cloudml.events import silent
from cloudml.seam import Context
from cloudml.targets import resolve
from cloudml.units import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml.targets import Target
    from cloudml_aws.clients import Clients

VARIABLE, AZURE, GCP = "CLOUDML_LIVE_AWS", "CLOUDML_LIVE_AZURE", "CLOUDML_LIVE_GCP"
TARGET = "live"
MONITOR = "drift"
"""How the monitor of every project is called."""
PREFIX = "live-"
MOMENT = "%Y%m%dt%H%M"
NAME = re.compile(rf"{PREFIX}(\d{{8}}t\d{{4}})-[0-9a-f]{{4}}")
OLD = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of one project."""

    project: str
    removed: tuple[str, ...]
    residue: tuple[str, ...]


def project(now: datetime) -> str:
    """A name for a project of the live tests."""
    return f"{PREFIX}{now.strftime(MOMENT)}-{uuid4().hex[:4]}"


def begun(name: str) -> datetime | None:
    """When the project of that name began; None when it is none of ours."""
    found = NAME.fullmatch(name)
    return datetime.strptime(found[1], MOMENT).replace(tzinfo=UTC) if found else None


def projects(clients: Clients) -> set[str]:
    """The projects of the live tests that have left anything: objects, tagged resources, schedules."""
    settings = clients.settings
    asked = {"Bucket": settings.bucket, "Prefix": f"{settings.prefix}/{PREFIX}", "Delimiter": "/"}
    folders = clients.pages("s3:ListObjectsV2", asked, "CommonPrefixes")
    tagged = clients.pages(
        "resourcegroupstaggingapi:GetResources", {"TagFilters": [{"Key": "cloudml-project"}]}, "ResourceTagMappingList"
    )
    names = {one["Prefix"].rstrip("/").rpartition("/")[2] for one in folders}
    names |= {tag["Value"] for one in tagged for tag in one["Tags"] if tag["Key"] == "cloudml-project"}
    names |= {"-".join(name.split("-")[:3]) for name in schedules(clients, PREFIX)}
    return {name for name in names if begun(name)}


def schedules(clients: Clients, prefix: str) -> list[str]:
    """The names of the schedules that begin so."""
    return [one["Name"] for one in clients.pages("scheduler:ListSchedules", {"NamePrefix": prefix}, "Schedules")]


def old(names: set[str], now: datetime, age: timedelta) -> list[str]:
    """Those that began longer ago, the oldest first."""
    dated = [(moment, name) for name in names if (moment := begun(name))]
    return [name for moment, name in sorted(dated) if now - moment >= age]


def brought_down(clients: Any, name: str, provider: str, home: str) -> Swept:
    """`down` of the project, and then what lies in its folder.

    Args:
        clients: The clients of the target.
        name: The project.
        provider: Of the target.
        home: The address of the project's folder.
    """
    connect = import_module(f"cloudml_{provider}.plugin").provider
    with tempfile.TemporaryDirectory() as folder:
        done = down(connect(clients, Context(root=Path(folder), project=name)), name, TARGET, silent)
    left = clients.storage(home)
    left.remove([one.path for one in left.list()])
    residue = (*(f"{one.name}: {one.why}" for one in done.residue), *(f"{k}: {v}" for k, v in done.unseen.items()))
    return Swept(name, tuple(one.name for one in done.removed), residue)


def sweep(clients: Clients, name: str) -> Swept:
    """All of the project at AWS; schedules that no monitor names as well."""
    for schedule in schedules(clients, f"{name}-"):
        with suppress(NotFoundError):
            clients.send("scheduler:DeleteSchedule", {"Name": schedule})
    return brought_down(clients, name, "aws", f"s3://{clients.settings.bucket}/{clients.settings.prefix}/{name}")


def azure_projects(clients: Any) -> set[str]:
    """The projects of the live tests that have left anything at Azure: objects, endpoints."""
    settings = clients.settings
    names = {*clients.storage(f"az://{settings.container}").folders(settings.prefix)}
    names |= {one.get("tags", {}).get("cloudml-project", "") for one in clients.pages("OnlineEndpoints_List", {})}
    return {name for name in names if begun(name)}


def azure_sweep(clients: Any, name: str) -> Swept:
    """All of the project at Azure."""
    settings = clients.settings
    return brought_down(clients, name, "azure", f"az://{settings.container}/{settings.prefix}/{name}")


LABELLED = {"CustomJobs": "customJobs", "Models": "models", "Endpoints": "endpoints"}


def gcp_projects(clients: Any) -> set[str]:
    """The projects of the live tests that have left anything at Google Cloud: objects, and what has their label."""
    names = {*clients.storage(f"gs://{clients.settings.bucket}").folders(clients.settings.prefix)}
    for kind in LABELLED:
        names |= {one["labels"]["cloudml-project"] for one in gcp_labelled(clients, kind, "cloudml-project:*")}
    return {name for name in names if begun(name)}


def gcp_labelled(clients: Any, kind: str, label: str) -> Iterator[dict[str, Any]]:
    """What Vertex AI has of that kind with such a label."""
    asked = {"parent": clients.settings.parent, "filter": f"labels.{label}"}
    found: Iterator[dict[str, Any]] = clients.pages(f"aiplatform:List{kind}", asked, LABELLED[kind])
    return found


def gcp_sweep(clients: Any, name: str) -> Swept:
    """All of the project at Google Cloud; schedule and runs of its monitor as well, where no card names them."""
    with suppress(NotFoundError):
        clients.send("cloudscheduler:DeleteJob", {"name": f"{clients.settings.parent}/jobs/{name}-{MONITOR}"})
    settings = clients.settings
    swept = brought_down(clients, name, "gcp", f"gs://{settings.bucket}/{settings.prefix}/{name}")
    residue = list(swept.residue)
    for job in list(gcp_labelled(clients, "CustomJobs", f"cloudml-project={name}")):
        try:
            clients.send("aiplatform:DeleteCustomJob", {"name": job["name"]})
        except ProviderError as error:  # it runs
            residue.append(f"{job['name']}: {error.message}")
    return replace(swept, residue=tuple(residue))


SWEEPERS: dict[str, tuple[Callable[[Any], set[str]], Callable[[Any, str], Swept]]] = {
    "aws": (projects, sweep),
    "azure": (azure_projects, azure_sweep),
    "gcp": (gcp_projects, gcp_sweep),
}
"""By provider: how projects are found, and how one is removed."""


def run(clients: Any, now: datetime, age: timedelta, *, dry: bool, provider: str = "aws") -> Iterator[str]:
    """Sweep, and say each thing that was done or would be; a line that begins with ``left`` is residue."""
    find, remove = SWEEPERS[provider]
    for name in old(find(clients), now, age):
        if dry:
            yield f"would remove {name}"
            continue
        swept = remove(clients, name)
        yield f"removed {name}: {', '.join(swept.removed) or 'files only'}"
        yield from (f"left {name}: {one}" for one in swept.residue)


def target(file: Path) -> Target:
    """The target in a file: what would stand below its name in cloudml.yaml."""
    from ruamel.yaml import YAML

    from cloudml.specs import ProjectSpec

    said = YAML(typ="safe").load(file.read_text("utf-8"))
    return resolve(ProjectSpec(project="live", targets={TARGET: said}), TARGET, environ={})


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.live.sweep", description="Remove what live tests left.")
    parser.add_argument("--target", default=os.environ.get(VARIABLE), help=f"the file with the target; ${VARIABLE}")
    parser.add_argument("--older-than", default="6h", type=duration, help="only what began so long ago (6h)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")
    said = parser.parse_args(arguments)
    if not said.target:
        parser.error(f"give --target, or set {VARIABLE}")
    found = target(Path(said.target))
    name = found.plugin.name
    clients = import_module(f"cloudml_{name}.clients").Clients(found.settings)
    lines = list(run(clients, datetime.now(UTC), said.older_than, dry=said.dry_run, provider=name))
    print("\n".join(lines) or "nothing is left")
    return int(any(line.startswith("left ") for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
