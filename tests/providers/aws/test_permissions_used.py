"""The permissions are those that a whole life of a project asks for: none is missing, and none is there unused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from conforming import project_folder
from large import sent_in_parts
from sample import ENDPOINT, MODEL, TABLE, job, monitor, script

from cloudml.client import Client
from cloudml.errors import CloudMLError
from cloudml.graph import Builder
from cloudml.identity import Contents
from cloudml.progress import SILENT
from cloudml.seam import Context
from cloudml.session import Session
from cloudml.specs import EndpointSpec, ProjectSpec
from cloudml.targets import resolve
from cloudml_aws.clients import Clients
from cloudml_aws.double import KEY, SECRET, double
from cloudml_aws.permissions import CALLER, IMPLIED, actions_of
from cloudml_aws.plugin import provider

TARGET = {"region": "eu-west-1", "bucket": "acme-ml", "role_arn": "arn:aws:iam::111122223333:role/cloudml"}
GROUPS = "sagemaker:ListModelPackageGroups"
SLOW = "import time\ntime.sleep(600)\n"
FAILS = "raise SystemExit(3)\n"


def spec(**changes: Any) -> ProjectSpec:
    sections: dict[str, Any] = {
        "datasets": {"table": TABLE},
        "jobs": {"train": job(spot=True), "look": script("look.py", outputs=("x",))},
        "models": {"scale": MODEL},
        "endpoints": {"scale": ENDPOINT},
        "monitors": {"drift": monitor(schedule="0 * * * *")},
    }
    targets = {"there": {"provider": "aws", **TARGET}}
    return ProjectSpec.model_validate({"project": "life", "targets": targets, **sections, **changes})


@pytest.fixture(scope="module")
def life(tmp_path_factory) -> SimpleNamespace:
    """What a whole life sent: brought up, used, changed in every way, broken, stopped, removed."""
    root = project_folder(tmp_path_factory.mktemp("life") / "project")
    (root / "look.py").write_text("print('looked')\n")
    (root / "slow.py").write_text(SLOW)
    (root / "still.py").write_text(SLOW)
    (root / "fails.py").write_text(FAILS)
    target = resolve(spec(), "there", environ={})
    with double(region=TARGET["region"], bucket=TARGET["bucket"], role_arn=TARGET["role_arn"]) as aws:
        clients = Clients(target.settings, endpoint=aws.url, credentials=(KEY, SECRET), sleep=aws.clock.sleep)
        there = provider(clients, Context(root=root, project="life"))
        live(Session(spec(), root, target, there))
        sent_in_parts(clients.storage("s3://acme-ml/cloudml/life/parts"), root)
        left = [one["ModelPackageGroupName"] for one in clients.pages(GROUPS, {}, "ModelPackageGroupSummaryList")]
        lists = {one.parameters["Prefix"] for one in aws.requests if one.operation.startswith("ListObjects")}
        return SimpleNamespace(requests={one.name for one in aws.requests if not one.inside}, left=left, lists=lists)


def live(session: Session) -> None:
    session.up()
    client = Client(session)
    client.endpoints.invoke("scale", [{"weight": 1.0}])
    client.monitors.run("drift")
    list(client.jobs.logs("train"))
    list(client.endpoints.logs("scale"))
    grows = EndpointSpec(name="scale", model="models.scale", capture=1.0, instances={"min": 1, "max": 2})
    for changes in (
        {"endpoints": {"scale": grows}, "monitors": {"drift": monitor(schedule="30 * * * *")}},
        {"jobs": {"train": job(parameters={"factor": 2})}, "monitors": {"drift": monitor()}},
    ):
        replace(session, spec=spec(**changes)).up()
    again(session)
    stopped(session, script("slow.py", outputs=("model",)))
    stopped(session, script("still.py", outputs=("x",)))
    session.status()
    session.down()


def again(session: Session) -> None:
    """A job of each kind that fails, and is made anew in its place."""
    for outputs in (("model",), ("x",)):
        broken = replace(session, spec=spec(jobs={"train": job(), "fails": script("fails.py", outputs=outputs)}))
        for _ in range(2):
            with pytest.raises(CloudMLError):
                broken.up(("jobs.fails",))


def stopped(session: Session, slow: Any) -> None:
    running = replace(session, spec=spec(jobs={"train": job(), slow.name: slow}))
    contents = Contents(running.spec, running.root, "aws", {}, None)
    resource = Builder(contents, running.provider).resource(f"jobs.{slow.name}", slow)
    running.provider.jobs.create(resource, SILENT)
    running.provider.jobs.cancel(resource.identity.name)
    running.provider.jobs.delete(resource.identity.name)


def granted() -> set[str]:
    return {action for one in CALLER for action in one.actions}


def test_everything_that_is_sent_is_granted(life) -> None:
    missing = {name: actions_of(name) for name in life.requests if not {*actions_of(name)} <= granted()}
    assert missing == {}


def test_everything_that_is_granted_is_used(life) -> None:
    used = {action for name in life.requests for action in actions_of(name)}
    assert granted() - used - IMPLIED == set()


def test_nothing_is_listed_but_what_lies_below_the_prefix_of_the_project(life) -> None:
    assert life.lists
    assert {prefix for prefix in life.lists if not prefix.startswith("cloudml/life/")} == set()


def test_the_last_version_takes_its_group_along_also_when_two_are_removed_at_once(life) -> None:
    assert life.left == []


def test_what_a_service_asks_for_on_the_way_is_granted() -> None:
    assert granted() >= IMPLIED
