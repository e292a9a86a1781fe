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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cloudml.down import down
from cloudml.errors import NotFoundError
from cloudml.events import silent
from cloudml.seam import Context
from cloudml.targets import resolve
from cloudml.units import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudml.targets import Target
    from cloudml_aws.clients import Clients

VARIABLE, AZURE = "CLOUDML_LIVE_AWS", "CLOUDML_LIVE_AZURE"
TARGET = "live"
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


def sweep(clients: Clients, name: str) -> Swept:
    """`down` of the project, and then what no resource of it names: schedules, and what lies in its folder."""
    from cloudml_aws.plugin import provider

    with tempfile.TemporaryDirectory() as folder:
        done = down(provider(clients, Context(root=Path(folder), project=name)), name, TARGET, silent)
    for schedule in schedules(clients, f"{name}-"):
        try:
            clients.send("scheduler:DeleteSchedule", {"Name": schedule})
        except NotFoundError:
            continue
    home = f"{clients.settings.prefix}/{name}"
    left = clients.storage(f"s3://{clients.settings.bucket}/{home}")
    left.remove([one.path for one in left.list()])
    residue = (*(f"{one.name}: {one.why}" for one in done.residue), *(f"{k}: {v}" for k, v in done.unseen.items()))
    return Swept(name, tuple(one.name for one in done.removed), residue)


def azure_projects(clients: Any) -> set[str]:
    """The projects of the live tests that have left anything at Azure: objects, endpoints."""
    settings = clients.settings
    names = {*clients.storage(f"az://{settings.container}").folders(settings.prefix)}
    names |= {one.get("tags", {}).get("cloudml-project", "") for one in clients.pages("OnlineEndpoints_List", {})}
    return {name for name in names if begun(name)}


def azure_sweep(clients: Any, name: str) -> Swept:
    """`down` of the project at Azure, and then what lies in its folder."""
    from cloudml_azure.plugin import provider

    with tempfile.TemporaryDirectory() as folder:
        done = down(provider(clients, Context(root=Path(folder), project=name)), name, TARGET, silent)
    left = clients.storage(f"az://{clients.settings.container}/{clients.settings.prefix}/{name}")
    left.remove([one.path for one in left.list()])
    residue = (*(f"{one.name}: {one.why}" for one in done.residue), *(f"{k}: {v}" for k, v in done.unseen.items()))
    return Swept(name, tuple(one.name for one in done.removed), residue)


SWEEPERS: dict[str, tuple[Callable[[Any], set[str]], Callable[[Any, str], Swept]]] = {
    "aws": (projects, sweep),
    "azure": (azure_projects, azure_sweep),
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
