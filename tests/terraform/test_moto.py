"""The AWS module applied to moto by AWS's own provider, as it was in 2021: no newer one is in a package.

What that provider does not know is taken out of a copy of the module first; the rest is really created, by the calls
that the provider makes, and read back. moto does not forget model package groups, so nothing is destroyed.
"""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest
from lane import UNCHANGED
from pins import REAL
from stub_environments import REAL_PROVIDER
from tools import Stub, terraform

pytestmark = pytest.mark.moto
ACCOUNT = "123456789012"
REGION = "us-east-1"
SERVICES = [
    "s3",
    "sts",
    "iam",
    "kms",
    "ecr",
    "sagemaker",
    "sns",
    "cloudwatch",
    "cloudwatchlogs",
    "cloudwatchevents",
    "ec2",
    "budgets",
]
NEWER = (
    "aws_s3_bucket_lifecycle_configuration", "aws_s3_bucket_versioning", "aws_budgets_budget",
    "aws_s3_bucket_server_side_encryption_configuration", "aws_vpc_security_group_ingress_rule",
    "aws_vpc_security_group_egress_rule",
)  # fmt: skip
"""Types that came later, or were written otherwise."""
ARGUMENTS = {
    r'version = ">= [\d.]+, < 7.0"': f'version = "{REAL.release}"',
    "BucketOwnerEnforced": "BucketOwnerPreferred",
    r"\n\s*rotation_period_in_days = .*": "",
    r"\n\s*force_delete .*": "",
    r"(client_id_list\s*= \[each.value.audience\])": rf'\1\n  thumbprint_list = ["{"6" * 40}"]',
}
"""Arguments that came later, or that were required then."""
ROOT = """
provider "aws" {{
  region                      = "{region}"
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_force_path_style         = true

  endpoints {{
{endpoints}
  }}
}}

module "cloudml" {{
  source              = "./modules/aws"
  name                = "churn"
  environment         = "prod"
  account_id          = "{account}"
  region              = "{region}"
  model_groups        = ["churn", "uplift"]
  network             = {{ enabled = true }}
  compute             = {{ allowed_instance_types = ["ml.m5.large"] }}
  alerts              = {{ emails = ["oncall@example.com"] }}
  deletion_protection = false
  ci_federation = {{
    issuer   = "https://token.actions.githubusercontent.com"
    audience = "sts.amazonaws.com"
    subjects = ["repo:example/churn:environment:prod"]
  }}
}}

output "profile" {{
  value = module.cloudml.profile
}}
"""


def without(text: str) -> str:
    """The text without the resources that the provider does not know."""
    return re.sub(rf'^resource "({"|".join(NEWER)})" .*?^}}\n', "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def moto():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def applied(lane, moto) -> Any:
    assert REAL_PROVIDER.exists(), "make stubs"
    folder = lane.copy("moto")
    for file in (folder / "modules" / "aws").glob("*.tf"):
        text = without(file.read_text("utf-8"))
        for old, new in ARGUMENTS.items():
            text = re.sub(old, new, text)
        file.write_text(text)
    endpoints = "\n".join(f'    {service} = "{moto}"' for service in SERVICES)
    (folder / "main.tf").write_text(ROOT.format(region=REGION, account=ACCOUNT, endpoints=endpoints))
    place = folder / "mirror" / "registry.terraform.io/hashicorp/aws" / REAL.release / "linux_amd64"
    place.mkdir(parents=True)
    shutil.copy2(REAL_PROVIDER, place)
    rc = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder / "mirror"}"\n  }}\n}}\n'
    (folder / "mirror" / "terraform.rc").write_text(rc)

    def run(*words: str, good: tuple[int, ...] = (0,)) -> Any:
        return terraform(folder, Stub(folder / "mirror"), *words, good=good)

    run("init", "-input=false", "-no-color")
    run("apply", "-auto-approve", "-input=false", "-no-color")
    return run


def test_everything_the_provider_knows_is_created(applied) -> None:
    made = [line for line in applied("state", "list").out.splitlines() if ".data." not in line]
    assert len(made) > 45


def test_a_second_plan_has_nothing_to_do(applied) -> None:
    assert applied("plan", "-input=false", "-no-color", "-detailed-exitcode", good=(0, 2)).code == UNCHANGED


def test_the_profile_names_what_is_really_there(applied, moto, monkeypatch) -> None:
    import boto3

    profile = applied("output", "-json").document["profile"]["value"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    session = {"endpoint_url": moto, "region_name": REGION}
    boto3.client("s3", **session).head_bucket(Bucket=profile["storage"]["bucket"])
    roles = {role["Arn"] for role in boto3.client("iam", **session).list_roles()["Roles"]}
    assert {
        profile["identities"]["adapter"]["id"],
        profile["identities"]["execution"]["id"],
        profile["settings"]["scheduler_role_arn"],
    } <= roles
    groups = boto3.client("sagemaker", **session).list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert {one["ModelPackageGroupName"] for one in groups} == set(profile["model_registry"]["groups"].values())
