"""Models without code of their own: the files that scikit-learn, XGBoost and MLflow write.

Rows may be lists in the model's own order of columns, or objects: their values are put in that order by the names that
the model was trained with, and keys that it does not know are left out. null is a missing value.

joblib and pickle files run code when they are loaded: load only what you trust. Of a skops file only types of
scikit-learn and numpy themselves are trusted. An XGBoost file predicts as `Booster.predict` does: probabilities, where
the objective gives them.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Sequence

from cloudml.runtime import mlmodel
from cloudml.runtime.model import Model, Parameters, listed, no_parameters
from cloudml.runtime.refusal import BadRequest, ModelError

if TYPE_CHECKING:
    from pathlib import Path

TRUSTED = ("sklearn.", "numpy.")
_XGBOOST_MARK = b'"learner"'
_LOOK_BYTES = 4096


class Table(Model):
    """A model of rows and columns.

    Args:
        source: The file that it comes from.
        kind: As in `Model.kind`.
        predict: Takes rows in the model's order of columns; gives something like an array.
        names: The columns; empty when the model does not know their names.
        width: How many columns; None when the model does not know that.
    """

    steady = True

    def __init__(
        self, source: Path, kind: str, predict: Callable[[List[Any]], Any], names: Sequence[str], width: int | None
    ) -> None:
        self.source, self.kind, self.names = str(source), kind, names
        self._predict, self._width = predict, width

    def check(self, instances: Sequence[Any]) -> None:
        """Refuse rows without a column, or of another width."""
        self.rows(instances)

    def predict(self, instances: List[Any], parameters: Parameters | None = None) -> List[Any]:
        no_parameters(parameters)
        return listed(self._predict(self.rows(instances))) if instances else []

    def rows(self, instances: Sequence[Any]) -> List[Any]:
        """The instances in the model's order of columns."""
        return [self._row(index, instance) for index, instance in enumerate(instances)]

    def _row(self, index: int, instance: Any) -> Any:
        if isinstance(instance, dict):
            return self._ordered(index, instance) if self.names else instance
        if not isinstance(instance, list):
            if self._width in {None, 1}:
                return instance if self._width is None else [instance]
            raise BadRequest(f"expected {self._width} values, found one that is no list", row=index)
        if self._width not in {None, len(instance)}:
            raise BadRequest(f"expected {self._width} values, found {len(instance)}", row=index)
        return instance

    def _ordered(self, index: int, instance: Dict[str, Any]) -> List[Any]:
        for name in self.names:
            if name not in instance:
                raise BadRequest(f"no field `{name}`", row=index, field=name)
        return [instance[name] for name in self.names]


def found(folder: Path) -> List[Path]:
    """The model files in a folder: an `MLmodel` stands for all that lies beside it."""
    whole = folder / mlmodel.NAME
    if whole.is_file():
        return [whole]
    return sorted(path for path in folder.iterdir() if path.is_file() and _is_model(path))


def load(path: Path) -> Model:
    """The model in a file that `found` gives.

    Raises:
        ModelError: A package is missing, or the file asks for types that are not trusted.
    """
    if path.name == mlmodel.NAME:
        return _mlflow(path.parent)
    return READERS[path.suffix](path)


def _is_model(path: Path) -> bool:
    if path.suffix != ".json":
        return path.suffix in READERS
    with path.open("rb") as file:  # other JSON lies beside models: metrics, parameters
        return _XGBOOST_MARK in file.read(_LOOK_BYTES)


def _joblib(path: Path) -> Model:
    return _estimator(path, package("joblib", path).load(path))


def _pickle(path: Path) -> Model:
    with path.open("rb") as file:
        try:
            return _estimator(path, pickle.load(file))  # noqa: S301  the model is the user's own; the docstring warns
        except ModuleNotFoundError as error:
            raise _missing(str(error.name), path) from error


def _skops(path: Path) -> Model:
    package("skops", path)
    skops = package("skops.io", path)
    asked = skops.get_untrusted_types(file=path)
    refused = [name for name in asked if not _is_trusted(name)]
    if refused:
        raise ModelError(
            f"{path.name} asks for types that are not trusted: {', '.join(refused)}; "
            "write a predictor that loads it with the types you trust"
        )
    return _estimator(path, skops.load(path, trusted=asked))


def _is_trusted(name: str) -> bool:
    """Whether a type is a class of scikit-learn or numpy, not a function that a file could have called."""
    module, _, attribute = name.rpartition(".")
    if not name.startswith(TRUSTED):
        return False
    try:
        return isinstance(getattr(importlib.import_module(module), attribute, None), type)
    except ImportError:
        return False


def _booster(path: Path) -> Model:
    booster = package("xgboost", path).Booster()
    booster.load_model(str(path))
    return _boosted(path, booster)


def _estimator(path: Path, model: Any, method: str = "predict") -> Model:
    """The model in an object, by what the object is."""
    library = type(model).__module__.partition(".")[0]
    if library == "xgboost" and type(model).__name__ == "Booster":
        return _boosted(path, model)
    if not callable(getattr(model, method, None)):
        raise ModelError(f"{path.name} holds a {type(model).__name__}, which has no {method}()")
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    width = getattr(model, "n_features_in_", None)
    kind = "xgboost" if library == "xgboost" else "sklearn"
    predict = getattr(model, method)
    return Table(path, kind, lambda rows: predict(_frame(rows, names)), names, width)


