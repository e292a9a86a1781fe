"""What a user of the official SDK v3 writes; run by test_sdk.py in a process of its own, as its import takes seconds.

Nothing here knows of the double: the environment leads there.
"""

from __future__ import annotations

import json
import sys

from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.model_trainer import ModelTrainer

ROLE = "arn:aws:iam::111122223333:role/cloudml"
REGION = "eu-west-1"


def main(folder: str, bucket: str) -> None:
    trainer = ModelTrainer(
        sagemaker_session=Session(default_bucket=bucket),
        role=ROLE,
        training_image="111122223333.dkr.ecr.eu-west-1.amazonaws.com/image:1",
        source_code=SourceCode(source_dir=folder, entry_script="train.py"),
        compute=Compute(instance_type="ml.m5.large", instance_count=1),
        hyperparameters={"rate": 0.5, "name": "x y"},
        base_job_name="official",
    )
    trainer.train(input_data_config=[InputData(channel_name="train", data_source=f"s3://{bucket}/data/")])
    (job,) = TrainingJob.get_all(region=REGION)
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
    EndpointConfig.create(endpoint_config_name="official", production_variants=[variant], region=REGION)
    endpoint = Endpoint.create(endpoint_name="official", endpoint_config_name="official", region=REGION)
    endpoint.wait_for_status("InService", poll=1)
    answer = endpoint.invoke(body=b'{"instances": [1, 2]}', content_type="application/json")
    found = {"status": job.training_job_status, "answer": json.loads(answer.body.read())}
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
