"""What every loaded model is, whoever wrote its code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence

from cloudml.runtime import codec
from cloudml.runtime.refusal import BadRequest

Parameters = Mapping[str, Any]


class Model(ABC):
    """A model that answers.

    Attributes:
        kind: "predictor", "sagemaker", "azure", "vertex", "sklearn", "xgboost" or "mlflow".
        source: The file that it comes from.
        names: The columns that it knows; empty when it knows none.
        joins: Whether the instances of several requests may be given to one call.
        steady: Whether a call computes and nothing else, so that its time follows from its rows.
    """

    kind = ""
    source = ""
    names: Sequence[str] = ()
    joins = True
    steady = False

    def check(self, instances: Sequence[Any]) -> None:  # noqa: B027  most models know nothing beforehand
        """Refuse what cannot be predicted, as far as that is known without predicting.

        Raises:
            BadRequest: With the row and field at fault.
        """

    @abstractmethod
    def predict(self, instances: List[Any], parameters: Parameters | None = None) -> List[Any]:
        """A prediction for each instance, in the types of JSON.

        Raises:
            BadRequest: An instance cannot be predicted.
        """

    def describe(self) -> Dict[str, Any]:
        """What is known of it, in the types of JSON."""
        return {"kind": self.kind, "source": self.source, "names": list(self.names)}


class Answer(NamedTuple):
    """The body of an answer, and its content type."""

    body: bytes
    content_type: str


class Foreign(Model):
    """A model whose code reads bodies and writes answers by itself, as its cloud asks for."""

    joins = False

    @abstractmethod
    def invoke(
        self, body: bytes, content_type: str | None, accept: str | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer of the code to a body.

        Raises:
            BadRequest: The code says that the request is wrong.
        """

    def predict(self, instances: List[Any], parameters: Parameters | None = None) -> List[Any]:
        """The predictions in the code's answer to ``{"instances": …, "parameters": …}``."""
        body = {"instances": instances, **({"parameters": parameters} if parameters else {})}
        answer = self.invoke(codec.dumps(body), codec.JSON, codec.JSON)
        return codec.predictions(answer.body, answer.content_type)


class PredictionError(Exception):
    """The model did not do its part; the caller cannot help it."""


def listed(predictions: Any) -> List[Any]:
    """What a predictor gave back as a list in the types of JSON.

    Raises:
        PredictionError: It is no list of any kind, or holds what has no form in JSON.
    """
    try:
        found = codec.plain(predictions)
    except TypeError as error:
        raise PredictionError(str(error)) from error
    if not isinstance(found, list):
        raise PredictionError(f"the predictor gave back {type(predictions).__name__}, not a list")
    return found


def no_parameters(parameters: Parameters | None) -> None:
    """Refuse parameters, for a model that takes none.

    Raises:
        BadRequest: There are some.
    """
    if parameters:
        raise BadRequest("this model takes no parameters", field="parameters")
