"""``python -m cloudml_azure.refresh contract``: write the tables in facts/ anew, from installed packages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml_azure.contract import contract

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FACTS = Path(__file__).parent / "facts"
TABLES: Mapping[str, Callable[[], dict[str, Any]]] = {"contract": contract}


def main(names: list[str]) -> int:
    """Write the named tables, or all."""
    for name in names or list(TABLES):
        text = json.dumps(TABLES[name](), indent=1, sort_keys=True)
        (FACTS / f"{name}.json").write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
