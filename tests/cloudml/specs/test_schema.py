import copy

import pytest
from jsonschema import Draft202012Validator

from cloudml.specs.document import parse
from cloudml.specs.schema import schema


@pytest.fixture(scope="module")
def validator():
    made = schema()
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def test_the_schema_takes_the_normative_file(validator, flights):
    assert list(validator.iter_errors(parse(flights, "f").value)) == []


def test_the_schema_knows_what_an_editor_shows(validator):
    made = validator.schema
    assert (made["$schema"], made["title"]) == ("https://json-schema.org/draft/2020-12/schema", "cloudml project file")
    job = made["$defs"]["JobSpec"]
    assert job["properties"]["script"]["description"] == "The script, in `source`."
    assert job["properties"]["timeout"]["default"] == "24h"
    assert "native" not in job["properties"]
    assert "name" not in job["properties"]
    assert job["required"] == ["script"]
    assert {"aws", "azure", "gcp", "local"} <= job["properties"].keys()
    assert {"slurm"} <= schema(providers=["slurm"])["$defs"]["EndpointSpec"]["properties"].keys()


REFUSED = [
    ("project", "My Project"),
    ("jbs", {}),
    ("jobs.train.scrpt", "x"),
    ("jobs.train.name", "x"),
    ("jobs.train.native", {}),
    ("jobs.train.script", "train.txt"),
    ("jobs.train.nodes", "3"),
    ("jobs.train.nodes", 0),
    ("jobs.train.spot", "yes"),
    ("jobs.train.outputs", "model"),
    ("jobs.train.timeout", "2 hours"),
    ("jobs.train.timeout", 2),
    ("jobs.train.machine", None),
    ("jobs.train.machine.memory", "16"),
    ("jobs.train.machine.memory", 16),
    ("jobs.train.parameters.max_iter", [1]),
    ("jobs.train.environment.A", 1),
    ("jobs.train.framework.version", 1.5),
    ("jobs.train.framework.name", "sklern"),
    ("jobs.train.inputs.x", "prepare.train"),
    ("jobs.train.aws", 3),
    ("jobs.My Job", {"script": "a.py"}),
    ("targets.t", {"region": "x"}),
    ("datasets.flights.label", None),
    ("models.delay.require.x", ">= 1"),
    ("models.delay.source", "models.delay"),
    ("endpoints.delay.instances", 0),
    ("endpoints.delay.instances", {"min": 1}),
    ("endpoints.delay.capture", 2),
    ("monitors.delay-drift.schedule", "hourly"),
    ("monitors.delay-drift.checks", []),
    ("monitors.delay-drift.checks", [{"metric": "psy", "max": 1}]),
]

TAKEN = [
    ("jobs.train.aws", {"Tags": [1, None]}),
    ("jobs.train.parameters.text", "x"),
    ("jobs.train.timeout", "1d12h"),
    ("jobs.train.machine", {"gpus": 1, "gpu": "T4", "disk": "50GB", "exact": {"aws": "ml.p3"}}),
    ("endpoints.delay.instances", {"min": 0, "max": 2}),
    ("monitors.delay-drift.window", "2h"),
]


def changed(document, path, value):
    """The document with one value put in; a key that has dots stands last in *path*."""
    result = copy.deepcopy(document)
    holder = result
    *above, last = path.split(".")
    for part in above:
        holder = holder[part] if part in holder else holder.setdefault(part, {})
    holder[last] = value
    return result


def as_text(document):
    """JSON is YAML."""
    import json

    return json.dumps(document)


@pytest.mark.parametrize(("path", "value"), REFUSED, ids=str)
def test_what_is_wrong_is_refused_by_the_schema_and_by_the_loader(validator, problems, flights, path, value):
    document = changed(parse(flights, "f").value, path, value)
    assert list(validator.iter_errors(document))
    assert any(found.startswith(path) for found in problems(as_text(document)))


@pytest.mark.parametrize(("path", "value"), TAKEN, ids=str)
def test_what_is_right_is_taken_by_the_schema_and_by_the_loader(validator, problems, flights, path, value):
    document = changed(parse(flights, "f").value, path, value)
    assert list(validator.iter_errors(document)) == []
    assert problems(as_text(document)) == {}
