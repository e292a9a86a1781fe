from datetime import timedelta

import pytest

from cloudml.errors import SpecError
from cloudml.specs.load import MAX_BYTES, MAX_PROBLEMS, load, loads
from cloudml.units import Size, Threshold


def test_the_normative_file_loads(folder):
    project = load(folder)
    assert project.project == "flights"
    assert project.targets["gcp-dev"].settings["region"] == "europe-west4"
    train = project.jobs["train"]
    assert train.name == "train"
    assert train.parameters == {"max_iter": 200, "learning_rate": 0.1}
    assert [type(value) for value in train.parameters.values()] == [int, float]
    assert train.machine.memory == Size(16 * 2**30)
    assert train.timeout == timedelta(hours=2)
    assert train.trains
    assert project.models["delay"].require == {"jobs.evaluate.auc": Threshold(">=", 0.7)}
    assert project.monitors["delay-drift"].schedule == "0 * * * *"
    assert [reference for reference, _ in project.resources()] == [
        "datasets.flights", "jobs.prepare", "jobs.train", "jobs.evaluate",
        "models.delay", "endpoints.delay", "monitors.delay-drift",
    ]  # fmt: skip


def test_a_file_and_its_folder_load_the_same(folder):
    assert load(folder) == load(folder / "cloudml.yaml") == load(str(folder))


def test_without_a_root_files_are_not_looked_for(flights):
    assert loads(flights).jobs["train"].script == "train.py"


def test_a_providers_own_words_are_kept_as_they_are(problems):
    text = "project: p1\njobs:\n  j:\n    script: j.py\n    aws: {A: {B: [1, null, 2.5]}}\n"
    assert loads(text).jobs["j"].native == {"aws": {"A": {"B": [1, None, 2.5]}}}


def test_an_installed_provider_may_have_a_block_a_target_and_a_machine():
    job = "{script: j.py, slurm: {a: 1}, machine: {exact: {slurm: big}}}"
    text = f"project: p1\ntargets: {{x: {{provider: slurm}}}}\njobs: {{j: {job}}}\n"
    assert loads(text, providers=["slurm"]).jobs["j"].native == {"slurm": {"a": 1}}
    with pytest.raises(SpecError) as raised:
        loads(text)
    assert {problem.path for problem in raised.value.problems} == {
        "targets.x.provider", "jobs.j.slurm", "jobs.j.machine.exact.slurm"
    }  # fmt: skip


JOB = "project: p1\njobs:\n  j:\n    script: j.py\n"
ENDPOINT = (
    "project: p1\njobs: {j: {script: j.py, outputs: [model]}}\nmodels: {m: {source: jobs.j.model}}\n"
    "endpoints:\n  e:\n    model: models.m\n"
)
MONITOR = ENDPOINT + "    capture: 1\nmonitors:\n  w:\n    endpoint: endpoints.e\n    baseline: jobs.j.model\n"

