"""What lies beside a model's files so that an online endpoint can serve it: the folder ``code``, a code asset as well.

Everything is served by `cloudml.runtime.shims.azureml`, also a `score.py` of Azure ML with init and run: the shim calls
them as Azure's own server does. The file `CARD` in the folder is how the shim finds the model's folder, which Azure ML
mounts one level deeper or not, depending on how it was registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudml import shipping
from cloudml.clouds import models

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml.resources import ModelResource

SCRIPT = "score.py"
ENTRY = f'''"""Serves the model; written by cloudml. Azure ML's inference server calls its two functions."""

import os
import sys

try:
    from azureml_inference_server_http.api.aml_request import rawhttp
except ImportError:  # in older images it is called so
    from azureml.contrib.services.aml_request import rawhttp

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "{shipping.RUNTIME}"))

from cloudml.runtime.shims import azureml


def init():
    azureml.init(HERE)


@rawhttp
def run(request):
    return azureml.run(request.get_data(), request.headers)
'''


def lay_out(resource: ModelResource, folder: Path) -> None:
    """Write the folder ``code`` of a model into *folder*, which is there and empty.

    Raises:
        SpecError: A file of the predictor's code is not what it was when it was collected.
    """
    models.lay_code(resource, folder)
    shipping.write(folder / SCRIPT, ENTRY.encode())
