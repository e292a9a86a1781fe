"""A model that is called in this process, without a socket, as its server would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.runtime import adapters, answering

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml.runtime.answering import Reply
    from cloudml.runtime.model import Model


class Local:
    """A loaded model.

    Args:
        model: From `cloudml.runtime.adapters.load`.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @classmethod
    def load(cls, folder: Path, predictor: str | None = None, code: Path | None = None) -> Local:
        """The model in a folder; see `cloudml.runtime.adapters.load`.

        Raises:
            ModelError: Nothing that can be served is there.
        """
        return cls(adapters.load(folder, predictor, code))

    def invoke(self, body: bytes, content_type: str | None = None, accept: str | None = None) -> Reply:
        """Status, body and content type, as the server answers; nothing is joined, recorded or limited."""
        return answering.answer(self.model, body, content_type, accept)

    def predict(self, instances: list[Any], parameters: dict[str, Any] | None = None) -> list[Any]:
        """A prediction for each instance.

        Raises:
            BadRequest: A row is at fault; it is named.
            PredictionError: The model gave back another number of predictions.
        """
        return answering.predict(self.model, instances, parameters)
