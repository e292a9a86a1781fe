"""`cloudml provider check`: what is looked at apart, what is told of each, and what cannot be seen is no failure."""

from __future__ import annotations

import pytest
from checked import grouped, project, wrong
from vertex_working import PLACES, SETTINGS

from cloudml.specs import ProjectSpec
from cloudml_gcp.checking import findings
from cloudml_gcp.clients import Clients
from cloudml_gcp.double import double
from cloudml_gcp.double.rehearsal import signed_in
from cloudml_gcp.quotas import Wanted, of_project

MACHINES = (Wanted("custom_model_training_cpus", 8), Wanted("custom_model_serving_nvidia_t4_gpus", 2))


@pytest.fixture
def gcp():
    said = {"region": SETTINGS.region, "project": SETTINGS.project_id, "bucket": SETTINGS.bucket}
    with double(service_account=SETTINGS.service_account, **said) as gcp:
        yield gcp


def found(gcp, settings=SETTINGS, places=PLACES, wanted=MACHINES) -> dict[str, list]:
    """What is found, by group."""
    clients = Clients(settings, endpoint=gcp.url, credentials=signed_in(gcp), sleep=gcp.clock.sleep)
    return grouped(findings(clients, places, wanted))


def test_a_target_that_has_all_it_needs_has_nothing_wrong(gcp) -> None:
    groups = found(gcp)
    assert list(groups) == ["credentials", "permissions", "accounts", "bucket", "quota"]
    assert wrong(groups) == []
    assert [one.ok for group in groups.values() for one in group] == [True] * sum(map(len, groups.values()))
    assert [one.text for one in groups["quota"]] == ["4, and 2 needed", "42, and 8 needed"]


def test_who_is_not_signed_in_is_told_so_and_nothing_more_is_asked(gcp) -> None:
    gcp.faults.refuse("cloudresourcemanager:*", "UNAUTHENTICATED", "Request had invalid credentials.", times=None)
    groups = found(gcp)
    assert list(groups) == ["credentials"]
    assert wrong(groups) == [("credentials", "identity")]
    assert "gcloud auth application-default login" in groups["credentials"][0].hint


def test_a_quota_that_is_too_small_is_named_with_what_is_needed(gcp) -> None:
    gcp.faults.domain("quota", "CustomModelTrainingCPUs*", value=4, times=None)
    groups = found(gcp)
    assert wrong(groups) == [("quota", "custom_model_training_cpus")]
    (one,) = [one for one in groups["quota"] if one.ok is False]
    assert (one.text, "page of quotas" in one.hint) == ("4, and 8 needed", True)


def test_no_quota_at_all_and_one_that_nobody_knows_are_told_apart(gcp) -> None:
    gcp.faults.domain("quota", "CustomModelServingT4*", value=0, times=None)
    groups = found(gcp, wanted=(*MACHINES, Wanted("custom_model_training_z9_cpus", 1)))
    assert wrong(groups) == [("quota", "custom_model_serving_nvidia_t4_gpus")]
    assert [one.text for one in groups["quota"] if one.ok is None] == ["no such quota is known"]


def test_quotas_that_may_not_be_looked_at_are_no_failure(gcp) -> None:
    gcp.faults.refuse("cloudquotas:*", "PERMISSION_DENIED", "Permission denied", times=None)
    groups = found(gcp)
    assert wrong(groups) == []
    assert [(one.ok, "cloudquotas.quotas.get" in one.hint) for one in groups["quota"]] == [(None, True)] * 2


def test_a_project_without_machines_asks_for_no_quota(gcp) -> None:
    assert "quota" not in found(gcp, wanted=())
    assert not [seen for seen in gcp.requests if seen.name.startswith("cloudquotas")]


def test_a_permission_that_is_denied_is_named_where_it_is_needed(gcp) -> None:
    gcp.faults.refuse("aiplatform:CreateCustomJob", "PERMISSION_DENIED", "denied", times=None)
    groups = found(gcp)
    denied = [(one.subject, one.text) for one in groups["permissions"] if one.ok is False]
    assert denied
    assert {text for _, text in denied} == {"denied: aiplatform.customJobs.create"}
    assert "jobs" in {subject for subject, _ in denied}


def test_a_bucket_that_is_not_there_or_elsewhere_is_told(gcp) -> None:
    missing = SETTINGS.model_copy(update={"bucket": "somebody-else"})
    places = type(PLACES)("somebody-else", PLACES.prefix)
    told = found(gcp, missing, places)["bucket"]
    assert [(one.subject, one.ok, one.text) for one in told] == [("somebody-else", False, "there is no such bucket")]
    elsewhere = SETTINGS.model_copy(update={"region": "us-central1"})
    assert ("bucket", "region") in wrong(found(gcp, elsewhere))


def test_the_probe_leaves_nothing_in_the_bucket(gcp) -> None:
    found(gcp)
    assert gcp.world.objects.names(SETTINGS.bucket, "") == []


def test_the_machines_of_a_project_are_those_that_it_would_use_at_once() -> None:
    names = {"small": "n1-standard-4", "other": "c2-standard-4", "large": "n2-standard-8", "served": "e2-standard-2"}
    wanted = list(of_project(ProjectSpec.model_validate(project("gcp", names))))
    assert wanted == [
        Wanted("custom_model_training_cpus", 4),
        Wanted("custom_model_training_preemptible_c2_cpus", 4),
        Wanted("custom_model_training_preemptible_n2_cpus", 24),
        Wanted("custom_model_serving_cpus", 8),
        Wanted("custom_model_training_cpus", 4),
    ]
