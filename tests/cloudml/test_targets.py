from __future__ import annotations

import pytest

from cloudml import plugins, targets
from cloudml.errors import ProviderNotFoundError, SettingsError
from cloudml.specs import ProjectSpec

PROJECT = ProjectSpec(
    project="some", targets={"here": {"provider": "local", "state": ".elsewhere"}, "away": {"provider": "nowhere"}}
)


def test_local_always_exists() -> None:
    assert targets.resolve(None, environ={}).plugin.name == "local"
    assert targets.resolve(PROJECT, "local", environ={}).settings.state == ".cloudml"


def test_the_target_comes_from_the_argument_or_the_environment() -> None:
    environ = {"CLOUDML_TARGET": "here"}
    assert targets.resolve(PROJECT, environ=environ).name == "here"
    assert targets.resolve(PROJECT, "local", environ=environ).name == "local"


def test_each_value_knows_where_it_came_from_and_the_later_wins() -> None:
    file = targets.resolve(PROJECT, "here", environ={})
    assert (file.settings.state, file.origins["state"]) == (".elsewhere", "`targets.here.state` in the project file")
    environment = targets.resolve(PROJECT, "here", environ={"CLOUDML_LOCAL_STATE": ".env"})
    assert environment.settings.state == ".env"
    assert "CLOUDML_LOCAL_STATE" in environment.origins["state"]
    assert (
        targets.resolve(PROJECT, "here", environ={"CLOUDML_LOCAL_STATE": ".env"}, state=".arg").settings.state == ".arg"
    )


def test_an_unknown_target_lists_those_there_are_and_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"`away`, `here`, `local`") as caught:
        targets.resolve(PROJECT, "hear", environ={})
    assert "`--on here`" in caught.value.hint


def test_an_unknown_setting_is_refused_with_its_origin() -> None:
    project = ProjectSpec(project="some", targets={"here": {"provider": "local", "sate": "x"}})
    with pytest.raises(SettingsError, match=r"`sate` is not a setting \(`targets\.here\.sate` in the project file\)"):
        targets.resolve(project, "here", environ={})


def test_a_provider_that_is_not_installed_says_which_are() -> None:
    with pytest.raises(ProviderNotFoundError, match="`local`"):
        targets.resolve(PROJECT, "away", environ={})
    with pytest.raises(ImportError):
        plugins.plugin("loca")


def test_a_provider_of_ours_that_cannot_be_imported_is_told_with_what_to_reinstall(monkeypatch) -> None:
    monkeypatch.setitem(plugins.OURS, "aws", "cloudml_that_is_not_there")
    with pytest.raises(ProviderNotFoundError, match="`aws` cannot be imported") as raised:
        plugins.plugin("aws")
    assert raised.value.hint == "reinstall `cloudml-adapters`"
