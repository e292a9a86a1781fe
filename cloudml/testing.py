"""Fixtures of pytest for tests of programs that use cloudml or a cloud's own client.

Installed with cloudml-adapters, pytest knows them without further ado; each needs the extra `rehearse`.

    def test_my_training(cloudml_aws):
        boto3.client("sagemaker").create_training_job(…)     # reaches the double: nothing to configure
        cloudml_aws.clock.advance(120)
        cloudml_aws.faults.refuse("sagemaker:CreateModel", "ThrottlingException")
        assert cloudml_aws.requests[-1].name == "sagemaker:CreateTrainingJob"

`cloudml_aws` is a double of AWS with a bucket and a role, and with the environment set so that boto3, obstore and
cloudml reach it. `cloudml_azure` is one of Azure Machine Learning with a workspace and a storage container, which
azure-identity, azure-ai-ml, azure-storage-blob, obstore and cloudml reach. `cloudml_gcp` is one of GCP in the same way,
for google-auth, google-cloud-storage, obstore and cloudml; the clients of Vertex AI take no address from the
environment, and are given `cloudml_gcp.url` as their `api_endpoint`. Jobs really run, endpoints really answer; when the
test is over all of it is stopped and gone.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "cloudml.doubles"
"""The entry points of doubles: a context manager that gives something with `environ` and `provision`."""
PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
"""Variables that would lead elsewhere."""
FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
AZURE = ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_AUTHORITY_HOST", "AZURE_STORAGE_SAS_KEY", "https_proxy", "no_proxy")
"""The same for Azure."""
GOOGLES = ("CLOUDSDK_CORE_PROJECT", "GCLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT", "GOOGLE_SERVICE_ACCOUNT")


def double(name: str) -> Any:
    """What makes the double of that cloud.

    Raises:
        LookupError: None is installed.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise LookupError(f"no double of `{name}` is installed; install cloudml-adapters with the extra `rehearse`")
    return next(iter(found)).load()


@pytest.fixture
def cloudml_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A double of AWS that boto3 and cloudml reach; see the module and `cloudml_aws.double`."""
    with double("aws")() as aws:
        for name in PROFILES:
            monkeypatch.delenv(name, raising=False)
        for name in FILES:
            monkeypatch.setenv(name, "/nowhere")
        for name, value in aws.environ.items():
            monkeypatch.setenv(name, value)
        yield aws


@pytest.fixture
def cloudml_azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A double of Azure ML that Microsoft's SDKs and cloudml reach; see the module and `cloudml_azure.double`."""
    with double("azure")() as azure:
        for name in AZURE:
            monkeypatch.delenv(name, raising=False)
        for name, value in azure.environ.items():
            monkeypatch.setenv(name, value)
        yield azure


@pytest.fixture
def cloudml_gcp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A double of GCP that Google's clients and cloudml reach; see the module and `cloudml_gcp.double`."""
    with double("gcp")() as gcp:
        for name in GOOGLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in gcp.environ.items():
            monkeypatch.setenv(name, value)
        yield gcp
