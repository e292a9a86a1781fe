from __future__ import annotations

import pytest

from cloudml.errors import UnsupportedError
from cloudml.specs import MachineSpec
from cloudml_aws import machines
from cloudml_aws.clients import service_model
from cloudml_aws.refresh import USES

PATH = "jobs.train.machine"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "ml.m5.large"),
        ({"cpus": 4, "memory": "16GiB"}, "ml.m5.xlarge"),
        ({"cpus": 4}, "ml.c5.xlarge"),
        ({"memory": "32GiB"}, "ml.r5.xlarge"),
        ({"cpus": 5}, "ml.c5.2xlarge"),
        ({"gpus": 1}, "ml.g4dn.xlarge"),
        ({"gpu": "T4"}, "ml.g4dn.xlarge"),
        ({"gpu": "t4", "gpus": 4}, "ml.g4dn.12xlarge"),
        ({"gpu": "A10G"}, "ml.g5.xlarge"),
        ({"gpu": "A100"}, "ml.p4d.24xlarge"),
        ({"gpu": "H100", "gpus": 8}, "ml.p5.48xlarge"),
        ({"gpu": "T4", "disk": "100GiB"}, "ml.g4dn.xlarge"),
        ({"gpu": "T4", "disk": "120GiB"}, "ml.g4dn.2xlarge"),
        ({"cpus": 2, "memory": "8GiB", "disk": "2TiB"}, "ml.m5.large"),
        ({"gpus": 0, "cpus": 2, "memory": "8GiB"}, "ml.m5.large"),
        ({"exact": {"aws": "ml.c7i.large"}, "cpus": 64}, "ml.c7i.large"),
    ],
)
def test_the_smallest_machine_that_has_all_is_taken(asked: dict, found: str) -> None:
    assert machines.choose(PATH, MachineSpec(**asked), "training").instance_type == found


def test_the_match_is_explained_in_a_note() -> None:
    (note,) = machines.choose(PATH, MachineSpec(cpus=4, memory="16GiB"), "training").notes
    assert (note.path, note.text) == (PATH, "4 CPUs and 16GiB → ml.m5.xlarge (4 CPUs, 16 GiB)")


def test_a_disk_is_rounded_up_to_whole_gib() -> None:
    assert machines.choose(PATH, MachineSpec(disk="50GB"), "training").volume_gib == 47
    assert machines.choose(PATH, MachineSpec(), "training").volume_gib is None


def test_a_disk_that_is_built_in_is_told_where_one_was_asked_for() -> None:
    choice = machines.choose(PATH, MachineSpec(gpu="T4", disk="100GiB"), "training")
    assert choice.volume_gib == 100
    assert choice.notes[1].path == f"{PATH}.disk"
    assert choice.notes[1].text == "ml.g4dn.xlarge has a disk of its own, of 116 GiB, and no other"
    assert len(machines.choose(PATH, MachineSpec(gpu="T4"), "training").notes) == 1


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"exact": {"aws": "ml.g4dn.xlarge"}, "disk": "200GiB"}, "disk"),
        ({"exact": {"aws": "ml.c7g.large"}}, "exact"),
    ],
)
def test_a_named_machine_on_which_the_work_could_not_be_done_is_refused(asked: dict, place: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        machines.choose(PATH, MachineSpec(**asked), "endpoint")
    assert caught.value.path == f"{PATH}.{place}"
    assert caught.value.hint


def test_machines_with_arm_processors_are_known_by_name_and_never_chosen() -> None:
    arm = set(machines.facts()["arm"])
    assert {"ml.c7g.large", "ml.m6gd.xlarge", "ml.r8g.medium"} <= arm
    assert not arm & set(machines.table())


@pytest.mark.parametrize(
    "asked",
    [
        {"cpus": 1000}, {"gpu": "T4", "gpus": 3}, {"gpu": "B17"}, {"memory": "999TiB"}, {"gpu": "T4", "disk": "2TiB"},
    ],
)  # fmt: skip
def test_where_there_is_none_the_error_names_what_comes_near(asked: dict) -> None:
    with pytest.raises(UnsupportedError, match=PATH) as caught:
        machines.choose(PATH, MachineSpec(**asked), "endpoint")
    assert "exact: {aws: ml." in caught.value.hint
    assert caught.value.path == PATH


@pytest.mark.parametrize("use", USES)
def test_every_machine_that_can_be_chosen_is_one_of_the_service_model(use: str) -> None:
    known = set(service_model("sagemaker").shape_for(USES[use]).enum)
    assert {name for name, row in machines.table().items() if use in row["uses"]} <= known
    for cpus in (1, 2, 4, 8, 16, 32, 64, 96):
        assert machines.choose(PATH, MachineSpec(cpus=cpus), use).instance_type in known


def test_burstable_ones_come_last_and_accelerators_are_told_by_name() -> None:
    assert not machines.burstable(machines.choose(PATH, MachineSpec(cpus=2, memory="4GiB"), "processing").instance_type)
    assert machines.burstable("ml.t3.medium")
    assert machines.has_gpu("ml.g5.xlarge")
    assert machines.has_gpu("ml.p99.large")
    assert not machines.has_gpu("ml.m5.large")
    assert machines.has_own_disk("ml.g5.xlarge")
