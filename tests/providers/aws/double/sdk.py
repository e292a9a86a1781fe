"""What a user of the official SDK v3 writes; run by test_sdk.py in a process of its own, as its import takes seconds.

Nothing here knows of the double: the environment leads there.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant, Tag
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.model_trainer import ModelTrainer

ROLE = "arn:aws:iam::111122223333:role/cloudml"
REGION = "eu-west-1"
MINE = [Tag(key="cloudml-project", value="official")]
"""By which cloudml lists what it did not make."""
JSON = "application/json"


def main(folder: str, bucket: str, job_of_cloudml: str, endpoint_of_cloudml: str) -> None:
    found = {"made": made(folder, bucket), "seen": seen(job_of_cloudml, endpoint_of_cloudml)}
    sys.stdout.write(f"\n{json.dumps(found)}\n")


def seen(job: str, endpoint: str) -> dict[str, Any]:
    """What the SDK makes of a job and an endpoint that cloudml made."""
    described = TrainingJob.get(training_job_name=job, region=REGION)
    answer = Endpoint.get(endpoint_name=endpoint, region=REGION).invoke(
        body=b'{"instances": [{"x": 12}]}', content_type=JSON, accept=JSON
    )
    names = [one.training_job_name for one in TrainingJob.get_all(region=REGION)]
    return {
        "status": described.training_job_status,
        "listed": job in names,
        "answer": json.loads(answer.body.read()),
    }


def made(folder: str, bucket: str) -> dict[str, Any]:
    trainer = ModelTrainer(
        sagemaker_session=Session(default_bucket=bucket),
        role=ROLE,
        training_image="111122223333.dkr.ecr.eu-west-1.amazonaws.com/image:1",
        source_code=SourceCode(source_dir=folder, entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters={"rate": 0.5, "name": "x y"},
        base_job_name="official",
        tags=MINE,
    )
    trainer.train(input_data_config=[InputData(channel_name="train", data_source=f"s3://{bucket}/data/")])
    (job,) = [one for one in TrainingJob.get_all(region=REGION) if one.training_job_name.startswith("official")]
    job.refresh()
    container = ContainerDefinition(
        image="image",
        model_data_url=job.model_artifacts.s3_model_artifacts,
        environment={"SAGEMAKER_PROGRAM": "inference.py"},
    )
    Model.create(model_name="official", primary_container=container, execution_role_arn=ROLE, region=REGION)
    variant = ProductionVariant(
        variant_name="main", model_name="official", initial_instance_count=1, instance_type="ml.m5.large"
    )
    EndpointConfig.create(endpoint_config_name="official", production_variants=[variant], tags=MINE, region=REGION)
    endpoint = Endpoint.create(endpoint_name="official-scale", endpoint_config_name="official", region=REGION)
    endpoint.wait_for_status("InService", poll=1)
    answer = endpoint.invoke(body=b'{"instances": [1, 2]}', content_type=JSON)
    return {
        "job": job.training_job_name,
        "status": job.training_job_status,
        "answer": json.loads(answer.body.read()),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