MISTAKES = [
    # text, line, path, part of the message, part of the hint
    ("jbs: {}\nproject: p1", 1, "jbs", "a project takes project, targets, datasets", "`jobs`"),
    (JOB + "    scrpt: x", 5, "jobs.j.scrpt", "`scrpt` is not known here; a job takes script, source", "`script`"),
    (JOB + "    machine: {cpuss: 1}", 5, "jobs.j.machine.cpuss", "a machine takes cpus, memory", "`cpus`"),
    (JOB + "    gpus: 1", 5, "jobs.j.gpus", "not known here", "one level down, in `machine`"),
    (JOB + "    machine:\n      nodes: 1", 6, "jobs.j.machine.nodes", "not known", "in a job, beside `machine`"),
    (JOB + "    jobs: 1", 5, "jobs.j.jobs", "not known", "belongs in a project, beside `jobs`"),
    ("project: p1\nendpoint: {}", 2, "endpoint", "a project takes", "did you mean `endpoints`?"),
    (JOB + "    capture: 1", 5, "jobs.j.capture", "not known", "an endpoint has such a key"),
    (JOB + "    name: k", 5, "jobs.j.name", "not known", "the name is the key above"),
    (JOB + "    native: {aws: {}}", 5, "jobs.j.native", "called by its name", "`aws: {…}`"),
    ("project: p1\ndatasets: {d: {path: x, aws: {}}}", 2, "datasets.d.aws", "not known", "inside a job or an endpoint"),
    (JOB + "    aws: 3", 5, "jobs.j.aws", "a block is wanted", ""),
    (JOB + "    machine: 4", 5, "jobs.j.machine", "a block is wanted, with keys of a machine: cpus", ""),
    ("project: p1\njobs: [a]", 2, "jobs", "`jobs` is a list; a block is wanted: names", ""),
    ("project: p1\njobs:\n", 2, "jobs", "`jobs` is empty", "leave the key out"),
    ("project: p1\njobs:\n  j:\n", 3, "jobs.j", "`j` is empty", ""),
    ("project: p1\njobs:\n  j: {}\n", 3, "jobs.j.script", "`script` is missing: a job needs it", "The script"),
    ("jobs: {}", 1, "project", "`project` is missing: a project needs it", "Its name"),
    (JOB + "    nodes: '3'", 5, "jobs.j.nodes", "`nodes` is `3`; a whole number is wanted", "leave the quotes out"),
    (JOB + "    nodes:\n      1.5", 6, "jobs.j.nodes", "`nodes` is `1.5`; a whole number is wanted", ""),
    (JOB + "    nodes: 0", 5, "jobs.j.nodes", "must be at least 1", ""),
    (JOB + "    nodes: 4000", 5, "jobs.j.nodes", "must be at most 1024", ""),
    (JOB + "    nodes: true", 5, "jobs.j.nodes", "a whole number is wanted", ""),
    (JOB + "    spot: yes", 5, "jobs.j.spot", "`true` or `false` is wanted", "write `true`"),
    (JOB + "    outputs: model", 5, "jobs.j.outputs", "a list is wanted", "write `[model]`"),
    (JOB + "    outputs:\n    - a\n    - b\n    - a", 5, "jobs.j.outputs", "`a` stands twice", ""),
    (JOB + "    environment: {A: 4}", 5, "jobs.j.environment.A", "text is wanted", 'quotes: `"4"`'),
    (JOB + "    parameters: {a: [1]}", 5, "jobs.j.parameters.a", "`a` is a list; text, a number, `true`", ""),
    (JOB + "    parameters: {a: .nan}", 5, "jobs.j.parameters.a", "`a` is `.nan`; a finite number", ""),
    (JOB + "    parameters: {max_iter: 1, Max-Iter: 2}", 5, "jobs.j.parameters", "`max_iter` and `Max-Iter`", ""),
    (JOB + "    framework: {name: sklern, version: '1'}", 5, "jobs.j.framework.name", "allowed: sklearn", "`sklearn`"),
    (JOB + "    framework:\n     name: sklearn\n     version: 1.10", 7, "jobs.j.framework.version", "1.10", '`"1.10"`'),
    (JOB + "    framework: {name: sklearn, version: v1.5}", 5, "jobs.j.framework.version", "not a version", '`"1.5"`'),
    (JOB + "    image: x\n    framework: {name: sklearn, version: '1'}", 5, "jobs.j.image", "`image` and", ""),
    (JOB + "    machine: {memory: 16}", 5, "jobs.j.machine.memory", "a size with its unit", "`16GiB`"),
    (JOB + "    machine: {memory: 16 gigs}", 5, "jobs.j.machine.memory", "`16 gigs` is not a size", ""),
    (JOB + "    timeout: 2 hours", 5, "jobs.j.timeout", "`2 hours` is not a duration", ""),
    (JOB + "    timeout: 90", 5, "jobs.j.timeout", "a duration with its unit", "`90s`"),
    ("project: p1\njobs:\n  My_Job: {script: a.py}", 3, "jobs.My_Job", "`My_Job` is not a name", "`my-job`"),
    ("project: My Project", 1, "project", "`My Project` is not a project's name", "`my-project`"),
    (JOB + "    inputs: {code: datasets.d}", 5, "jobs.j.inputs.code", "`code` is reserved", ""),
    (JOB + "    outputs: [_cloudml_x]", 5, "jobs.j.outputs.0", "`_cloudml_x` is reserved", ""),
    (JOB + "    inputs: {_cloudml: datasets.d}", 5, "jobs.j.inputs._cloudml", "`_cloudml` is reserved", ""),
    (JOB + "    parameters: {sagemaker_x: 1}", 5, "jobs.j.parameters.sagemaker_x", "is reserved: SageMaker", ""),
    (JOB + "    inputs: {a: jobs.k.o}", 5, "jobs.j.inputs.a", "there is no `jobs.k`; jobs in this project: j", ""),
    (JOB + "    inputs: {a: data.d}", 5, "jobs.j.inputs.a", "`data.d` is not a reference to data: `datasets.NAME`", ""),
    (JOB + "    outputs: [o]\n    inputs:\n      a: jobs.j.o", 7, "jobs.j.inputs.a", "jobs.j -> jobs.j", "the circle"),
    (ENDPOINT + "    model: models.n", 7, "endpoints.e.model", "twice here, in line 6 and in line 7", "keep one"),
    (ENDPOINT + "    instances: many", 7, "endpoints.e.instances", "a number, or a range such as `{min", ""),
    (ENDPOINT + "    instances: 0", 7, "endpoints.e.instances", "must be at least 1", ""),
    (ENDPOINT + "    instances: {min: 4, max: 2}", 7, "endpoints.e.instances.min", "`min` 4 is above `max` 2", ""),
    (ENDPOINT + "    instances:\n      min: 1\n      max: x", 9, "endpoints.e.instances.max", "a whole number", ""),
    (ENDPOINT + "    capture: 2", 7, "endpoints.e.capture", "must be at most 1", ""),
    (MONITOR + "    checks: []", 12, "monitors.w.checks", "`checks` is empty", ""),
    (MONITOR + "    checks:\n    - {metric: psy, max: 1}", 13, "monitors.w.checks.0.metric", "allowed: psi", "`psi`"),
    (MONITOR + "    checks:\n    - {metric: js, max: 1}\n    - {metric: ks}", 14, "monitors.w.checks.1.max", "", ""),
    (
        MONITOR + "    checks: [{metric: ks, max: 1}]\n    schedule: '* * *'",
        13, "monitors.w.schedule", "has 3 fields; a cron expression has five", "",
    ),
    (
        MONITOR + "    checks: [{metric: ks, max: 1, on: predictions, columns: [a]}]",
        12, "monitors.w.checks.0.columns", "leave them out with `on: predictions`", "",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "message", "hint"), MISTAKES, ids=lambda value: str(value)[-30:])
