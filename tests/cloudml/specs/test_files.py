import pytest

from cloudml.specs.load import load

BASE = "project: p1\n"


def test_each_file_that_is_missing_is_told_with_the_nearest_that_exists(folder, problems, flights):
    text = (
        flights.replace("script: train.py", "script: trian.py")
        .replace("predict.py:Predictor", "perdict.py:Predictor")
        .replace("path: data/*.parquet ", "path: dta/*.parquet ")
    )
    found = problems(text, root=folder)
    assert {path: (problem.where, problem.hint) for path, problem in found.items()} == {
        "datasets.flights.path": ("cloudml.yaml:9", "did you mean `data/*.parquet`?"),
        "jobs.train.script": ("cloudml.yaml:18", "did you mean `train.py`?"),
        "models.delay.predictor": ("cloudml.yaml:37", "did you mean `predict.py`?"),
    }


@pytest.mark.parametrize("path", ["data", "data/", "data/2013.parquet", "data/*.parquet", "**/*.parquet", "./data"])
def test_a_dataset_may_be_a_file_a_folder_or_a_glob(folder, problems, path):
    assert not problems(BASE + f"datasets: {{d: {{path: '{path}'}}}}", root=folder)


def test_a_dataset_may_be_absolute(folder, problems):
    for path in (folder / "data", folder / "data" / "*.parquet"):
        assert not problems(BASE + f"datasets: {{d: {{path: '{path}'}}}}", root=folder)


@pytest.mark.parametrize(
    "path",
    ["data/*.csv", "empty", "nothing/here", "**x", "a\\0b", "x" * 1000, "**/" * 20 + "y", "*/" * 400, "/", "~/x"],
)
def test_a_dataset_that_matches_nothing_is_told(tmp_path, problems, path):
    (tmp_path / "empty").mkdir()
    root = tmp_path / "empty" if path == "/" else tmp_path
    text = BASE + f'datasets: {{d: {{path: "{path if path != "/" else "./."}"}}}}'
    (found,) = problems(text, root=root).values()
    assert "no file matches" in found.message


@pytest.mark.parametrize("path", ["s3://b/k", "gs://b/k", "az://c/k", "https://x.org/f.csv"])
def test_remote_datasets_are_not_looked_for(tmp_path, problems, path):
    assert not problems(BASE + f"datasets: {{d: {{path: '{path}'}}}}", root=tmp_path)


def test_an_unknown_scheme_is_refused(tmp_path, problems):
    (found,) = problems(BASE + "datasets: {d: {path: 'ftp://x/y'}}", root=tmp_path).values()
    assert "`ftp://` cannot be read" in found.message


def test_a_folder_of_sources_holds_script_and_requirements(folder, problems):
    (folder / "code").mkdir()
    (folder / "code" / "a.py").touch()
    job = "jobs:\n  j:\n    source: code\n    script: a.py\n    requirements: requirements.txt\n"
    found = problems(BASE + job, root=folder)
    assert {path: problem.where for path, problem in found.items()} == {"jobs.j.requirements": "cloudml.yaml:6"}
    (folder / "code" / "requirements.txt").touch()
    assert not problems(BASE + job, root=folder)
    (found,) = problems(BASE + job.replace("source: code", "source: cod"), root=folder).values()
    assert (found.path, found.hint) == ("jobs.j.source", "did you mean `code`?")


def test_a_script_outside_its_source_does_not_travel(folder, problems):
    (folder / "code").mkdir()
    text = BASE + "jobs: {j: {source: code, script: ../train.py}}"
    (found,) = problems(text, root=folder).values()
    assert "lies outside `code`" in found.message


def test_a_models_requirements_are_looked_for_beside_the_file(folder, problems, flights):
    text = flights.replace("    predictor:", "    requirements: serving.txt\n    predictor:")
    assert list(problems(text, root=folder)) == ["models.delay.requirements"]


def test_load_looks_for_files_beside_the_file(folder, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load(folder).datasets["flights"].path == "data/*.parquet"
