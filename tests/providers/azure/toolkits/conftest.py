import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "aws" / "toolkits"))  # environments.py makes those of all clouds