def test_a_mistake_is_one_problem_with_its_line(problems, text, line, path, message, hint):
    found = problems(text)
    assert list(found) == [path], {key: value.message for key, value in found.items()}
    assert found[path].where == f"cloudml.yaml:{line}"
    assert message in found[path].message
    assert hint in found[path].hint


@pytest.mark.parametrize("name", ["SM_X", "AIP_X", "AZUREML_X", "AZURE_ML_X", "CLOUDML_X", "SAGEMAKER_X"])
def test_variables_of_the_containers_are_reserved(problems, name):
    (found,) = problems(JOB + f"    environment: {{{name}: '1'}}").values()
    assert f"`{name}` is reserved" in found.message


def test_all_problems_of_a_file_are_told_at_once_in_the_order_of_lines(problems):
    text = (
        "project: p1\n"
        "jobs:\n"
        "  a:\n"
        "    machine: {memroy: 3, cpuss: 1}\n"
        "    nodes: x\n"
        "    inputs: {x: 3, y: jobs.b.p}\n"
        "  b: {script: b.py, outputs: [o]}\n"
        "models: {m: {source: jobs.b.q}}\n"
    )
    found = problems(text)
    assert list(found) == [
        "jobs.a.script", "jobs.a.machine.memroy", "jobs.a.machine.cpuss", "jobs.a.nodes", "jobs.a.inputs.x",
        "models.m.source",
    ]  # fmt: skip
    text = text.replace("  a:\n", "  a:\n    script: a.py\n")
    assert "jobs.a.inputs.y" in problems(text)


