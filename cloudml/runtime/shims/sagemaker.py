"""Any model under SageMaker's serving toolkits, by the two functions that all of them call.

A folder that SageMaker lays out at /opt/ml/model holds the model's files, and ``code/``:

    inference.py      what the toolkit imports: model_fn and transform_fn, which lead here
    cloudml.json      which code answers, see `cloudml.runtime.adapters`
    source/           the predictor's code
    runtime/          cloudml.runtime
    requirements.txt  installed by the toolkit before the model is loaded

A refusal leaves as each toolkit lets code choose a status: sagemaker-containers takes a response object, and
sagemaker-inference an error of its own. To every other caller it is an exception with `status_code`, `message` and
`phrase`. The message is the JSON of `answering.failed` on one line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Tuple, Union

from cloudml.runtime import adapters, answering

if TYPE_CHECKING:
    from cloudml.runtime.model import Model

SUCCESS = 200
PHRASES = {400: "Bad Request", 406: "Not Acceptable", 415: "Unsupported Media Type", 500: "Internal Server Error"}


class Refused(Exception):  # noqa: N818  named for what it says
    """An answer with a status of its own, for a caller that is no toolkit."""

    def __init__(self, status_code: int, message: str, phrase: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.message = message
        self.phrase = phrase


def load(model_dir: "Union[str, os.PathLike[str]]") -> Model:
    """The model in a folder laid out as above.

    Raises:
        ModelError: Nothing that can be served is there; the text says what was found.
    """
    folder = Path(model_dir)
    model = adapters.load(folder)
    print("serving a model of kind %s from %s" % (model.kind, os.path.relpath(model.source, str(folder))), flush=True)
    return model


def transform(model: Model, data: Any, content_type: "str | None", accept: "str | None") -> Any:
    """The answer to one request as the toolkit that is loaded takes it: body and content type, or a refusal.

    Args:
        model: What `load` gave.
        data: The body: text or any kind of bytes, as the toolkit and the content type have it.
        content_type: The header, with its parameters.
        accept: The header; each toolkit puts its default in the place of none and of ``*/*``.

    Raises:
        Exception: The answer is a refusal: sagemaker-inference's own error where that is loaded, else `Refused`.
    """
    reply = answering.answer(model, body(data), content_type, accept)
    if reply.status == SUCCESS:
        return written(reply)
    return _refusal(reply)


def body(data: Any) -> bytes:
    """The bytes of a body, whatever a toolkit has made of them."""
    return data.encode("utf-8") if isinstance(data, str) else bytes(data or b"")


def written(reply: answering.Reply) -> "Tuple[Any, str]":
    """Body and content type as a toolkit sends them: CSV as text, which one of them decodes and encodes again."""
    return reply.body.decode("utf-8"), reply.content_type


def _refusal(reply: answering.Reply) -> Any:
    containers = sys.modules.get("sagemaker_containers._worker")
    if containers is not None:
        return containers.Response(response=reply.body, status=reply.status, mimetype=reply.content_type)
    inference = sys.modules.get("sagemaker_inference.errors")
    kind = Refused if inference is None else inference.BaseInferenceToolkitError
    raise kind(reply.status, reply.body.decode("utf-8"), PHRASES.get(reply.status, "Refused")) from None
