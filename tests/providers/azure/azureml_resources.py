"""Resources as the core hands them over, for the tests of Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.resources import EndpointResource, Identity, JobResource, ModelResource, MonitorResource
from cloudml.source import collect
from cloudml.specs import EndpointSpec, FrameworkSpec, JobSpec, ModelSpec, MonitorSpec
from cloudml_azure.places import Places
from cloudml_azure.settings import AzureSettings

if TYPE_CHECKING:
    from pathlib import Path

TARGET: dict[str, Any] = {
    "subscription_id": "00000000-0000-0000-0000-000000000000",
    "resource_group": "ml",
    "workspace": "acme",
    "region": "westeurope",
    "storage_account": "acmeml",
    "container": "cloudml",
}
PLACES = Places("cloudml", "cloudml/flights")
HASH = "3fa9c1d2e4" + "0" * 54


def settings(**changes: Any) -> AzureSettings:
    return AzureSettings(**{**TARGET, **changes})


def identity(resource: str, digest: str = HASH) -> Identity:
    return Identity(project="flights", resource=resource, hash=digest)


def job(root: Path, *, digest: str = HASH, **changes: Any) -> JobResource:
    """The job `train` with *changes*; `inputs` are names to addresses."""
    inputs, packages = changes.pop("inputs", {}), changes.pop("packages", "")
    said: dict[str, Any] = {"name": "train", "script": "train.py", "timeout": "1h", **changes}
    (root / said["script"]).write_text("print('hello')\n")
    spec = JobSpec.model_validate({**said, "inputs": dict.fromkeys(inputs, "datasets.table")})
    return JobResource(
        spec=spec,
        identity=identity(f"jobs.{spec.name}", digest),
        source=collect(root, spec.script),
        requirements=packages,
        inputs=inputs,
    )


def model(**changes: Any) -> ModelResource:
    given: dict[str, Any] = {
        "spec": ModelSpec(name="delay", source="jobs.train.model"),
        "identity": identity("models.delay"),
        "artifact": "az://cloudml/cloudml/flights/jobs/flights-train-1/output/model",
        "job": "flights-train-1",
        "framework": FrameworkSpec(name="sklearn", version="1.5"),
        "metrics": {"jobs.evaluate.auc": 0.7431},
        "lineage": {"jobs.train": "1" * 64},
    }
    return ModelResource(**{**given, **changes})


def endpoint(*, digest: str = HASH, **changes: Any) -> EndpointResource:
    spec = EndpointSpec.model_validate({"name": "delay", "model": "models.delay", **changes})
    return EndpointResource(spec=spec, identity=identity("endpoints.delay", digest), model="flights-delay-3fa9c1d2e4")


def monitor(**changes: Any) -> MonitorResource:
    said = {
        "name": "drift",
        "endpoint": "endpoints.delay",
        "baseline": "jobs.prepare.train",
        "schedule": "0 * * * *",
        "checks": [{"metric": "psi", "max": 0.2}],
        **changes,
    }
    return MonitorResource(
        spec=MonitorSpec.model_validate(said),
        identity=identity("monitors.drift"),
        endpoint="flights-delay",
        baseline="az://cloudml/cloudml/flights/jobs/flights-prepare-1/output/train",
        label="late",
    )
