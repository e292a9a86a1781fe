"""Lets pytest run the standard-library suite too, each of its tests on its own: `pytest tests/runtime/suite`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "suite"))
