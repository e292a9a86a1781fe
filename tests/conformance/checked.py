"""What the tests of each cloud's `provider check` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cloudml.seam import Finding


def grouped(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """What is found, by group."""
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        groups.setdefault(one.group, []).append(one)
    return groups


def wrong(groups: Mapping[str, list[Finding]]) -> list[tuple[str, str]]:
    """Group and subject of what is not as it should be."""
    return [(one.group, one.subject) for group in groups.values() for one in group if one.ok is False]


def project(provider: str, machines: Mapping[str, str]) -> dict[str, Any]:
    """A project whose machines are asked for by name: `small`, `other` and `large` by jobs, `served` by an endpoint."""
    exact = {key: {"exact": {provider: name}} for key, name in machines.items()}
    return {
        "project": "flights",
        "datasets": {"d": {"path": "data.csv"}},
        "jobs": {
            "prepare": {"script": "a.py", "outputs": ["x"], "machine": exact["small"]},
            "look": {"script": "c.py", "spot": True, "machine": exact["other"]},
            "train": {
                "script": "b.py", "outputs": ["model"], "spot": True, "nodes": 3, "machine": exact["large"],
            },
        },
        "models": {"m": {"source": "jobs.train.model"}},
        "endpoints": {"e": {"model": "models.m", "instances": {"min": 1, "max": 4}, "machine": exact["served"]}},
        "monitors": {
            "w": {"endpoint": "endpoints.e", "baseline": "datasets.d", "checks": [{"metric": "psi", "max": 1.0}]}
        },
    }  # fmt: skip
