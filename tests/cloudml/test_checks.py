from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cloudml.capabilities import NATIVE, Capability, Level, Support
from cloudml.checks import check, needs
from cloudml.errors import UnsupportedError
from cloudml.specs import EndpointSpec, JobSpec

JOB = JobSpec(name="train", script="train.py", outputs=("model",))


@dataclass
class Plugin:
    name: str = "acme"
    title: str = "Acme Cloud"
    capabilities: dict[Capability, Support] = field(default_factory=lambda: dict.fromkeys(Capability, NATIVE))


def asked(spec: JobSpec) -> set[Capability]:
    return {capability for capability, _ in needs("jobs.train", spec, "acme")}


@pytest.mark.parametrize(
    ("changes", "capability"),
    [
        ({"spot": True}, Capability.JOB_SPOT),
        ({"nodes": 2}, Capability.JOB_NODES),
        ({"machine": {"gpus": 1}}, Capability.JOB_GPU),
        ({"machine": {"disk": "1GiB"}}, Capability.JOB_DISK),
        ({"machine": {"exact": {"acme": "big"}}}, Capability.JOB_EXACT),
        ({"image": "x"}, Capability.JOB_IMAGE),
        ({"script": "train.sh"}, Capability.JOB_SHELL),
        ({"outputs": ()}, Capability.JOB_PROCESSING),
    ],
)
def test_a_field_asks_for_its_capability_only_when_it_is_said(changes, capability: Capability) -> None:
    assert capability not in asked(JOB)
    assert capability in asked(JobSpec(**{**JOB.model_dump(), **changes}))


@pytest.mark.parametrize("level", [Level.MISSING, Level.IMPOSSIBLE])
def test_what_a_provider_cannot_is_refused_with_field_reason_and_name(level: Level) -> None:
    plugin = Plugin()
    plugin.capabilities[Capability.JOB_SPOT] = Support(level, "there is no market")
    with pytest.raises(
        UnsupportedError, match=r"Acme Cloud cannot honour `jobs\.train\.spot`: there is no market"
    ) as no:
        check("jobs.train", JobSpec(**{**JOB.model_dump(), "spot": True}), plugin)
    assert (no.value.path, no.value.capability, no.value.exit_code) == ("jobs.train.spot", Capability.JOB_SPOT, 5)


def test_what_is_emulated_is_said_in_a_note() -> None:
    plugin = Plugin()
    plugin.capabilities[Capability.ENDPOINT_AUTOSCALE] = Support(Level.EMULATED, "a timer looks at the load")
    spec = EndpointSpec(name="e", model="models.m", instances={"min": 1, "max": 2})
    (note,) = check("endpoints.e", spec, plugin)
    assert (note.path, note.text) == ("endpoints.e.instances", "a timer looks at the load")


def test_words_for_another_provider_are_said_not_to_count_here() -> None:
    spec = JobSpec(**JOB.model_dump(exclude={"native"}), aws={"Tags": []}, native={"acme": {"x": 1}})
    notes = {note.path: note.text for note in check("jobs.train", spec, Plugin())}
    assert notes["jobs.train.aws"] == "only for aws: not used here"
    assert "not portable" in notes["jobs.train.acme"]
