"""Serving code that was written for one cloud, under the contract of that cloud.

SageMaker: `inference.py` with model_fn and either transform_fn or any of input_fn, predict_fn and output_fn; what
is not there does as in Amazon's images, and each may take a `context` more. The body is text if the content type is
exactly application/json or text/csv, else bytes.

Azure ML: `score.py` with init() and run(data); the body is text whatever its content type is. `run` may have a
parameter `request_headers`. Functions marked `@rawhttp` need Azure's own server.

Vertex AI: a class with load(artifacts_uri), predict(instances), and preprocess(request) and postprocess(predictions) if
it likes.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping

from cloudml.runtime import codec, usercode
from cloudml.runtime.codec import JSON
from cloudml.runtime.model import Answer, Foreign, Parameters, listed
from cloudml.runtime.refusal import BadRequest, ModelError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

TEXT_TYPES = {JSON, "text/csv"}
HANDLERS = ("input_fn", "predict_fn", "output_fn")


class SageMaker(Foreign):
    """The functions of an `inference.py`."""

    kind = "sagemaker"

    def __init__(self, module: ModuleType, model_dir: Path) -> None:
        self.source = str(module.__file__)
        self._module = module
        own = usercode.public(module, HANDLERS)
        if "transform_fn" in vars(module) and own:
            raise ModelError(f"{self.source} has transform_fn and {', '.join(own)}; transform_fn does their work alone")
        if not usercode.public(module, ["model_fn"]):
            raise ModelError(f"{self.source} has no model_fn")
        facts = {"model_dir": str(model_dir), "gpu_id": None}
        self._context = SimpleNamespace(model_name="model", manifest={}, system_properties=facts)
        self._model = self._call(module.model_fn, str(model_dir))

    def invoke(
        self, body: bytes, content_type: str | None, accept: str | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer of transform_fn, or of the three others in turn."""
        del headers
        kind = content_type or JSON
        wanted = accept if accept and "*/*" not in accept else _default_accept()
        data = _as_text(body) if kind in TEXT_TYPES else body
        try:
            return _written(self._transformed(data, kind, wanted), wanted)
        except BadRequest:
            raise
        except Exception as error:
            chosen = _chosen_status(error)
            if chosen is None:
                raise
            raise chosen from error

    def predict(self, instances: List[Any], parameters: Parameters | None = None) -> List[Any]:
        """Through input_fn where the script has one of its own."""
        if usercode.public(self._module, ["transform_fn", "input_fn", "output_fn"]) or parameters:
            return super().predict(instances, parameters)
        return listed(self._call(self._function("predict_fn"), _matrix(instances), self._model))

    def _transformed(self, data: Any, kind: str, accept: str) -> Any:
        if usercode.public(self._module, ["transform_fn"]):
            return self._call(self._module.transform_fn, self._model, data, kind, accept)
        read = self._call(self._function("input_fn"), data, kind)
        predicted = self._call(self._function("predict_fn"), read, self._model)
        return self._call(self._function("output_fn"), predicted, accept)

    def _function(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self._module, name, DEFAULTS[name])
        return found

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        context = (self._context,) if usercode.positional(function) > len(arguments) else ()
        return function(*arguments, *context)


class Azure(Foreign):
    """The functions of a `score.py`."""

    kind = "azure"

    def __init__(self, module: ModuleType, model_dir: Path) -> None:
        self.source = str(module.__file__)
        if usercode.public(module, ["init", "run"]) != ["init", "run"]:
            raise ModelError(f"{self.source} needs the functions init() and run(data)")
        self._run = module.run
        self._with_headers = usercode.accepts(module.run, "request_headers")
        os.environ["AZUREML_MODEL_DIR"] = str(model_dir)
        module.init()

    def invoke(
        self, body: bytes, content_type: str | None, accept: str | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """What run() gives back, as JSON."""
        del content_type, accept
        named: Dict[str, Any] = {"request_headers": dict(headers or {})} if self._with_headers else {}
        return Answer(codec.dumps(codec.plain(self._run(_as_text(body), **named))), JSON)


class Vertex(Foreign):
    """A class in the form of Vertex AI's custom prediction routines."""

    kind = "vertex"

    def __init__(self, factory: Callable[[], Any], source: Path, model_dir: Path) -> None:
        self.source = str(source)
        self._predictor = factory()
        self._predictor.load(str(model_dir))

    def invoke(
        self, body: bytes, content_type: str | None, accept: str | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """What postprocess() gives back, as JSON."""
        del headers
        kind = codec.parsed_type(content_type or JSON)[0]
        codec.accepted(accept, JSON)
        if kind == JSON:
            asked = codec.loads(_as_text(body))
        else:
            asked = {"instances": codec.decode(body, content_type).instances}
        return Answer(codec.dumps(self._answered(asked)), JSON)

    def _answered(self, asked: Any) -> Any:
        answer = self._step("predict")(self._step("preprocess")(asked))
        answer = codec.plain(self._step("postprocess")(answer))
        return {"predictions": answer} if isinstance(answer, list) else answer

    def _step(self, name: str) -> Callable[[Any], Any]:
        found: Callable[[Any], Any] = getattr(self._predictor, name, _same)
        return found


def _same(value: Any) -> Any:
    return value


def _default_accept() -> str:
    return os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or JSON


def _as_text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: byte {error.start} of it cannot be read") from error


def _read(data: Any, content_type: str) -> Any:
    """The input_fn of Amazon's images: an array of the numbers in the body."""
    body = data.encode("utf-8") if isinstance(data, str) else bytes(data)
    return _matrix(codec.decode(body, content_type).instances)


def _matrix(instances: List[Any]) -> Any:
    """An array where numpy is there and the instances are numbers, else the list itself."""
    rows = [row if isinstance(row, list) else [row] for row in instances]
    if any(type(value) not in (int, float) for row in rows for value in row):
        return instances
    try:
        import numpy as np
    except ImportError:
        return instances
    return np.asarray(instances)


def _predicted(data: Any, model: Any) -> Any:
    return model.predict(data)


def _shown(predicted: Any, accept: str) -> Any:
    encoded = codec.encode(listed(predicted), accept, codec.Request([], shape="list"))
    return encoded.body, encoded.content_type


def _written(answer: Any, accept: str) -> Answer:
    """The answer in whatever form the script gave it: a pair, a response object, text, bytes."""
    if hasattr(answer, "get_data") and hasattr(answer, "status_code"):  # a `worker.Response` of sagemaker-containers
        body, kind = answer.get_data(), answer.mimetype
        if int(answer.status_code) >= BadRequest.status:
            raise _refused(int(answer.status_code), bytes(body).decode("utf-8", "replace"))
    else:
        body, kind = answer if isinstance(answer, tuple) else (answer, accept)
    if isinstance(body, str):
        body = body.encode("utf-8")
    if not isinstance(body, (bytes, bytearray)):
        body = codec.dumps(codec.plain(body))
    return Answer(bytes(body), kind)


def _refused(status: int, message: str) -> Exception:
    if status >= _SERVERS_FAULT:
        return RuntimeError(message)
    refusal = BadRequest(message)
    refusal.status = status
    return refusal


def _chosen_status(error: Exception) -> Exception | None:
    """The refusal in an error of sagemaker-inference that carries a status; None for every other error."""
    status, message = getattr(error, "status_code", None), getattr(error, "message", None)
    return _refused(status, str(message)) if isinstance(status, int) and message else None


_SERVERS_FAULT = 500
DEFAULTS: Mapping[str, Callable[..., Any]] = {"input_fn": _read, "predict_fn": _predicted, "output_fn": _shown}
