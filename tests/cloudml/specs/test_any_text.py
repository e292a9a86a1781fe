"""Whatever stands in a file, the answer is a project or a SpecError that can be shown."""

import json
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudml.errors import SpecError
from cloudml.specs import DatasetSpec, EndpointSpec, JobSpec, ModelSpec, MonitorSpec, ProjectSpec
from cloudml.specs.base import PROVIDERS
from cloudml.specs.load import loads

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

WORDS = [
    "project", "targets", "datasets", "jobs", "models", "endpoints", "monitors", "provider", "path", "label", "script",
    "source", "inputs", "outputs", "parameters", "metrics", "framework", "image", "requirements", "machine", "nodes",
    "spot", "timeout", "environment", "model", "instances", "min", "max", "capture", "endpoint", "baseline", "schedule",
    "window", "checks", "metric", "columns", "on", "predictor", "require", "native", "name", "version", "exact",
    "memory", "<<", "code", "", ".", "..", "[key]", "<range>", "<number>", "<value>", "0", "a b", "\n", "\0",
    *PROVIDERS,
]  # fmt: skip
VALUES = [
    "train.py", "../x.py", "datasets.a", "jobs.a.b", "jobs.a.auc", "models.a", "endpoints.a", ">= 0.7", "16GiB", "2h",
    "**", "0 * * * *", "predict.py:Predictor", "/", "9" * 5000, "1e999999", "0.0GB", "AKIA1234567890ABCDEF", "s3://b",
]  # fmt: skip

SPECS = {
    "datasets": (DatasetSpec, {"path": "s3://b/x"}),
    "jobs": (JobSpec, {"script": "a.py"}),
    "models": (ModelSpec, {"source": "jobs.a.model"}),
    "endpoints": (EndpointSpec, {"model": "models.a"}),
    "monitors": (
        MonitorSpec,
        {"endpoint": "endpoints.a", "baseline": "datasets.a", "checks": [{"metric": "ks", "max": 1}]},
    ),
}
FIELDS = [f"{section}.{key}" for section, (model, _) in SPECS.items() for key in ("aws", *model.model_fields)]

keys = st.sampled_from(WORDS) | st.text(max_size=5)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(VALUES) | st.text(max_size=8)
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))
resources = st.dictionaries(keys, trees, max_size=5)
sections = st.dictionaries(st.sampled_from(["a", "b", "a-b", "A"]), resources | leaves, max_size=3)
projects = st.dictionaries(st.sampled_from(WORDS[1:7]), sections | leaves, max_size=6)
pieces = st.sampled_from(
    ["\n", "  ", "- ", ": ", "a", "jobs", "[", "]", "{", "}", ",", "&a ", "*a", "<<", "? ", "!!str ", "!x ", "|", ">",
     '"', "'", "#", "%YAML 1.1\n", "---", "...", "\t", "1", ".nan", "\\", "\ufeff", "\x85", "\0", "é", "💡",
     "project: p1\n"]
)  # fmt: skip


def outcome(text, root):
    try:
        return loads(text, root=root)
    except SpecError as error:
        return error.problems


def judge(text, root):
    found = outcome(text, root)
    assert found
    for problem in () if isinstance(found, ProjectSpec) else found:
        assert problem.message
        assert re.fullmatch(r"cloudml\.yaml:[1-9]\d*", problem.where)


@QUICK
@given(text=st.text(max_size=60) | st.lists(pieces, max_size=25).map("".join))
def test_any_text_gives_a_project_or_an_error(text, tmp_path):
    judge(text, tmp_path)


@QUICK
@given(tree=projects)
def test_any_structure_gives_a_project_or_an_error(tree, tmp_path):
    judge(json.dumps({"project": "p1", **tree}), tmp_path)


@QUICK
@given(tree=trees, field=st.sampled_from(FIELDS))
def test_any_value_in_a_good_file_gives_a_project_or_an_error(tree, field, tmp_path):
    section, key = field.split(".")
    resource = {**SPECS[section][1], key: tree}
    judge(json.dumps({"project": "p1", section: {"a": resource}}), tmp_path)
