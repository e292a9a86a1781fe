"""Models and endpoints as the core hands them over, for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.resources import EndpointResource, Identity, ModelResource
from cloudml.source import collect
from cloudml.specs import EndpointSpec, FrameworkSpec, ModelSpec
from cloudml_aws.places import Places
from cloudml_aws.settings import AwsSettings

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "arn:aws:iam::111122223333:role/cloudml"
PLACES = Places("acme-ml", "cloudml/flights")
HASH = "3fa9c1d2e4" + "0" * 54


def settings(**changes: Any) -> AwsSettings:
    return AwsSettings(**{"region": "eu-west-1", "bucket": "acme-ml", "role_arn": ROLE, **changes})


def identity(resource: str, digest: str = HASH) -> Identity:
    return Identity(project="flights", resource=resource, hash=digest)


def model(
    root: Path | None = None, *, digest: str = HASH, predictor: str | None = None, **changes: Any
) -> ModelResource:
    """A model that a job left; with code where *root* holds it."""
    given: dict[str, Any] = {
        "spec": ModelSpec(name="delay", source="jobs.train.model", predictor=predictor),
        "identity": identity("models.delay", digest),
        "artifact": "s3://acme-ml/cloudml/flights/jobs/flights-train-1/output/model",
        "job": "flights-train-1",
        "source": collect(root, predictor.partition(":")[0]) if root and predictor else None,
        "framework": FrameworkSpec(name="sklearn", version="1.4"),
        "metrics": {"jobs.evaluate.auc": 0.7431},
        "lineage": {"jobs.train": "1" * 64, "datasets.flights": "2" * 64},
    }
    return ModelResource(**{**given, **changes})


def endpoint(*, digest: str = HASH, model_name: str = "flights-delay-3fa9c1d2e4", **changes: Any) -> EndpointResource:
    spec = {"name": "delay", "model": "models.delay", "machine": {"exact": {"aws": "ml.m5.large"}}, **changes}
    return EndpointResource(
        spec=EndpointSpec.model_validate(spec), identity=identity("endpoints.delay", digest), model=model_name
    )
