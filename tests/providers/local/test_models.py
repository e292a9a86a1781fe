from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cloudml.errors import AlreadyExistsError, NotFoundError
from cloudml.resources import Identity, ModelResource
from cloudml.specs import FrameworkSpec, ModelSpec
from cloudml.status import State
from cloudml_local.models import CARD, lift, link, lower
from cloudml_local.state import new

IDENTITY = Identity(project="demo", resource="models.scale", hash="ab" * 32)


@pytest.fixture
def resource(here) -> ModelResource:
    """A model whose artifact is there."""
    from cloudml.source import collect

    artifact = here.home / "runs" / "demo-train-1" / "outputs" / "model"
    (artifact / "deep").mkdir(parents=True)
    (artifact / "deep" / "model.json").write_text("{}")
    spec = ModelSpec(name="scale", source="jobs.train.model", predictor="predict.py:Predictor",
                     require={"jobs.train.auc": ">= 0.7"})  # fmt: skip
    return ModelResource(
        spec=spec,
        identity=IDENTITY,
        artifact=str(artifact),
        job="demo-train-1",
        source=collect(here.root, "predict.py", exclude=("data/*.csv",)),
        framework=FrameworkSpec(name="sklearn", version="1.5"),
        metrics={"jobs.train.auc": 0.75},
        lineage={"jobs.train": "cd" * 32},
    )


def test_the_request_names_all_that_the_model_is_made_of(here, resource) -> None:
    assert lower(resource, here.state.places) == {
        "name": IDENTITY.name,
        "family": "demo-scale",
        "artifact": resource.artifact,
        "predictor": "predict.py:Predictor",
        "code": {"digest": resource.source.digest, "files": 1},
        "requirements": "",
        "site": None,
        "framework": {"name": "sklearn", "version": "1.5"},
        "job": "demo-train-1",
        "require": {"jobs.train.auc": ">= 0.7"},
        "metrics": {"jobs.train.auc": 0.75},
        "lineage": {"jobs.train": "cd" * 32},
    }
    with_packages = lower(replace(resource, requirements="numpy\n", source=None), here.state.places)
    assert with_packages["site"].startswith(str(here.home / "site"))
    assert with_packages["code"] is None


def test_one_that_nobody_makes_any_more_has_failed() -> None:
    row = new(IDENTITY, IDENTITY.name, State.CREATING, {"metrics": {}}).with_facts(version=1)
    assert lift(row, "").state is State.CREATING
    assert lift(row.with_facts(owner="1@another-moment"), "").state is State.FAILED


def test_a_version_keeps_files_code_and_lineage_and_is_read_only(here, resource) -> None:
    made = here.provider.models.create(resource)
    folder = here.home / "models" / made.name
    assert (made.state, made.version, made.uri) == (State.READY, "v1", str(folder / "model"))
    assert made.metrics == {"jobs.train.auc": 0.75}
    card = json.loads((folder / CARD).read_text())
    assert (card["version"], card["lineage"]) == ("v1", {"jobs.train": "cd" * 32})
    assert (folder / "code" / "predict.py").is_file()
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) == 3
    assert not any(file.stat().st_mode & 0o222 for file in files)
    with pytest.raises(AlreadyExistsError):
        here.provider.models.create(resource)


def test_a_version_outlives_the_job_it_comes_from_without_a_second_copy(here, resource) -> None:
    made = here.provider.models.create(resource)
    original = here.home / "runs" / "demo-train-1" / "outputs" / "model" / "deep" / "model.json"
    kept = here.home / "models" / made.name / "model" / "deep" / "model.json"
    assert kept.samefile(original)
    original.unlink()
    assert kept.read_text() == "{}"


def test_a_missing_artifact_registers_nothing(here, resource) -> None:
    with pytest.raises(NotFoundError, match="demo-train-1"):
        here.provider.models.create(replace(resource, artifact=str(here.root / "nowhere")))
    assert list(here.provider.models.list("demo")) == []


def test_a_model_that_came_to_nothing_is_made_anew_with_its_number(here, resource) -> None:
    gone = replace(resource.source, root=here.root / "nowhere")
    with pytest.raises(Exception, match="predict"):
        here.provider.models.create(replace(resource, source=gone))
    assert here.provider.models.get(IDENTITY.name).state is State.FAILED
    assert here.provider.models.create(resource).version == "v1"


def test_a_link_in_an_artifact_becomes_what_it_leads_to(tmp_path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "real").write_text("x")
    (source / "link").symlink_to(tmp_path / "real")
    link(source, tmp_path / "target")
    assert (tmp_path / "target" / "link").read_text() == "x"
    assert not (tmp_path / "target" / "link").is_symlink()
