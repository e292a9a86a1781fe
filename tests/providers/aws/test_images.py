from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cloudml.clouds.images import nearest
from cloudml.errors import UnsupportedError
from cloudml.specs import FrameworkSpec
from cloudml_aws import images
from cloudml_aws.settings import AwsSettings

ROLE = "arn:aws:iam::111122223333:role/cloudml"
OFFICIAL = """
import json, sys
from sagemaker.core import image_uris

for line in sys.stdin:
    print(image_uris.retrieve(**json.loads(line)))
"""


def settings(region: str = "eu-west-1") -> AwsSettings:
    return AwsSettings(region=region, bucket="acme-ml", role_arn=ROLE)


def uri(name: str, version: str, use: str = "training", machine: str = "ml.m5.xlarge", region: str = "eu-west-1"):
    return images.resolve("jobs.train", FrameworkSpec(name=name, version=version), use, machine, settings(region))


def test_an_image_is_named_by_account_region_repository_and_tag() -> None:
    found = uri("sklearn", "1.9")
    assert found.uri == "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
    assert [note.text for note in found.notes] == ["SageMaker's scikit-learn image 1.9-0"]


def test_a_version_that_sagemaker_does_not_have_is_translated_and_said() -> None:
    found = uri("sklearn", "1.5")
    assert ":1.9-0-" in found.uri
    assert found.notes[0].text.endswith("the nearest to 1.5, which it does not have")


@pytest.mark.parametrize(
    ("asked", "found"),
    [("2", "2.10.0"), ("2.9", "2.9.0"), ("2.1", "2.1.0"), ("2.95", "2.10.0"), ("1.0", "1.9"), ("2.2", "2.9.0")],
)
def test_the_newest_that_is_the_version_else_the_next_newer_else_the_newest(asked: str, found: str) -> None:
    assert nearest(asked, ("2.9.0", "1.9", "2.10.0", "2.1.0"), images.same) == found


def test_without_a_framework_any_python_runs_in_the_newest_of_scikit_learn() -> None:
    found = images.resolve("jobs.prepare", None, "training", "ml.m5.large", settings())
    assert "sagemaker-scikit-learn:1.9-0" in found.uri
    assert "any Python runs" in found.notes[0].text


def test_the_machine_decides_between_cpu_and_gpu() -> None:
    assert "-cpu-" in uri("pytorch", "2.8").uri
    assert "-gpu-" in uri("pytorch", "2.8", machine="ml.g5.xlarge").uri
    assert "-cpu-" in uri("sklearn", "1.9", machine="ml.g5.xlarge").uri
    with pytest.raises(UnsupportedError, match="needs an accelerator"):
        uri("huggingface", "4.56")


def test_a_region_without_a_registry_is_refused_and_other_partitions_have_other_hosts() -> None:
    with pytest.raises(UnsupportedError, match="xx-nowhere-1"):
        uri("sklearn", "1.9", region="xx-nowhere-1")
    assert ".dkr.ecr.cn-north-1.amazonaws.com.cn/" in uri("sklearn", "1.9", region="cn-north-1").uri


def cases():
    """A question for the official SDK and our answer to it: every image, and every registry in a second region."""
    table, elsewhere = images.table(), set()
    for name, uses in table["images"].items():
        for use, versions in uses.items():
            for number, row in versions.items() if name != "huggingface" else ():
                for processor, tag in row["tags"].items():
                    machine = "ml.g5.xlarge" if processor == "gpu" else "ml.m5.xlarge"
                    python = next((part for part in tag.split("-")[-2:] if part.startswith("py")), None)
                    second = {"us-east-1"} if row["registry"] not in elsewhere else set()
                    elsewhere.add(row["registry"])
                    for region in {"eu-west-1", *second} & set(table["registries"][row["registry"]]):
                        account = table["registries"][row["registry"]][region]
                        asked = {"framework": name, "region": region, "version": number, "instance_type": machine,
                                 "image_scope": use, "py_version": python}  # fmt: skip
                        yield asked, f"{account}.dkr.ecr.{region}.amazonaws.com/{row['repository']}:{tag}"


def test_the_official_sdk_names_the_same_images() -> None:
    asked, ours = zip(*cases(), strict=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OFFICIAL], input="\n".join(map(json.dumps, asked)), text=True,
        capture_output=True, check=False, env={"AWS_DEFAULT_REGION": "eu-west-1", "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.stdout.split() == list(ours), done.stderr[-2000:]
    assert len(ours) >= 80
