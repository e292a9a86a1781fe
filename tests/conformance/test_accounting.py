"""Nothing is dropped silently: each field of a full project, changed, changes the plan, brings a note, or is refused.

The hashes in names are held still, so that a field counts only where it is mapped, and not because it changes a name.
What each field moves is known, in accounting/PROVIDER.json. The last test but one checks the check: without any one
line that maps a field into a request, the accounting fails.
"""

from __future__ import annotations

import ast
import copy
import inspect
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from sample import ENDPOINT, MODEL, TABLE, job, monitor

from cloudml.errors import SpecError
from cloudml.graph import Builder, needed, steps
from cloudml.identity import Contents
from cloudml.resources import Identity
from cloudml.specs import ProjectSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

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
    "monitors.drift.checks.metric": "ks",
    "monitors.drift.checks.max": 0.3,
    "monitors.drift.checks.columns": ["height"],
    "monitors.drift.checks.on": "predictions",
}
"""Field to another value; `here` stands for the provider under test."""

NOUNS = ("datasets", "jobs", "models", "endpoints", "monitors")
ELSEWHERE = {"models.scale.require"}
"""Fields that the graph honours for every provider before it asks it for anything; test_models has the tests."""


class Held(Contents):
    """Contents whose hashes are all the same."""

    def identity(self, resource: str) -> Identity:
        return Identity(project=self.project.project, resource=resource, hash="0" * 64)


@pytest.fixture
def full(client: Client) -> ProjectSpec:
    return full_project(client)


def full_project(client: Client) -> ProjectSpec:
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
        place = place[0] if isinstance(place, list) else place
    place[last] = {provider: value["here"]} if isinstance(value, dict) and "here" in value else value
    if last == "image":
        place["framework"] = None
    return ProjectSpec.model_validate(document)


def account(client: Client, project: ProjectSpec) -> dict[str, str]:
    """Everything that the plan shows, flat: each place in a request, each note; or the refusal."""
    session = client.session
    plugin = session.target.plugin
    contents = Held(project, session.root, plugin.name, {}, None)
    try:
        there = steps(Builder(contents, session.provider), plugin, needed(project, ()), look=False)
    except SpecError as error:
        return {f"refused {error.path}": error.message}
    shown: dict[str, str] = {}
    for step in there:
        for call in step.plan.calls:
            shown |= flat(json.loads(json.dumps(call.body, default=str)), f"{step.reference} {call.operation}")
        shown |= {f"note {note.path}": note.text for note in step.notes}
    return shown


def flat(value: Any, path: str) -> dict[str, str]:
    """The leaves of a request, each with where it stands; the members of a list together."""
    if isinstance(value, dict) and value:
        return {place: leaf for key, inner in value.items() for place, leaf in flat(inner, f"{path}.{key}").items()}
    return {path: json.dumps(value, sort_keys=True)}


