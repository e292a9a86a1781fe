"""A provider's own words: blocks named for it inside a job or an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, model_validator

from cloudml.specs.base import PROVIDERS, Spec


class WithNative(Spec):
    """A spec that may carry a provider's own words.

    In the project file, and as keyword arguments, the blocks are called by the provider's name: ``aws: {…}``. What
    stands in a block is merged into that provider's native request last, and refused where it touches what cloudml
    sets.
    """

    native: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, json_schema_extra={"cloudml": "native"})
    """Provider name to a part of its native request. Not portable; `cloudml plan` says so."""

    @model_validator(mode="before")
    @classmethod
    def _blocks_by_provider(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, Mapping):
            return given
        known = {*PROVIDERS, *((info.context or {}).get("providers", ()))}
        blocks = {key: value for key, value in given.items() if key in known}
        if not blocks:
            return given
        rest = {key: value for key, value in given.items() if key not in known}
        before = rest.get("native", {})
        return {**rest, "native": {**before, **blocks} if isinstance(before, Mapping) else before}
