"""A monitor, for the tests of monitors."""

from __future__ import annotations

from cloudml.resources import Identity, MonitorResource
from cloudml.specs import MonitorSpec
from cloudml_aws.places import Places
from cloudml_aws.settings import AwsSettings

SETTINGS = AwsSettings(region="eu-west-1", bucket="acme-ml", role_arn="arn:aws:iam::111122223333:role/cloudml")
PLACES = Places("acme-ml", "cloudml/flights")


def resource(label: str = "drift", project: str = "flights", **spec) -> MonitorResource:
    said = {
        "name": label, "endpoint": "endpoints.delay", "baseline": "jobs.prepare.train",
        "checks": [{"metric": "psi", "max": 0.2}], **spec,
    }  # fmt: skip
    return MonitorResource(
        spec=MonitorSpec.model_validate(said),
        identity=Identity(project=project, resource=f"monitors.{label}", hash="0" * 64),
        endpoint=f"{project}-delay",
        baseline=PLACES.uri("jobs/flights-prepare-1/output/data/train"),
        label="late",
    )
