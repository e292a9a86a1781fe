from __future__ import annotations

import pytest

from cloudml import plugins
from cloudml.capabilities import Capability, Level
from cloudml.checks import ENDPOINT, EXACT, JOB, NEEDS, OWN_WORDS


@pytest.mark.parametrize("name", plugins.names())
def test_every_capability_is_answered(name: str) -> None:
    assert set(plugins.plugin(name).capabilities) == set(Capability)


@pytest.mark.parametrize("name", plugins.names())
def test_every_answer_but_native_has_a_reason_that_names_no_provider(name: str) -> None:
    plugin = plugins.plugin(name)
    for capability, support in plugin.capabilities.items():
        if support.level is not Level.NATIVE:
            assert support.reason, capability.key
            assert plugin.title not in support.reason, capability.key
            assert not support.reason.endswith("."), capability.key


def test_every_key_is_its_own_and_every_question_is_a_question() -> None:
    assert len({one.key for one in Capability}) == len(Capability)
    assert all(one.question.endswith("?") for one in Capability)


def test_every_field_of_a_spec_leans_on_a_capability() -> None:
    from cloudml.specs import EndpointSpec, JobSpec, MonitorSpec

    covered = {field.partition(".")[0] for section in NEEDS.values() for _, field, _ in section}
    names = {"name", "source", "inputs", "native", "machine", "model", "endpoint", "baseline", "sample"}
    for spec in (JobSpec, EndpointSpec, MonitorSpec):
        assert set(spec.model_fields) - covered <= names
    assert {one for one, _, _ in (*JOB, *ENDPOINT)} | {*EXACT.values(), *OWN_WORDS.values()} <= set(Capability)
