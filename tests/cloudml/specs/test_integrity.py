import pytest
from pydantic import ValidationError

from cloudml.errors import SpecError
from cloudml.specs import EndpointSpec, JobSpec, ModelSpec, MonitorSpec, ProjectSpec
from cloudml.specs.integrity import check_references
from cloudml.specs.load import loads

KS = {"metric": "ks", "max": 1}


def job(name, *outputs, metrics=(), **inputs):
    return JobSpec(name=name, script=f"{name}.py", outputs=outputs, metrics=metrics, inputs=inputs)


def project(*jobs, **sections):
    return ProjectSpec(project="p1", jobs={spec.name: spec for spec in jobs}, **sections)


def problems(spec, **options):
    try:
        check_references(spec, **options)
    except SpecError as error:
        return {problem.path: problem for problem in error.problems}
    return {}


def test_a_good_project_built_in_python_passes():
    spec = project(
        job("a", "o", "model", metrics=["auc"]),
        job("b", x="jobs.a.o"),
        models={"m": ModelSpec(name="m", source="jobs.a.model", require={"jobs.a.auc": ">= 0.7"})},
    )
    assert check_references(spec) is None


def test_a_cycle_is_printed_from_the_job_that_stands_first():
    spec = project(
        job("z", x="jobs.c.o"), job("a", "o", x="jobs.c.o"), job("b", "o", x="jobs.a.o"), job("c", "o", x="jobs.b.o")
    )
    (found,) = problems(spec).values()
    assert found.path == "jobs.a.inputs.x"
    assert found.message == "these jobs wait for each other: jobs.a -> jobs.b -> jobs.c -> jobs.a"


def test_an_output_nobody_declared_names_those_that_are():
    spec = project(job("train", "model"), models={"m": ModelSpec(name="m", source="jobs.train.modle")})
    (found,) = problems(spec).values()
    assert found.message == "`jobs.train` declares no output `modle`; its outputs: model"
    assert found.hint == "did you mean `jobs.train.model`?"


def test_an_output_of_a_job_without_any_may_be_added():
    (found,) = problems(project(job("a"), job("b", x="jobs.a.data"))).values()
    assert (found.message, found.hint) == (
        "`jobs.a` declares no output `data`; its outputs: none",
        "add it to `outputs` of `jobs.a`",
    )


def test_a_metric_that_the_job_does_not_list_is_told():
    model = ModelSpec(name="m", source="jobs.a.model", require={"jobs.a.acc": "> 0"})
    (found,) = problems(project(job("a", "model", metrics=["accuracy"]), models={"m": model})).values()
    assert found.path == "models.m.require.jobs.a.acc"
    assert found.message == "`jobs.a` declares no metric `acc`; its metrics: accuracy"


@pytest.mark.parametrize(
    ("section", "spec", "message", "hint"),
    [
        ("models", ModelSpec(name="m", source="jobs.trian.model"), "no `jobs.trian`", "`jobs.train.model`"),
        ("endpoints", EndpointSpec(name="e", model="models.x"), "no `models.x`; models in this project: none", ""),
        (
            "monitors",
            MonitorSpec(name="w", endpoint="endpoints.x", baseline="jobs.train.model", checks=[KS]),
            "no `endpoints.x`",
            "",
        ),
    ],
)  # fmt: skip
def test_a_reference_that_leads_nowhere_lists_what_exists(section, spec, message, hint):
    (found,) = problems(project(job("train", "model"), **{section: {spec.name: spec}})).values()
    assert message in found.message
    assert hint in found.hint


def test_a_monitor_needs_an_endpoint_that_records():
    text = (
        "project: p1\njobs: {j: {script: j.py, outputs: [model]}}\nmodels: {m: {source: jobs.j.model}}\n"
        "endpoints: {e: {model: models.m}}\n"
        "monitors: {w: {endpoint: endpoints.e, baseline: jobs.j.model, checks: [{metric: ks, max: 1}]}}\n"
    )
    with pytest.raises(SpecError, match=r"`endpoints\.e` records no requests") as raised:
        loads(text)
    assert "capture: 1.0" in raised.value.hint
    assert loads(text.replace("models.m}}\n", "models.m, capture: 0.1}}\n", 1)).endpoints["e"].capture == 0.1


def test_the_target_local_stays_local():
    targets = {"local": {"provider": "aws"}}
    (found,) = problems(ProjectSpec(project="p1", targets=targets)).values()
    assert found.path == "targets.local.provider"
    assert not problems(ProjectSpec(project="p1", targets={"local": {"provider": "local", "slots": 2}}))


def test_unknown_providers_are_told_with_the_nearest():
    machine = {"exact": {"awz": "ml.m5.large"}}
    spec = ProjectSpec(
        project="p1", targets={"t": {"provider": "azur"}}, jobs={"j": {"script": "j.py", "machine": machine}}
    )
    found = problems(spec)
    assert {path: problem.hint for path, problem in found.items()} == {
        "targets.t.provider": "did you mean `azure`?",
        "jobs.j.machine.exact.awz": "did you mean `aws`?",
    }
    assert not problems(spec, providers=["azur", "awz"])


def test_files_are_looked_for_where_a_root_is_given(tmp_path):
    spec = project(job("a"))
    assert list(problems(spec, root=tmp_path)) == ["jobs.a.script"]
    (tmp_path / "a.py").touch()
    assert not problems(spec, root=tmp_path)


def test_a_resource_has_the_name_of_its_key():
    assert ProjectSpec(project="p1", jobs={"a": {"script": "a.py"}}).jobs["a"].name == "a"
    with pytest.raises(ValidationError, match=r"`jobs\.a` is called `b`"):
        ProjectSpec(project="p1", jobs={"a": job("b")})
