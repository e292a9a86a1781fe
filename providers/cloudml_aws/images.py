"""Images: framework and version -> a prebuilt image of SageMaker.

The table is facts/images.json, with its source and date inside; `cloudml_aws.refresh` writes it anew.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.clouds.images import nearest, note, ordered, plain
from cloudml.errors import UnsupportedError
from cloudml.records import dataclass
from cloudml_aws import machines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudml.plan import Note
    from cloudml.specs import FrameworkSpec
    from cloudml_aws.settings import AwsSettings

PYTHON = "sklearn"
"""The image in which any Python runs where no framework is asked for."""
TITLES: Mapping[str, str] = {
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "huggingface": "Hugging Face Transformers",
}
HOSTS: Mapping[str, str] = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}
"""How a region begins to the end of its registry's host; everywhere else amazonaws.com."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image and what the plan says of it."""

    uri: str
    notes: tuple[Note, ...] = ()


@cache
def table() -> Mapping[str, Any]:
    """The table of facts, as `cloudml_aws.refresh` writes it."""
    document: Mapping[str, Any] = json.loads((Path(__file__).parent / "facts" / "images.json").read_text("utf-8"))
    return document


def resolve(path: str, framework: FrameworkSpec | None, use: str, instance_type: str, settings: AwsSettings) -> Image:
    """The prebuilt image for *framework*, or the one in which any Python runs.

    Args:
        path: Whose it is: ``jobs.train``.
        framework: What was asked; None for any Python.
        use: training or inference.
        instance_type: The machine, which decides between CPU and GPU.
        settings: The region.

    Raises:
        UnsupportedError: No image runs on that machine, or the region has no registry.
    """
    name = framework.name if framework else PYTHON
    versions: Mapping[str, Any] = table()["images"][name][use]
    number = nearest(framework.version, versions, same) if framework else ordered(versions)[-1]
    row = versions[number]
    account = table()["registries"][row["registry"]].get(settings.region)
    if account is None:
        raise UnsupportedError(
            f"Amazon SageMaker has no {TITLES[name]} image in {settings.region}",
            path=f"{path}.framework",
            hint="choose another region, or an `image` of your own",
        )
    tag = row["tags"][_processor(path, name, row["tags"], instance_type)]
    host = next((end for begin, end in HOSTS.items() if settings.region.startswith(begin)), "amazonaws.com")
    uri = f"{account}.dkr.ecr.{settings.region}.{host}/{row['repository']}:{tag}"
    return Image(uri=uri, notes=(_note(path, framework, name, number),))


def same(known: str, asked: str) -> bool:
    """Whether one of SageMaker's versions is the one that is asked for: ``1.4-2-py312`` is ``1.4``."""
    return f"{plain(known)}.".startswith(f"{asked}.")


def _processor(path: str, name: str, tags: Mapping[str, str], instance_type: str) -> str:
    """Which of the tags suits the machine; an image without one for accelerators runs there too, and uses none."""
    wanted = "gpu" if machines.has_gpu(instance_type) else "cpu"
    for processor in (wanted, "cpu" if wanted == "gpu" else "", ""):
        if processor in tags:
            return processor
    raise UnsupportedError(
        f"the {TITLES[name]} image needs an accelerator, and {instance_type} has none",
        path=f"{path}.machine",
        hint="ask for one: `machine: {gpus: 1}`",
    )


def _note(path: str, framework: FrameworkSpec | None, name: str, number: str) -> Note:
    return note(path, framework, f"SageMaker's {TITLES[name]} image {number}", number, same)
