"""Write the requests anew: ``python tests/providers/azure/golden/write.py``.

Look at the difference before you commit it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from test_azure_pure import plans  # noqa: E402  its folder is not on the path before


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, plan in plans(Path(folder)).items():
            found = {f"{number} {call.operation}": call.body for number, call in enumerate(plan.calls)}
            text = re.sub(r'"digest": "[0-9a-f]+"', '"digest": "…"', json.dumps(found, indent=1, sort_keys=True))
            (HERE / f"{name}.json").write_text(re.sub(r"engine/[0-9a-f]{16}", "engine/…", text) + "\n", "utf-8")


if __name__ == "__main__":
    main()
