"""Runs inside `.toolkits/vertex`: Google's own server of custom prediction routines, as its images start it.

The packages above the server are there without what their `__init__` imports, which is the whole SDK: eight seconds,
and nothing that the server uses. HANDLER_*, PREDICTOR_* and AIP_* say what it serves.
"""

import importlib.util
import runpy
import sys

for name in ("google.cloud.aiplatform", "google.cloud.aiplatform.prediction"):
    spec = importlib.util.find_spec(name)
    assert spec is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)

if __name__ == "__main__":
    runpy.run_module("google.cloud.aiplatform.prediction.model_server", run_name="__main__")
