"""Models."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from cloudml.specs.base import Name, Spec, ThresholdText
from cloudml.specs.references import MetricReference, OutputReference


class ModelSpec(Spec, defer_build=True):
    """A job's output, registered as a version once its requirements are met."""

    name: Name
    """How the rest of the project calls it."""
    source: OutputReference
    """The output that holds the model: ``jobs.train.model``."""
    predictor: str | None = Field(
        default=None, pattern=r"^[^/].*\.py(:[A-Za-z_][A-Za-z0-9_]*)?$", examples=["predict.py:Predictor"]
    )
    """The code that answers: ``file.py:Class``, or a SageMaker ``inference.py`` or an Azure ``score.py``, relative to
    the project file. Without it, the model folder must hold a scikit-learn, XGBoost or MLflow model."""
    requirements: str | None = Field(default=None, min_length=1)
    """A requirements.txt for serving, relative to the project file."""
    require: Mapping[MetricReference, ThresholdText] = Field(default_factory=dict)
    """The gate: ``{jobs.evaluate.auc: ">= 0.70"}``. Not met, nothing is registered or deployed."""