def _boosted(path: Path, booster: Any) -> Model:
    xgboost, names = package("xgboost", path), booster.feature_names
    if "c" in (booster.feature_types or ()):
        raise ModelError(f"{path.name} has categorical columns, whose codes the file does not tell; write a predictor")

    def predict(rows: List[Any]) -> Any:
        matrix = xgboost.DMatrix(_numbers(rows, names or ()), feature_names=names)
        return booster.predict(matrix)

    return Table(path, "xgboost", predict, names or (), booster.num_features())


def _mlflow(folder: Path) -> Model:
    """The scikit-learn or XGBoost model that the folder holds, read directly; every other one through mlflow.

    The direct way gives the same numbers whether mlflow is installed or not.
    """
    flavors = mlmodel.flavors(folder)
    pyfunc = flavors.get("python_function", {})
    if pyfunc.get("code"):
        sys.path.insert(0, str(folder / pyfunc["code"]))
    read = next((read for name, read in FLAVORS.items() if name in flavors), _pyfunc)
    model = read(folder, flavors)
    model.kind = "mlflow"
    return model


def _mlflow_sklearn(folder: Path, flavors: Mapping[str, Mapping[str, Any]]) -> Model:
    path = folder / flavors["sklearn"].get("pickled_model", "model.pkl")
    if flavors["sklearn"].get("serialization_format") == "skops":
        return _skops(path)
    with path.open("rb") as file:
        try:
            model = pickle.load(file)  # noqa: S301  the model is the user's own; the docstring warns
        except ModuleNotFoundError as error:
            raise _missing(str(error.name), path) from error
    return _estimator(path, model, flavors.get("python_function", {}).get("predict_fn") or "predict")


def _mlflow_xgboost(folder: Path, flavors: Mapping[str, Mapping[str, Any]]) -> Model:
    flavor = flavors["xgboost"]
    path = folder / flavor.get("data", "model.xgb")
    module, _, name = str(flavor.get("model_class", "xgboost.core.Booster")).rpartition(".")
    if not module.startswith("xgboost."):
        raise ModelError(f"{folder / mlmodel.NAME} names the class {module}.{name}, which is none of xgboost")
    package("xgboost", path)
    model = getattr(importlib.import_module(module), name)()
    model.load_model(str(path))
    return _estimator(path, model)


def _pyfunc(folder: Path, flavors: Mapping[str, Mapping[str, Any]]) -> Model:
    if "python_function" not in flavors:
        raise ModelError(f"{folder} has no flavor that can be served, only: {', '.join(flavors)}")
    return _Pyfunc(folder, package("mlflow.pyfunc", folder / mlmodel.NAME).load_model(str(folder)))


class _Pyfunc(Model):
    def __init__(self, folder: Path, model: Any) -> None:
        self.source = str(folder / mlmodel.NAME)
        self._model = model

    def predict(self, instances: List[Any], parameters: Parameters | None = None) -> List[Any]:
        """The parameters are those of the model's signature."""
        import pandas as pd

        return listed(self._model.predict(pd.DataFrame(instances), params=parameters))


def package(name: str, path: Path) -> Any:
    """A package that a model needs.

    Raises:
        ModelError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = getattr(error, "name", None) or name
        raise _missing(missing, path) from error


def _missing(name: str, path: Path) -> ModelError:
    top = name.partition(".")[0]
    return ModelError(f"{path.name} needs the package `{PACKAGES.get(top, top)}`, which is not installed")


def _frame(rows: List[Any], names: Sequence[str]) -> Any:
    """What scikit-learn takes: a frame if the names are known and pandas is there, an array, or rows."""
    if not rows or not isinstance(rows[0], list):
        return rows
    if names:
        try:
            import pandas as pd
        except ImportError:
            return rows
        return pd.DataFrame(rows, columns=list(names))
    try:
        numpy = importlib.import_module("numpy")
        array = numpy.array(rows)
    except (ImportError, ValueError):  # a model without numpy; rows of several widths, which it refuses in its words
        return rows
    if array.dtype.kind in "biuf":
        return array
    mixed = any(isinstance(value, str) for row in rows for value in row)
    return numpy.array(rows, dtype=object) if mixed else rows


def _numbers(rows: List[Any], names: Sequence[str]) -> Any:
    for index, row in enumerate(rows):
        for column, value in enumerate(row):
            if not isinstance(value, (int, float, type(None))):
                field = names[column] if names else str(column)
                raise BadRequest(f"column `{field}` must be a number or null", row=index, field=field)
    return importlib.import_module("numpy").array(rows, dtype=float)


READERS: Mapping[str, Callable[["Path"], Model]] = {
    ".joblib": _joblib,
    ".pkl": _pickle,
    ".pickle": _pickle,
    ".skops": _skops,
    ".json": _booster,
    ".ubj": _booster,
    ".bst": _booster,
}
"""How a model file is read, by its suffix; a .json file counts if it is XGBoost's."""
FLAVORS: Mapping[str, Callable[["Path", Mapping[str, Mapping[str, Any]]], Model]] = {
    "sklearn": _mlflow_sklearn,
    "xgboost": _mlflow_xgboost,
}
PACKAGES: Mapping[str, str] = {"sklearn": "scikit-learn"}
"""Names to install, where they differ from names to import."""
