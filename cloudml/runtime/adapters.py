"""Loading a model, whoever wrote its code: ``load(folder)`` gives something with `predict`.

What a folder is, is found out in this order:

1. the predictor that is named, ``file.py:Class`` or ``file.py``: in the code folder, else in the model's `code` folder,
   else in the model's folder. A class with `load` is one of Vertex AI, every other a `Predictor`; a file without a
   class is one of SageMaker if it has model_fn, one of Azure ML if it has init and run;
2. a script of a known name in the same three places: predict.py or predictor.py (with a class `Predictor`),
   inference.py, score.py;
3. an `MLmodel`, else one file that is a model (`bare.READERS`), in the model's folder;
4. all of this one folder deeper, if the model's folder holds nothing of the kind and exactly one folder.

A `code` folder that cloudml laid out beside the model's files is not the model's, and is passed over. The file `CARD`
in it tells where the predictor lies: ``{"predictor": "predict.py:Predictor", "source": "source"}``, or null for both.

Where several are found at one step, the error lists them: name one as the predictor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Sequence, Tuple

from cloudml.runtime import bare, usercode
from cloudml.runtime.foreign import Azure, SageMaker, Vertex
from cloudml.runtime.model import Foreign, Model, Parameters, listed, no_parameters
from cloudml.runtime.refusal import BadRequest, ModelError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["BadRequest", "Foreign", "Model", "ModelError", "Predicting", "load"]

CLASS = "Predictor"
CARD = "cloudml.json"
"""In a `code` folder that cloudml laid out: which code answers for the model beside it."""
SCRIPTS: Mapping[str, str] = {"predict.py": CLASS, "predictor.py": CLASS, "inference.py": "", "score.py": ""}
"""Scripts that are looked for, and the class each has to have."""


class Predicting(Model):
    """A neutral predictor: ``__init__(self, model: Path)``, ``predict(self, instances: list) -> list``.

    `predict` may take ``parameters`` as well.
    """

    kind = "predictor"

    def __init__(self, factory: Callable[[Path], Any], source: Path, model_dir: Path) -> None:
        self.source = str(source)
        self._predictor = factory(model_dir)
        self._takes_parameters = usercode.accepts(self._predictor.predict, "parameters")

    def predict(self, instances: List[Any], parameters: Parameters | None = None) -> List[Any]:
        if self._takes_parameters:
            return listed(self._predictor.predict(instances, parameters=dict(parameters or {})))
        no_parameters(parameters)
        return listed(self._predictor.predict(instances))


def load(model_dir: Path, predictor: str | None = None, code_dir: Path | None = None) -> Model:
    """The model in a folder.

    Args:
        model_dir: What a training job has written.
        predictor: ``file.py:Class`` or ``file.py``; looked for when it is not named.
        code_dir: Where the code lies, when it is not in the model's folder.

    Raises:
        ModelError: Nothing that can be served is there, or too much of it; the text lists what was found.
    """
    model_dir = Path(model_dir).absolute()
    if not model_dir.is_dir():
        raise ModelError(f"there is no model folder {model_dir}")
    if code_dir is None and _shipped(model_dir):  # a name from outside is that of the toolkit's entry
        predictor, code_dir = _carded(model_dir / "code")
    places = _places(model_dir, code_dir)
    if predictor:
        file, _, name = predictor.partition(":")
        return _from_script(_named(file, places), name, places, model_dir)
    for folder in places:
        scripts = [folder / name for name in SCRIPTS if (folder / name).is_file()]
        if scripts:
            script = _only(scripts, folder)
            return _from_script(script, SCRIPTS[script.name], places, model_dir)
    return _without_code(model_dir, code_dir)


def _without_code(model_dir: Path, code_dir: Path | None) -> Model:
    models = bare.found(model_dir)
    if models:
        return bare.load(_only(models, model_dir))
    ours = {model_dir / "code"} if _shipped(model_dir) else set()
    inside = (path for path in model_dir.iterdir() if path.is_dir() and path not in ours)
    folders = [path for path in inside if not path.name.startswith((".", "_"))]
    if len(folders) == 1 and folders[0].name != "code":
        return load(folders[0], None, code_dir)
    known = ", ".join([*SCRIPTS, "MLmodel", *(f"*{suffix}" for suffix in bare.READERS)])
    raise ModelError(
        f"nothing in {model_dir} can be served; it holds: {_content(model_dir)}. "
        f"Name a predictor, or leave one of: {known}"
    )


def _places(model_dir: Path, code_dir: Path | None) -> List[Path]:
    own = [model_dir] if _shipped(model_dir) else [model_dir / "code", model_dir]
    return [folder for folder in ([Path(code_dir).absolute()] if code_dir else []) + own if folder.is_dir()]


def _shipped(model_dir: Path) -> bool:
    return (model_dir / "code" / CARD).is_file()


def _carded(code: Path) -> Tuple[str | None, Path | None]:
    card = json.loads((code / CARD).read_text("utf-8"))
    return card["predictor"], code / card["source"] if card["source"] else None


def _named(file: str, places: Sequence[Path]) -> Path:
    name = file if file.endswith(".py") else f"{file}.py"
    found = next((folder / name for folder in places if (folder / name).is_file()), None)
    if found is None:
        raise ModelError(f"no {name} in {', '.join(map(str, places))}; there is: {_content(places[0])}")
    return found


def _from_script(script: Path, name: str, places: Sequence[Path], model_dir: Path) -> Model:
    module = usercode.load(script, places)
    if name:
        return _from_class(module, name, script, model_dir)
    for kind, functions in FUNCTIONS.items():
        if usercode.public(module, functions) == functions:
            return kind(module, model_dir)
    if usercode.public(module, [CLASS]):
        return _from_class(module, CLASS, script, model_dir)
    raise ModelError(f"{script} has neither model_fn, nor init and run, nor a class {CLASS}")


def _from_class(module: ModuleType, name: str, script: Path, model_dir: Path) -> Model:
    found = getattr(module, name, None)
    if not callable(getattr(found, "predict", None)):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise ModelError(f"{script} has no class {name} with predict(); its classes: {', '.join(classes) or 'none'}")
    assert found is not None
    kind = Vertex if callable(getattr(found, "load", None)) else Predicting
    return kind(found, script, model_dir)


def _only(paths: Sequence[Path], folder: Path) -> Path:
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise ModelError(
            f"{folder} holds several that could be served: {names}; name one as the predictor, or leave one"
        )
    return paths[0]


def _content(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"


FUNCTIONS: Mapping[Callable[["ModuleType", Path], Foreign], List[str]] = {
    SageMaker: ["model_fn"],
    Azure: ["init", "run"],
}
