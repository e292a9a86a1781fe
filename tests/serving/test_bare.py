"""Models without code of their own, written by the packages themselves: each says what the model itself says.

The packages are imported where they are used: every process of a test run reads this file, and few make models.
"""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pytest

from cloudml.runtime.adapters import BadRequest, ModelError, load

MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.{flavor}
    model_path: {file}
    predict_fn: {method}
    python_version: 3.11.7
  {flavor}:
    code: null
    {said}
mlflow_version: 2.16.0
model_size_bytes: 742
model_uuid: 4c2b3a9d0f6e4f0c8f0a2d0a4be1c6f5
signature:
  inputs: '[{{"type": "double", "name": "sepal length (cm)", "required": true}}, {{"type":
    "double", "name": "sepal width (cm)", "required": true}}]'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "int64", "shape": [-1]}}}}]'
  params: null
utc_time_created: '2026-01-02 03:04:05.678901'
"""


def dump_pickle(model, path):
    path.write_bytes(pickle.dumps(model))


def dump_skops(model, path):
    from skops.io import dump  # when it is loaded it looks through all modules: seconds beside all those of the tests

    dump(model, path)


DUMPS = {
    "model.joblib": joblib.dump,
    "model.pkl": dump_pickle,
    "model.pickle": dump_pickle,
    "model.skops": dump_skops,
}


@pytest.mark.parametrize("name", DUMPS)
def test_a_scikit_learn_model_answers_lists_and_objects_alike(name: str, folder, iris) -> None:
    DUMPS[name](iris.model, folder / name)
    model = load(folder)
    assert model.describe() == {"kind": "sklearn", "source": str(folder / name), "names": iris.names}
    assert model.predict(iris.rows) == model.predict(iris.records) == iris.expected
    assert {type(value) for value in model.predict(iris.rows)} == {int}


WITHOUT_PANDAS = """
import json, sys
from pathlib import Path

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ImportError(name)

sys.meta_path.insert(0, Hidden())
from cloudml.runtime.adapters import load
print(json.dumps(load(Path(sys.argv[1])).predict(json.loads(sys.argv[2]))))
"""


def test_names_become_columns_without_pandas_too(iris_folder, iris) -> None:
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT_PANDAS, str(iris_folder), json.dumps(iris.records)]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout) == iris.expected


def test_rows_that_do_not_fit_are_refused_before_they_are_predicted(iris_folder, iris) -> None:
    model = load(iris_folder)
    for bad, field in (({"sepal length (cm)": 1.0}, "sepal width (cm)"), ([1.0, 2.0], None), (5, None)):
        with pytest.raises(BadRequest) as caught:
            model.check([iris.rows[0], bad])
        assert (caught.value.row, caught.value.field) == (1, field)


@pytest.mark.parametrize("name", ["model.json", "model.ubj", "model.bst"])
@pytest.mark.filterwarnings("ignore:.*[Uu][Bb][Jj]")  # xgboost says of .bst that it writes UBJSON
def test_an_xgboost_file_answers_as_its_booster_does(name: str, folder, iris) -> None:
    import xgboost

    matrix = xgboost.DMatrix(iris.rows, label=[float(value > 0) for value in iris.expected], feature_names=iris.names)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 2}, matrix, 5)
    booster.save_model(folder / name)
    (folder / "metrics.json").write_text('{"auc": 1}')
    model = load(folder)
    assert model.kind == "xgboost"
    assert model.names == iris.names
    assert model.predict(iris.records) == model.predict(iris.rows) == booster.predict(matrix).tolist()
    with pytest.raises(BadRequest) as caught:
        model.predict([{**iris.records[0], iris.names[2]: "x"}])
    assert (caught.value.row, caught.value.field) == (0, iris.names[2])
    missing = {**iris.records[0], iris.names[2]: None}
    assert 0 < model.predict([missing])[0] < 1


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_an_mlflow_folder_with_scikit_learn_answers_as_its_method_does(method: str, folder, iris) -> None:
    import pandas as pd

    dump_pickle(iris.model, folder / "model.pkl")
    said = "pickled_model: model.pkl\n    serialization_format: cloudpickle"
    (folder / "MLmodel").write_text(MLMODEL.format(flavor="sklearn", file="model.pkl", method=method, said=said))
    (folder / "conda.yaml").write_text("name: env\n")
    model = load(folder)
    assert model.kind == "mlflow"
    frame = pd.DataFrame(iris.rows, columns=iris.names)
    assert model.predict(iris.records) == getattr(iris.model, method)(frame).tolist()


def test_an_mlflow_folder_with_xgboost_answers_with_labels_when_its_class_does(folder, iris) -> None:
    import xgboost

    classifier = xgboost.XGBClassifier(n_estimators=5, max_depth=2).fit(iris.rows, iris.expected)
    classifier.save_model(folder / "model.ubj")
    said = "data: model.ubj\n    model_class: xgboost.sklearn.XGBClassifier\n    model_format: ubj"
    (folder / "MLmodel").write_text(MLMODEL.format(flavor="xgboost", file="model.ubj", method="predict", said=said))
    model = load(folder)
    assert model.kind == "mlflow"
    assert model.predict(iris.rows) == classifier.predict(iris.rows).tolist()
    said = said.replace("xgboost.sklearn.XGBClassifier", "subprocess.Popen")
    (folder / "MLmodel").write_text(MLMODEL.format(flavor="xgboost", file="model.ubj", method="predict", said=said))
    with pytest.raises(ModelError, match=r"subprocess\.Popen"):
        load(folder)


def test_another_flavor_asks_for_mlflow_by_name(folder, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    (folder / "MLmodel").write_text(MLMODEL.format(flavor="pytorch", file="data", method="predict", said="x: y"))
    with pytest.raises(ModelError, match="MLmodel needs the package `mlflow`"):
        load(folder)


def test_a_skops_file_with_types_of_others_is_refused_by_their_names(folder) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = make_pipeline(FunctionTransformer(json.dumps), LogisticRegression())
    dump_skops(model, folder / "model.skops")
    with pytest.raises(ModelError, match=r"not trusted: json\.dumps"):
        load(folder)


def test_a_skops_file_may_not_name_a_function_of_numpy(folder) -> None:
    from sklearn.preprocessing import FunctionTransformer

    dump_skops(FunctionTransformer(np.testing.assert_equal), folder / "model.skops")
    with pytest.raises(ModelError, match=re.escape("numpy.testing")):
        load(folder)


def test_text_in_rows_stays_text(folder) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rows, target = [["a", 1], ["b", 2], ["a", 3], ["b", 1]], [0, 1, 0, 1]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    joblib.dump(model.fit(np.array(rows, dtype=object), target), folder / "model.joblib")
    assert load(folder).predict([["b", 1], ["a", 1]]) == [1, 0]


def test_a_model_of_objects_gets_the_objects_themselves(folder) -> None:
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows, target = [{"kind": "a"}, {"kind": "b", "weight": 2}] * 3, [0, 1] * 3
    joblib.dump(make_pipeline(DictVectorizer(), LogisticRegression()).fit(rows, target), folder / "model.joblib")
    assert load(folder).predict(rows) == target


def test_an_object_that_cannot_predict_is_refused(folder) -> None:
    joblib.dump({"a": 1}, folder / "model.joblib")
    with pytest.raises(ModelError, match=r"holds a dict, which has no predict\(\)"):
        load(folder)
