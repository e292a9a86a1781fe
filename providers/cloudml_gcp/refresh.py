"""``python -m cloudml_gcp.refresh contract``: write the tables in facts/ anew, from installed packages.

The contract: messages, fields and their rules out of the official SDK (google-cloud-aiplatform), which is needed for
this and not at run time. What stands in facts/contract.json, `cloudml_gcp.double.schema` says.

images.json and machines.json are written by hand from Google's pages, which they name with the day: no package has the
days on which images go, or the machines. Names of images and of accelerators are held against the SDK by tests.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parent / "facts"


def contract() -> dict[str, Any]:
    """The contract of the RPCs that the provider sends."""
    from cloudml_gcp.double.schema import facts

    return facts(datetime.now(UTC).date().isoformat())


TABLES = {"contract": contract}


def written(table: dict[str, Any]) -> str:
    """The text of a table: one message a line, so that a new version of the SDK shows as a few changed lines."""
    parts = []
    for key, value in table.items():
        if isinstance(value, dict):
            rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in value.items())
            parts.append(f" {json.dumps(key)}: {{\n{rows}\n }}")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(names: list[str]) -> int:
    """Write the named tables, or all."""
    for name in names or list(TABLES):
        (FACTS / f"{name}.json").write_text(written(TABLES[name]()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
