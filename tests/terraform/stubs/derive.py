"""A provider's schema, in the form of `terraform providers schema -json`, out of the wheel of its CDK binding.

    python derive.py WHEEL SCHEMA.json.gz TYPE...

It has the types given, of a thousand: to read the others takes most of the time, here and in Terraform. The wheel holds
the binding's JavaScript in one archive, and each of its files ends with a source map in which the TypeScript stands as
it was generated. Nothing is imported from the package and none of its code runs.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typescript import Binding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

TYPE = re.compile(rb'tfResourceType = "([^"]+)"')
"""What a script of a resource, a data source or a provider says once, outside its source map."""

sys.setrecursionlimit(20_000)  # some blocks contain themselves


def texts(wheel: Path, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """The package's manifest, and the TypeScript of each file that speaks of a type that is wanted."""
    archive = zipfile.ZipFile(wheel)
    inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(archive.read(inner)), mode="r:gz") as files:
        for member in files:
            stream = files.extractfile(member) if member.isfile() else None
            if stream and member.name == "package/package.json":
                yield "package.json", stream.read().decode()
            elif stream and member.name.endswith("/index.js"):
                script = stream.read()
                if any(said.decode() in wanted for said in TYPE.findall(script)):
                    yield member.name, source(script)


def source(script: bytes) -> str:
    """The TypeScript in a script's source map; nothing when it has none."""
    _, mark, encoded = script.rpartition(b"base64,")
    if not mark:
        return ""
    return (json.loads(base64.b64decode(encoded)).get("sourcesContent") or [""])[0]


def schema(wheel: Path, wanted: Collection[str]) -> dict[str, Any]:
    """The schemas of the provider and of the types that are wanted."""
    found: dict[str, dict[str, Any]] = {"provider": {}, "resource": {}, "data": {}}
    manifest: dict[str, Any] = {}
    for name, text in texts(wheel, wanted):
        if name == "package.json":
            manifest = json.loads(text)["cdktf"]["provider"]
        else:
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


def main(wheel: str, to: str, *wanted: str) -> None:
    text = json.dumps(schema(Path(wheel), frozenset(wanted)), separators=(",", ":"), sort_keys=True)
    Path(to).write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
