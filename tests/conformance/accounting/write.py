"""Write what each field moves, for each installed provider: ``python tests/conformance/accounting/write.py``.

Look at the difference before you commit it: a field that moves less than before has lost a line.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import conforming
import test_accounting as accounting

from cloudml import plugins


def main() -> None:
    for name in plugins.names():
        with tempfile.TemporaryDirectory() as folder:
            root = conforming.project_folder(Path(folder) / "project")
            with conforming.connected(name, root) as client:
                found = accounting.table(client, accounting.full_project(client))
        accounting.golden(name).write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
