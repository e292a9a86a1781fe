"""A provider's schema, in the form of `terraform providers schema -json`, out of the wheel of its CDK binding.

    python derive.py WHEEL SCHEMA.json.gz

The wheel holds the binding's JavaScript in one archive, and each of its files ends with a source map in which the
TypeScript stands as it was generated. Nothing is imported from the package and none of its code runs.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typescript import Binding

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.setrecursionlimit(20_000)  # some blocks contain themselves


def texts(wheel: Path) -> Iterator[tuple[str, str]]:
    """The package's manifest, and the TypeScript of each generated file."""
    archive = zipfile.ZipFile(wheel)
    inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(archive.read(inner)), mode="r:gz") as files:
        for member in files:
            stream = files.extractfile(member) if member.isfile() else None
            if stream and member.name == "package/package.json":
                yield "package.json", stream.read().decode()
            elif stream and member.name.endswith("/index.js"):
                yield member.name, source(stream.read())


def source(script: bytes) -> str:
    """The TypeScript in a script's source map; nothing when it has none."""
    _, mark, encoded = script.rpartition(b"base64,")
    if not mark:
        return ""
    return (json.loads(base64.b64decode(encoded)).get("sourcesContent") or [""])[0]


def schema(wheel: Path) -> dict[str, Any]:
    """The schemas of everything in the package."""
    found: dict[str, dict[str, Any]] = {"provider": {}, "resource": {}, "data": {}}
    manifest: dict[str, Any] = {}
    for name, text in texts(wheel):
        if name == "package.json":
            manifest = json.loads(text)["cdktf"]["provider"]
        elif "tfResourceType" in text:
            for kind, said, one in Binding(text).schemas():
                found[kind][said] = one
    (provider,) = found["provider"].values()
    provider["block"]["attributes"].pop("alias", None)  # Terraform's own word, not the provider's
    schemas = {"provider": provider, "resource_schemas": found["resource"], "data_source_schemas": found["data"]}
    return {
        "format_version": "1.0",
        "release": manifest["version"],
        "provider_schemas": {manifest["name"]: schemas},
    }


def main(wheel: str, to: str) -> None:
    text = json.dumps(schema(Path(wheel)), separators=(",", ":"), sort_keys=True)
    Path(to).write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
