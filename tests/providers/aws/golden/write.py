"""Writes the goldens anew: ``python tests/providers/aws/golden/write.py``; look at the difference by eye."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from deploying import PLACES, endpoint, model, settings  # noqa: E402

from cloudml_aws import endpoints, models  # noqa: E402

FULL = {"capture": 0.25, "instances": {"min": 2, "max": 5}}
GOLDENS = {
    "model": models.lower(model(), PLACES, settings()),
    "endpoint": endpoints.lower(endpoint(**FULL), PLACES, settings()),
}

if __name__ == "__main__":
    for name, calls in GOLDENS.items():
        shown = [{"operation": call.operation, "body": call.body} for call in calls]
        (HERE / f"{name}.json").write_text(json.dumps(shown, indent=1) + "\n", "utf-8")
