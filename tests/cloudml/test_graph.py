from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml.graph import Action, judge, leans_on, needed
from cloudml.identity import Contents
from cloudml.resources import SHORT, DatasetResource, Identity
from cloudml.specs import DatasetSpec, EndpointSpec, JobSpec, ModelSpec, MonitorSpec, ProjectSpec
from cloudml.status import DatasetStatus, EndpointStatus, State

if TYPE_CHECKING:
    from pathlib import Path


def chain(length: int) -> ProjectSpec:
    jobs = {"j0": JobSpec(name="j0", script="a.py", inputs={"x": "datasets.d"}, outputs=("o",))}
    for number in range(1, length):
        spec = JobSpec(name=f"j{number}", script="a.py", inputs={"x": f"jobs.j{number - 1}.o"}, outputs=("o",))
        jobs = {f"j{number}": spec, **jobs}
    return ProjectSpec(project="chain", datasets={"d": DatasetSpec(name="d", path="d.csv")}, jobs=jobs)


def test_a_resource_leans_on_what_it_names() -> None:
    assert leans_on(JobSpec(name="a", script="a.py", inputs={"x": "jobs.b.o", "y": "jobs.b.p"})) == ("jobs.b",)
    model = ModelSpec(name="m", source="jobs.train.model", require={"jobs.evaluate.auc": ">= 1"})
    assert leans_on(model) == ("jobs.train", "jobs.evaluate")
    assert leans_on(EndpointSpec(name="e", model="models.m")) == ("models.m",)
    checks = ({"metric": "psi", "max": 1},)
    monitor = MonitorSpec(name="w", endpoint="endpoints.e", baseline="jobs.train.rows", checks=checks)
    assert leans_on(monitor) == ("endpoints.e", "jobs.train")
    assert leans_on(DatasetSpec(name="d", path="x")) == ()


@given(st.integers(min_value=1, max_value=20), st.data())
def test_what_is_leaned_on_comes_first_and_nothing_else_comes(length: int, data: st.DataObject) -> None:
    project = chain(length)
    last = data.draw(st.integers(min_value=0, max_value=length - 1))
    order = needed(project, [f"jobs.j{last}"])
    assert order == ("datasets.d", *(f"jobs.j{number}" for number in range(last + 1)))


def test_code_that_several_jobs_share_is_read_once(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("print('hello')\n")
    jobs = {name: JobSpec(name=name, script=f"{name[0]}.py") for name in ("a1", "a2", "b1")}
    contents = Contents(ProjectSpec(project="demo", jobs=jobs), tmp_path, "local", {}, None)
    found = {name: contents.source(f"jobs.{name}") for name in jobs}
    assert found["a1"] is found["a2"]
    assert [found[name].script for name in jobs] == ["a.py", "a.py", "b.py"]


def resource(section: str = "datasets") -> DatasetResource:
    identity = Identity(project="p", resource=f"{section}.d", hash="a" * 64)
    return DatasetResource(spec=DatasetSpec(name="d", path="x"), identity=identity, manifest=None)


def dataset(state: State) -> DatasetStatus:
    return DatasetStatus(resource="datasets.d", name="p-d", project="p", hash="a" * 64, state=state)


def endpoint(state: State, content: str) -> EndpointStatus:
    return EndpointStatus(resource="endpoints.d", name="p-d", project="p", hash=content, state=state, reason="broken")


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (None, Action.CREATE),
        (dataset(State.READY), Action.REUSE),
        (dataset(State.CREATING), Action.WAIT),
        (dataset(State.UNKNOWN), Action.WAIT),
        (dataset(State.FAILED), Action.REPLACE),
    ],
)
def test_a_version_is_judged_by_its_state(status, action: Action) -> None:
    assert judge(resource(), status)[0] is action


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (None, Action.CREATE),
        (endpoint(State.READY, "a" * 64), Action.REUSE),
        (endpoint(State.READY, "b" * 64), Action.UPDATE),
        (endpoint(State.FAILED, "a" * 64), Action.UPDATE),
        (endpoint(State.UPDATING, "b" * 64), Action.WAIT),
        (endpoint(State.DELETING, "a" * 64), Action.WAIT),
        (endpoint(State.UNFINISHED, "a" * 64), Action.FINISH),
        (endpoint(State.UNFINISHED, "b" * 64), Action.UPDATE),
    ],
)
def test_an_endpoint_is_judged_by_its_state_and_its_hash(status, action: Action) -> None:
    assert judge(resource("endpoints"), status)[0] is action


def test_a_name_says_project_and_resource_and_for_versions_the_content() -> None:
    assert Identity(project="p", resource="jobs.train", hash="abc" * 20).name == f"p-train-{('abc' * 20)[:SHORT]}"
    assert Identity(project="p", resource="endpoints.delay", hash="abc" * 20).name == "p-delay"


def test_every_action_has_a_sign_of_its_own_words() -> None:
    from cloudml.cli.output import SIGNS

    assert {str(action) for action in Action} <= set(SIGNS)
