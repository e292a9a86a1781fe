"""Every provider's methods take what the Protocols say; mypy cannot see providers from elsewhere."""

from __future__ import annotations

import inspect

import pytest

from cloudml import seam

NOUNS = {
    "datasets": seam.Datasets, "jobs": seam.Jobs, "models": seam.Models, "endpoints": seam.Endpoints,
    "monitors": seam.Monitors, "logs": seam.Logs,
}  # fmt: skip


@pytest.mark.parametrize("noun", NOUNS)
def test_the_methods_take_what_the_protocol_says(client, noun: str) -> None:
    protocol, service = NOUNS[noun], getattr(client.provider, noun)
    for name, declared in vars(protocol).items():
        if inspect.isfunction(declared) and not name.startswith("_"):
            wanted = list(inspect.signature(declared).parameters.values())[1:]
            offered = inspect.signature(getattr(service, name)).parameters
            for parameter in wanted:
                assert parameter.name in offered, f"{noun}.{name} lacks {parameter.name}"
                assert offered[parameter.name].kind is parameter.kind, f"{noun}.{name}: {parameter.name}"
            spare = [one for key, one in offered.items() if key not in {parameter.name for parameter in wanted}]
            assert all(one.default is not inspect.Parameter.empty for one in spare), f"{noun}.{name} wants more"
