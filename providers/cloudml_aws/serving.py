"""What lies beside a model's files so that SageMaker's images can serve it: the folder ``code``.

Two ways. A SageMaker script with handlers of its own (model_fn, and any of input_fn, predict_fn, output_fn and
transform_fn) travels untouched: the image calls it as it always did. Everything else is served by
`cloudml.runtime.shims.sagemaker`, which has the layout.
"""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

from cloudml import shipping
from cloudml.clouds import models
from cloudml.imports import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.resources import ModelResource

SHIM = "inference.py"
SUBMITTED = "/opt/ml/model/code"
ENTRY = f'''"""Serves the model; written by cloudml. SageMaker's toolkits import it and call its two functions."""

import os
import sys


def model_fn(model_dir):
    sys.path.insert(0, os.path.join(model_dir, "code", "{shipping.RUNTIME}"))
    from cloudml.runtime.shims import sagemaker

    return sagemaker.load(model_dir)


def transform_fn(model, data, content_type, accept):
    from cloudml.runtime.shims import sagemaker

    return sagemaker.transform(model, data, content_type, accept)
'''


def own_handlers(resource: ModelResource) -> bool:
    """Whether the model's code is a script for SageMaker's images with handlers of its own, at the top of its folder.

    Such a script without handlers, or one in a folder below, is served by the shim, which does as the images do.
    """
    predictor = resource.spec.predictor or ":"
    if resource.source is None or ":" in predictor or "/" in predictor:
        return False
    try:
        tree = parsed((resource.source.root / predictor).read_bytes())
    except (OSError, SyntaxError):
        return False  # packing, or loading it, says what is wrong
    from cloudml.runtime.foreign import HANDLERS

    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return "model_fn" in functions and bool(functions & {*HANDLERS, "transform_fn"})


def environment(resource: ModelResource) -> dict[str, str]:
    """The variables by which the images find the code.

    Both names are asked for by the scikit-learn and XGBoost images. They install the code as a package, which needs an
    index unless pip builds without isolation; the variable is a "no-" option, so 0 turns isolation off. An answer is of
    the request's own content type where the caller does not say, as everywhere else.
    """
    own = own_handlers(resource)
    return {
        "SAGEMAKER_PROGRAM": str(resource.spec.predictor) if own else SHIM,
        "SAGEMAKER_SUBMIT_DIRECTORY": SUBMITTED,
        "PIP_NO_BUILD_ISOLATION": "0",
        "CLOUDML_PROVIDER": "aws",
        **({"CLOUDML_HANDLERS": "own"} if own else {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "*/*"}),
    }


def card(resource: ModelResource) -> Mapping[str, Any]:
    """What the shim reads: which code answers, and where it lies in the folder."""
    return {**models.card(resource), "source": "."} if own_handlers(resource) else models.card(resource)


def lay_out(resource: ModelResource, folder: Path) -> None:
    """Write the folder ``code`` of a model into *folder*, which is there and empty.

    Raises:
        SpecError: A file of the predictor's code is not what it was when it was collected.
    """
    if own_handlers(resource):
        _lay_own(resource, folder)
    else:
        models.lay_code(resource, folder)
        shipping.write(folder / SHIM, ENTRY.encode())


def _lay_own(resource: ModelResource, folder: Path) -> None:
    """A script with handlers of its own, untouched, at the top of the folder."""
    from cloudml.packing import pack
    from cloudml.runtime.adapters import CARD

    if resource.source is not None:
        pack(resource.source, folder)
    if resource.requirements:
        shipping.write(folder / models.REQUIREMENTS, resource.requirements.encode())
    shipping.write(folder / CARD, json.dumps(card(resource)).encode())
