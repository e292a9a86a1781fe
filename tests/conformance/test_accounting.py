"""Nothing is dropped silently: each field of a full project, changed, changes the plan, brings a note, or is refused.

The hashes in names are held still, so that a field counts only where it is mapped, and not because it changes a name.
`test_every_mapping_line_is_needed` checks the check: without any one line of a provider's `lower`, it fails.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from sample import ENDPOINT, MODEL, TABLE, job, monitor

from cloudml.errors import UnsupportedError
from cloudml.graph import Builder, needed, steps
from cloudml.identity import Contents
from cloudml.resources import Identity
from cloudml.specs import ProjectSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudml.client import Client

CHANGES: dict[str, Any] = {
    "datasets.table.path": "data/table.csv",
    "datasets.table.label": "height",
    "jobs.train.script": "other.py",
    "jobs.train.source": "elsewhere",
    "jobs.train.inputs": {"table": "datasets.table", "again": "datasets.table"},
    "jobs.train.outputs": ["model", "more"],
    "jobs.train.parameters": {"factor": 2, "text": "other"},
    "jobs.train.metrics": ["mean", "rows", "more"],
    "jobs.train.framework.name": "xgboost",
    "jobs.train.framework.version": "9.9",
    "jobs.train.image": "registry.example/image:1",
    "jobs.train.requirements": "requirements-more.txt",
    "jobs.train.machine.cpus": 8,
    "jobs.train.machine.memory": "64GiB",
    "jobs.train.machine.gpus": 2,
    "jobs.train.machine.gpu": "A100",
    "jobs.train.machine.disk": "500GiB",
    "jobs.train.machine.exact": {"here": "machine.large"},
    "jobs.train.nodes": 3,
    "jobs.train.spot": True,
    "jobs.train.timeout": "3h",
    "jobs.train.environment": {"OMP_NUM_THREADS": "7"},
    "jobs.train.native": {"here": {"SomethingOfItsOwn": 1}},
    "models.scale.source": "jobs.second.model",
    "models.scale.predictor": "other.py:Predictor",
    "models.scale.requirements": "requirements-more.txt",
    "models.scale.require": {"jobs.train.mean": ">= 2"},
    "endpoints.scale.model": "models.another",
    "endpoints.scale.machine.cpus": 8,
    "endpoints.scale.machine.memory": "64GiB",
    "endpoints.scale.machine.gpus": 2,
    "endpoints.scale.machine.gpu": "A100",
    "endpoints.scale.machine.disk": "500GiB",
    "endpoints.scale.machine.exact": {"here": "machine.large"},
    "endpoints.scale.instances": 3,
    "endpoints.scale.capture": 0.25,
    "endpoints.scale.sample": "rows.json",
    "endpoints.scale.native": {"here": {"SomethingOfItsOwn": 1}},
    "monitors.drift.endpoint": "endpoints.second",
    "monitors.drift.baseline": "jobs.train.model",
    "monitors.drift.schedule": "30 4 * * *",
    "monitors.drift.window": "6h",
    "monitors.drift.checks": [{"metric": "ks", "max": 0.3, "columns": ["height"]}],
}
"""Field to another value; `here` stands for the provider under test."""

ELSEWHERE = {"models.scale.require"}
"""Fields that the graph honours for every provider before it asks it for anything; test_models has the tests."""

RANGE = ("endpoints.scale.instances", {"min": 1, "max": 5})


class Held(Contents):
    """Contents whose hashes are all the same."""

    def identity(self, resource: str) -> Identity:
        return Identity(project=self.project.project, resource=resource, hash="0" * 64)


@pytest.fixture
def full(client: Client) -> ProjectSpec:
    """A project in which as much as possible is said, and files for all that the changes name."""
    root = client.session.root
    (root / "elsewhere").mkdir()
    for name in ("other.py", "elsewhere/train.py"):
        (root / name).write_text("print('other')\n")
    (root / "requirements.txt").write_text("")
    (root / "requirements-more.txt").write_text("cloudml-adapters\n")
    (root / "elsewhere" / "requirements.txt").write_text("")
    train = job(
        parameters={"factor": 1, "text": "one"},
        framework={"name": "sklearn", "version": "1.5"},
        requirements="requirements.txt",
        machine={"cpus": 2, "memory": "4GiB"},
        environment={"OMP_NUM_THREADS": "2"},
    )
    another = MODEL.model_copy(update={"name": "another"})
    return ProjectSpec(
        project="conform",
        datasets={"table": TABLE},
        jobs={"train": train, "second": train.model_copy(update={"name": "second"})},
        models={"scale": MODEL.model_copy(update={"requirements": "requirements.txt"}), "another": another},
        endpoints={"scale": ENDPOINT, "second": ENDPOINT.model_copy(update={"name": "second"})},
        monitors={"drift": monitor(schedule="0 * * * *", window="24h")},
    )


def changed(project: ProjectSpec, field: str, value: Any, provider: str) -> ProjectSpec:
    """The project with that one field changed, read again as a file would be."""
    document = project.model_dump(mode="json")
    *path, last = field.split(".")
    place = document
    for part in path:
        place = place[part] if place.get(part) is not None else place.setdefault(part, {})
    place[last] = {provider: value["here"]} if isinstance(value, dict) and "here" in value else value
    if last == "image":
        place["framework"] = None
    return ProjectSpec.model_validate(document)


def account(client: Client, project: ProjectSpec) -> str:
    """Everything that the plan shows: requests and notes; or the refusal."""
    session = client.session
    plugin = session.target.plugin
    contents = Held(project, session.root, plugin.name, {}, None)
    try:
        there = steps(Builder(contents, session.provider), plugin, needed(project, ()), look=False)
    except UnsupportedError as error:
        return f"refused: {error.path}: {error.message}"
    shown = [
        {
            "resource": step.reference,
            "calls": [{"operation": call.operation, "body": call.body} for call in step.plan.calls],
            "notes": [[note.path, note.text] for note in step.notes],
        }
        for step in there
    ]
    return json.dumps(shown, sort_keys=True, default=str)


def fields(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The leaves of a spec, through the specs inside it."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        nested = [one for one in (inner, *getattr(inner, "__args__", ())) if isinstance(one, type)]
        model_inside = next((one for one in nested if issubclass(one, BaseModel) and name != "instances"), None)
        if name == "name" and prefix.count(".") == 1:
            continue
        if model_inside:
            yield from fields(model_inside, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}"


def test_every_field_of_the_file_stands_in_the_table() -> None:
    from cloudml.specs import DatasetSpec, EndpointSpec, JobSpec, ModelSpec, MonitorSpec

    roots = {
        "datasets.table": DatasetSpec, "jobs.train": JobSpec, "models.scale": ModelSpec,
        "endpoints.scale": EndpointSpec, "monitors.drift": MonitorSpec,
    }  # fmt: skip
    assert {field for prefix, model in roots.items() for field in fields(model, prefix)} == set(CHANGES)


def test_a_changed_field_changes_the_plan_or_brings_a_note_or_is_refused(client, full) -> None:
    name = client.target.plugin.name
    before = account(client, full)
    assert not before.startswith("refused"), before
    dropped = [
        field
        for field, value in [*CHANGES.items(), RANGE]
        if field not in ELSEWHERE and (after := changed(full, field, value, name)) != full
        and account(client, after) == before
    ]  # fmt: skip
    assert dropped == []


def test_the_plan_of_an_unchanged_project_is_the_same_to_the_letter(client, full) -> None:
    assert account(client, full) == account(client, full.model_copy(deep=True))
