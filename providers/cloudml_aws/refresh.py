"""``python -m cloudml_aws.refresh machines`` or ``images``: write the tables in facts/ anew, from installed packages.

Machines: names and uses are the enums of botocore's SageMaker model, vCPUs, memory and accelerators EC2's own
description of its instance types, of which moto has a copy. Images: the table in which the official SDK
(sagemaker-core) looks images up. The packages' data files are read where they lie; nothing of them is run.
"""

from __future__ import annotations

import gzip
import json
import sys
from datetime import UTC, datetime
from importlib.metadata import distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS = Path(__file__).parent / "facts"
USES: Mapping[str, str] = {
    "training": "TrainingInstanceType",
    "processing": "ProcessingInstanceType",
    "endpoint": "ProductionVariantInstanceType",
}
"""Use to the enum of the service model that lists its machines."""
FRAMEWORKS = ("sklearn", "xgboost", "pytorch", "tensorflow", "huggingface")
NEWEST = 8
"""So many versions of a framework are kept, the newest ones."""
OLDEST: Mapping[str, tuple[int, ...]] = {"sklearn": (1, 2), "xgboost": (1, 5)}
"""Images before these bring a Python before 3.8, on which the runtime does not run."""


def machines() -> dict[str, Any]:
    """The table of machines: by name those on which SageMaker's prebuilt images run (x86), and the names of Arm's."""
    from cloudml_aws.clients import service_model

    file = _file("moto", "moto/ec2/resources/instance_types.json.gz")
    described: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    enums = {use: set(service_model("sagemaker").shape_for(shape).enum) for use, shape in USES.items()}
    known = {
        name: described[name.removeprefix("ml.")]
        for name in sorted(set().union(*enums.values()))
        if name.removeprefix("ml.") in described
    }
    rows = {
        name: machine(one, [use for use in USES if name in enums[use]]) for name, one in known.items() if _runs(one)
    }
    return {
        "source": f"botocore {version('botocore')} (names, uses), moto {version('moto')} (EC2 DescribeInstanceTypes)",
        "date": datetime.now(UTC).date().isoformat(),
        "machines": rows,
        "arm": [name for name, one in known.items() if not _x86(one)],
    }


def machine(described: Mapping[str, Any], uses: list[str]) -> dict[str, Any]:
    """One row: vCPUs, memory in GiB, accelerators, a disk that is built in, and what it can be used for."""
    accelerators = described.get("GpuInfo", {}).get("Gpus", [])
    return {
        "cpus": described["VCpuInfo"]["DefaultVCpus"],
        "memory_gib": round(described["MemoryInfo"]["SizeInMiB"] / 1024, 2),
        "gpus": sum(one["Count"] for one in accelerators),
        "gpu": accelerators[0]["Name"] if accelerators else "",
        "own_disk_gib": described.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0) * 10**9 // 2**30,
        "burstable": bool(described.get("BurstablePerformanceSupported")),
        "uses": uses,
    }


def _x86(described: Mapping[str, Any]) -> bool:
    return "x86_64" in described["ProcessorInfo"]["SupportedArchitectures"]


def _runs(described: Mapping[str, Any]) -> bool:
    """Whether a prebuilt image runs there: on x86, without accelerators that need images of their own."""
    if not _x86(described):
        return False
    other = any(key in described for key in ("NeuronInfo", "InferenceAcceleratorInfo", "FpgaInfo"))
    makers = {one.get("Manufacturer") for one in described.get("GpuInfo", {}).get("Gpus", [])}
    return not other and makers <= {"NVIDIA"} and not described["InstanceType"].startswith(("dl", "inf", "trn"))


def images() -> dict[str, Any]:
    """The table of images: framework, use, versions, each with repository, tag by processor, and accounts by region."""
    registries: list[dict[str, str]] = []
    table = {name: _framework(name, registries) for name in FRAMEWORKS}
    return {
        "source": f"sagemaker-core {version('sagemaker-core')}, image_uri_config",
        "date": datetime.now(UTC).date().isoformat(),
        "images": table,
        "registries": registries,
    }


def _framework(name: str, registries: list[dict[str, str]]) -> dict[str, Any]:
    folder = _file("sagemaker-core", "sagemaker/core/image_uri_config")
    config = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return {use: _use(name, config[use], registries) for use in ("training", "inference")}


def _use(name: str, config: Mapping[str, Any], registries: list[dict[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kept = [number for number in config["versions"] if _order(number) >= OLDEST.get(name, ())]
    for number in sorted(kept, key=_order)[-NEWEST:]:
        entry = config["versions"][number]
        inner, prefix = _base(entry, number) if name == "huggingface" else (entry, entry.get("tag_prefix", number))
        processors = inner.get("processors", config.get("processors")) or [""]
        if inner["registries"] not in registries:
            registries.append(inner["registries"])
        found[number] = {
            "repository": inner["repository"],
            "tags": {one: _tag(inner, prefix, one) for one in processors},
            "registry": registries.index(inner["registries"]),
        }
    return found


def _base(entry: Mapping[str, Any], number: str) -> tuple[Mapping[str, Any], str]:
    """Of a version of transformers, the newest PyTorch that it comes with, and how its tags begin."""
    base = max((key for key in entry if key.startswith("pytorch")), key=lambda key: _order(key[7:]))
    return entry[base], f"{base.removeprefix('pytorch')}-transformers{number}"


def _tag(entry: Mapping[str, Any], prefix: str, processor: str) -> str:
    shown = processor if entry.get("processor_in_tag", True) else ""
    python = (entry.get("py_versions") or [""])[-1]
    container = entry.get("container_version", {}).get(processor, "")
    return "-".join(part for part in (prefix, shown, python, container) if part)


def _order(number: str) -> tuple[int, ...]:
    """Versions in their order; ``1.4-2-py312`` comes after ``1.4-2``."""
    return tuple(int(part) for part in number.replace("-py", ".").replace("-", ".").split(".") if part.isdecimal())


def _file(package: str, path: str) -> Path:
    """A data file of an installed package, without importing it."""
    return Path(str(distribution(package).locate_file(path)))


TABLES = {"machines": machines, "images": images}


def main(names: list[str]) -> int:
    """Write the named tables, or all."""
    for name in names or list(TABLES):
        text = json.dumps(TABLES[name](), indent=1, sort_keys=True)
        (FACTS / f"{name}.json").write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