def test_of_very_many_problems_the_first_are_told():
    text = "project: p1\n" + "".join(f"k{n}: 1\n" for n in range(3000))
    with pytest.raises(SpecError) as raised:
        loads(text)
    assert len(raised.value.problems) == MAX_PROBLEMS + 1
    assert raised.value.problems[-1].message == "there are more problems from here on"


def test_the_error_is_its_first_problem_and_notes_the_rest():
    with pytest.raises(SpecError) as raised:
        loads("project: p1\nfoo: 1\njbs: 2\n")
    assert raised.value.problems[0] is raised.value
    assert raised.value.exit_code == 2
    (note,) = raised.value.__notes__
    assert note.startswith("cloudml.yaml:3, jbs: `jbs` is not known here")
    assert note.endswith("did you mean `jobs`?")


def test_what_refers_to_something_wrong_is_not_wrong_itself(problems):
    text = ENDPOINT.replace("outputs: [model]", "outputs: {model: 1}")
    assert list(problems(text)) == ["jobs.j.outputs"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", "hunter22"),
        ("client_secret", "hunter22"),
        ("api-key", "hunter22"),
        ("secret_access_key", "hunter22"),
        ("note", "AKIA1234567890ABCDEF"),
        ("note", "-----BEGIN RSA PRIVATE KEY-----"),
        ("note", "DefaultEndpointsProtocol=https;AccountKey=hunter22"),
        ("note", "https://me:hunter22@example.org"),
    ],
)
def test_secrets_in_targets_are_refused_and_not_shown(problems, key, value):
    (found,) = problems(f"project: p1\ntargets:\n  a:\n    provider: aws\n    {key}: '{value}'\n").values()
    assert "sign-in" in found.hint
    assert found.where == "cloudml.yaml:5"
    assert value not in found.message + found.hint


def test_a_secret_in_the_wrong_place_is_not_shown_either(problems):
    for field in ("nodes", "timeout", "framework", "outputs", "source"):
        (found,) = problems(f"project: p1\njobs: {{j: {{script: j.py, {field}: AKIA1234567890ABCDEF}}}}").values()
        assert "looks like a secret" in found.message


@pytest.mark.parametrize("key", ["kms_key", "role_arn", "key_vault", "token_uri"])
def test_settings_that_only_sound_like_secrets_are_taken(problems, key):
    assert not problems(f"project: p1\ntargets: {{a: {{provider: aws, {key}: x}}}}\n")


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(SpecError, match="there is no project file") as raised:
        load(tmp_path)
    assert "cloudml init" in raised.value.hint


def test_a_huge_file_is_refused_without_being_read(tmp_path):
    path = tmp_path / "cloudml.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would end in a MemoryError
    with pytest.raises(SpecError, match=f"at most {MAX_BYTES} are read"):
        load(path)


def test_a_file_just_over_the_limit_is_refused(tmp_path):
    path = tmp_path / "cloudml.yaml"
    path.write_bytes(b"project: p1\n#" + b"x" * MAX_BYTES)
    with pytest.raises(SpecError, match="bytes; at most"):
        load(path)


def test_a_file_that_is_not_utf8_names_the_line(tmp_path):
    (tmp_path / "cloudml.yaml").write_bytes("project: p1\n# café\n".encode("latin-1"))
    with pytest.raises(SpecError, match="not UTF-8: byte 17 is 0xe9") as raised:
        load(tmp_path)
    assert raised.value.where.endswith("cloudml.yaml:2")


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    (tmp_path / "cloudml.yaml").write_bytes(b"\xef\xbb\xbfproject: p1\n")
    assert load(tmp_path).project == "p1"


def test_something_that_is_not_a_file_is_refused(tmp_path):
    (tmp_path / "cloudml.yaml").mkdir()
    with pytest.raises(SpecError, match="is not a file"):
        load(tmp_path)
