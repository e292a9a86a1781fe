"""Each example on the oldest and the newest release of its provider that the constraints allow."""

from __future__ import annotations

import json
import re

from lane import UNCHANGED
from pins import releases
from tools import ACCOUNTS, CLOUDS, KINDS


def test_an_example_is_valid_without_a_warning(lane, cloud, kind, release) -> None:
    said = lane.applied(cloud, kind, release).validated
    assert said["valid"]
    assert said["diagnostics"] == []


def test_a_second_plan_of_what_was_applied_has_nothing_to_do(lane, cloud, kind, release) -> None:
    assert lane.applied(cloud, kind, release).again == UNCHANGED


def test_destroying_leaves_nothing(lane, cloud, kind, release) -> None:
    assert lane.applied(cloud, kind, release).left == []


def test_without_a_key_of_one_s_own_none_is_made_and_destroying_leaves_nothing(lane, cloud) -> None:
    made, profile, left = lane.without_a_key(cloud)
    assert profile["encryption"] == {"customer_managed": False, "key_id": None}
    assert not re.findall(r"(aws_kms_|azurerm_key_vault_key|google_kms_)\w*\.\w+: Creat", made)
    assert left == []


def test_the_output_has_one_type_whatever_cloud_example_and_release(lane) -> None:
    every = [
        lane.applied(cloud, kind, release) for cloud in CLOUDS for kind in KINDS for release in releases(CLOUDS[cloud])
    ]
    types = {json.dumps(one.outputs["profile"]["type"], sort_keys=True) for one in every}
    assert len(every) == 12
    assert len(types) == 1


def test_no_output_is_sensitive(newest, cloud, kind) -> None:
    assert not [name for name, one in newest(cloud, kind).outputs.items() if one["sensitive"]]


def test_nothing_made_up_stands_in_the_profile_but_what_only_the_cloud_knows(newest, cloud, kind) -> None:
    text = json.dumps(newest(cloud, kind).profile)
    assert not re.findall(r"stub-[a-z_]+-[0-9a-f]{8}", text)
    assert ACCOUNTS[cloud] in text


def test_a_minimal_example_makes_nothing_that_costs_by_the_hour(newest, cloud) -> None:
    hourly = {
        "aws_vpc_endpoint", "aws_nat_gateway", "aws_instance", "aws_sagemaker_endpoint", "azurerm_private_endpoint",
        "azurerm_nat_gateway", "azurerm_kubernetes_cluster", "google_compute_instance", "google_compute_router_nat",
        "google_vertex_ai_endpoint",
    }  # fmt: skip
    made = {one["type"] for one in newest(cloud, "minimal").resources()}
    assert not made & hourly
    assert newest(cloud, "minimal").profile["compute"]["min_nodes"] == 0