def moved(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Where two accounts differ."""
    if any(place.startswith("refused") for place in after):
        return sorted(after)
    return sorted(place for place in {*before, *after} if before.get(place) != after.get(place))


def table(client: Client, full: ProjectSpec) -> dict[str, list[str]]:
    """Each field, and what in the plan moves when it is changed."""
    return dict(movements(client, full, CHANGES))


def movements(client: Client, full: ProjectSpec, chosen: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """A field after the other, and what in the plan moves when it is changed."""
    name = client.target.plugin.name
    before = account(client, full)
    for field in chosen:
        yield field, moved(before, account(client, changed(full, field, CHANGES[field], name)))


def golden(provider: str) -> Path:
    return Path(__file__).parent / "accounting" / f"{provider}.json"


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


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[str]]]:
    """Provider to its table: it is the same in each project folder, and takes a second to make."""
    return {}


def test_a_changed_field_changes_the_plan_or_brings_a_note_or_is_refused(client, full, found) -> None:
    name = client.target.plugin.name
    assert not any(place.startswith("refused") for place in account(client, full))
    assert all(changed(full, field, value, name) != full for field, value in CHANGES.items())
    found[name] = table(client, full)
    assert [field for field, places in found[name].items() if not places and field not in ELSEWHERE] == []


def test_each_field_moves_what_it_is_known_to_move(client, full, found) -> None:
    """The table is reviewed by eye; ``python tests/conformance/accounting/write.py`` writes it anew."""
    name = client.target.plugin.name
    known = json.loads(golden(name).read_text("utf-8"))
    assert (found.get(name) or table(client, full)) == known


def lowering(module: Any) -> list[Any]:
    """A noun's module, and those of its package that it calls as modules: its requests may be made there."""
    package = f"{module.__name__.partition('.')[0]}."
    called = [one for one in vars(module).values() if inspect.ismodule(one) and one.__name__.startswith(package)]
    return list(dict.fromkeys([module, *called]))


def used(client: Client, full: ProjectSpec, noun: str) -> set[tuple[str, str]]:
    """The functions that are called while resources of that noun are planned: the module, and the name."""
    seen: set[tuple[str, str]] = set()
    plan, inside = type(getattr(client.provider, noun)).plan.__code__, False

    def look(frame: FrameType, event: str, argument: object) -> None:
        nonlocal inside
        if frame.f_code is plan:
            inside = event == "call"
        elif inside and event == "call":
            seen.add((frame.f_globals.get("__name__", ""), frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        account(client, full)
    finally:
        sys.setprofile(before)
    return seen


def mapping_lines(module: Any) -> Iterator[tuple[str, str, str]]:
    """The entries of dictionaries in a provider's functions: function, key, and the function without that entry.

    Constants, and what comes from the identity, which is held still here, are left out.
    """
    for function in ast.parse(inspect.getsource(module)).body:
        if not isinstance(function, ast.FunctionDef) or function.name.startswith(("lift", "test")):
            continue
        for number, display in enumerate(node for node in ast.walk(function) if isinstance(node, ast.Dict)):
            for key, value in zip(display.keys, display.values, strict=True):
                maps = not fixed(value) and "identity" not in ast.unparse(value)
                if isinstance(key, ast.Constant) and maps:
                    yield function.name, str(key.value), without(function, number, key.value)


def fixed(value: ast.AST) -> bool:
    """Whether a value is the same for every resource: a literal, or a constant by its name."""
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id.isupper())


def without(function: ast.FunctionDef, number: int, key: Any) -> str:
    """The function's text without one entry of its n-th dictionary."""
    copied = copy.deepcopy(function)
    display = [node for node in ast.walk(copied) if isinstance(node, ast.Dict)][number]
    kept = [
        (one, value)
        for one, value in zip(display.keys, display.values, strict=True)
        if not (isinstance(one, ast.Constant) and one.value == key)
    ]
    display.keys, display.values = [one for one, _ in kept], [value for _, value in kept]
    return "from __future__ import annotations\n" + ast.unparse(copied)


def test_without_any_one_mapping_line_the_accounting_fails(client, full) -> None:
    """The check of the check: a line counts as mapping when a field is known to move its key."""
    name = client.target.plugin.name
    known = json.loads(golden(name).read_text("utf-8"))
    unnoticed, tried = [], 0
    for noun in NOUNS:
        called = used(client, full, noun)
        for module in lowering(import_module(type(getattr(client.provider, noun)).__module__)):
            for function, key, text in mapping_lines(module):
                movers = {field: places for field, places in known.items() if moves(places, noun, key)}
                if not movers or (module.__name__, function) not in called:
                    continue
                tried += 1
                if not noticed_without(client, full, movers, (module, function, text)):
                    unnoticed.append(f"{noun}, {module.__name__}.{function}: {key}")
    assert "\n".join(unnoticed) == ""
    assert tried >= 15


def noticed_without(
    client: Client, full: ProjectSpec, movers: dict[str, list[str]], changed_function: tuple[Any, str, str]
) -> bool:
    """Whether the accounting fails while that function of that module has another text."""
    module, function, text = changed_function
    whole = getattr(module, function)
    exec(compile(text, f"<{function}, changed>", "exec"), vars(module))
    try:
        return noticed(client, full, movers)
    finally:
        setattr(module, function, whole)


def moves(places: list[str], noun: str, key: str) -> bool:
    """Whether one of *places* lies in a request of that noun, at or below that key."""
    return any(place.startswith(f"{noun}.") and key in place.partition(" ")[2].split(".")[1:] for place in places)


def noticed(client: Client, full: ProjectSpec, movers: dict[str, list[str]]) -> bool:
    """Whether a field no longer moves what it did; a provider that falls over has noticed as well."""
    try:
        return any(places != movers[field] for field, places in movements(client, full, movers))
    except KeyError:
        return True


def test_the_plan_of_an_unchanged_project_is_the_same_to_the_letter(client, full) -> None:
    assert account(client, full) == account(client, full.model_copy(deep=True))
