"""The machine that is asked for is found, with the accelerators that it has; else the error says what comes near."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files

import pytest

from cloudml.errors import UnsupportedError
from cloudml.specs import MachineSpec
from cloudml_gcp import machines, quotas
from cloudml_gcp.quotas import Wanted
from cloudml_gcp.wire.routes import contract

PATH = "jobs.train.machine"
TABLE = machines.table()


def chosen(use: str = "job", **asked) -> str:
    """The machine and its accelerators, in short."""
    found = machines.choose(PATH, MachineSpec(**asked), use).machine
    return f"{found.name} {found.gpus}x{found.accelerator}" if found.gpus else found.name


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "e2-standard-4"),
        ({"cpus": 4, "memory": "16GiB"}, "e2-standard-4"),
        ({"cpus": 4, "memory": "20GiB"}, "e2-highmem-4"),
        ({"memory": "16GiB"}, "e2-highmem-2"),
        ({"cpus": 5}, "e2-standard-8"),
        ({"cpus": 33}, "n2-standard-48"),
        ({"cpus": 96}, "n1-highcpu-96"),
        ({"cpus": 2, "memory": "300GiB"}, "n2-highmem-48"),
        ({"gpus": 0, "cpus": 4}, "e2-standard-4"),
        ({"gpus": 1}, "n1-highmem-2 1xNVIDIA_TESLA_T4"),
        ({"gpu": "T4"}, "n1-highmem-2 1xNVIDIA_TESLA_T4"),
        ({"gpu": "t4", "gpus": 4, "cpus": 40}, "n1-highcpu-64 4xNVIDIA_TESLA_T4"),
        ({"gpu": "V100", "gpus": 2, "cpus": 16}, "n1-highcpu-16 2xNVIDIA_TESLA_V100"),
        ({"gpu": "L4"}, "g2-standard-4 1xNVIDIA_L4"),
        ({"gpu": "L4", "gpus": 2}, "g2-standard-24 2xNVIDIA_L4"),
        ({"gpu": "A100"}, "a2-highgpu-1g 1xNVIDIA_TESLA_A100"),
        ({"gpu": "A100-80GB", "gpus": 8}, "a2-ultragpu-8g 8xNVIDIA_A100_80GB"),
        ({"gpu": "H100", "gpus": 8}, "a3-highgpu-8g 8xNVIDIA_H100_80GB"),
        ({"exact": {"gcp": "n2-standard-8"}, "cpus": 64}, "n2-standard-8"),
        ({"exact": {"gcp": "g2-standard-8"}}, "g2-standard-8 1xNVIDIA_L4"),
        ({"exact": {"gcp": "g2-standard-8"}, "gpus": 1}, "g2-standard-8 1xNVIDIA_L4"),
        ({"exact": {"gcp": "n1-standard-8"}}, "n1-standard-8"),
        ({"exact": {"gcp": "n1-standard-8"}, "gpu": "T4"}, "n1-standard-8 1xNVIDIA_TESLA_T4"),
        ({"exact": {"gcp": "n1-standard-8"}, "gpu": "T4", "gpus": 2}, "n1-standard-8 2xNVIDIA_TESLA_T4"),
        ({"exact": {"gcp": "n9-standard-8"}}, "n9-standard-8"),
        ({"exact": {"aws": "ml.m5.large"}, "cpus": 8}, "e2-standard-8"),
    ],
)
def test_the_smallest_machine_that_has_all_is_taken(asked: dict, found: str) -> None:
    assert chosen(**asked) == found


def test_endpoints_have_smaller_machines_than_jobs() -> None:
    assert chosen("endpoint") == "e2-standard-2"
    assert (chosen("endpoint", cpus=2), chosen("job", cpus=2)) == ("e2-highcpu-2", "e2-highmem-2")


def test_the_match_is_explained_in_a_note() -> None:
    for asked, said in (
        ({"cpus": 4, "memory": "16GiB"}, "4 CPUs and 16GiB → e2-standard-4 (4 CPUs, 16 GiB)"),
        ({"gpu": "L4"}, "L4 → g2-standard-4 (4 CPUs, 16 GiB, 1 L4)"),
        ({}, "nothing was asked: e2-standard-4 (4 CPUs, 16 GiB)"),
        ({"exact": {"gcp": "n9-standard-8"}}, "n9-standard-8, as asked by its name"),
    ):
        (note,) = machines.choose(PATH, MachineSpec(**asked), "job").notes
        assert (note.path, note.text) == (PATH, said)


def test_a_disk_is_rounded_up_to_whole_gib() -> None:
    assert machines.choose(PATH, MachineSpec(disk="50GB"), "job").disk_gib == 47
    assert machines.choose(PATH, MachineSpec(), "job").disk_gib is None


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"cpus": 1000}, "near it: n1-highmem-96 (96 CPUs, 624 GiB)"),
        ({"memory": "999TiB"}, "near it: n1-highmem-96 (96 CPUs, 624 GiB)"),
        ({"gpus": 3}, "near it: a2-megagpu-16g (96 CPUs, 1360 GiB, 16 A100)"),
        ({"gpu": "T4", "gpus": 3}, "near it: n1-highmem-2 (2 CPUs, 13 GiB, 1 T4)"),
        ({"gpu": "V100", "gpus": 1, "cpus": 16}, "near it: n1-highmem-2 (2 CPUs, 13 GiB, 1 V100)"),
        ({"gpu": "B17"}, "there is A100, A100-80GB, H100"),
    ],
)
def test_where_there_is_none_the_error_names_what_comes_near(asked: dict, hint: str) -> None:
    with pytest.raises(UnsupportedError, match=PATH) as caught:
        chosen(**asked)
    assert caught.value.path == PATH
    assert hint in caught.value.hint
    assert "exact: {gcp: n2-…}" in caught.value.hint


@pytest.mark.parametrize(
    "asked",
    [
        {"exact": {"gcp": "n2-standard-8"}, "gpu": "T4"},
        {"exact": {"gcp": "g2-standard-8"}, "gpus": 2},
        {"exact": {"gcp": "g2-standard-8"}, "gpu": "T4"},
        {"exact": {"gcp": "n1-standard-16"}, "gpu": "V100", "gpus": 1},
        {"exact": {"gcp": "n9-standard-8"}, "gpus": 1},
    ],
)
def test_a_named_machine_without_those_accelerators_is_refused(asked: dict) -> None:
    with pytest.raises(UnsupportedError, match=asked["exact"]["gcp"]) as caught:
        chosen(**asked)
    assert caught.value.path == PATH
    assert "machines of n1" in caught.value.hint


@pytest.mark.parametrize("use", ["job", "endpoint"])
def test_each_machine_is_chosen_where_it_is_asked_for_by_name(use: str) -> None:
    for one in machines.known(use):
        gpus = {"gpus": one.gpus, "gpu": one.gpu} if one.gpus else {}
        assert chosen(use, exact={"gcp": one.name}, **gpus).startswith(one.name)


def test_the_table_says_where_it_is_from_and_when() -> None:
    document = json.loads(files("cloudml_gcp").joinpath("facts/machines.json").read_text("utf-8"))
    assert "https://" in document["source"]
    assert date(2026, 1, 1) < date.fromisoformat(document["date"])


def test_every_family_with_accelerators_has_its_own_and_no_other() -> None:
    kinds: dict[str, set[tuple[str, str]]] = {}
    for name, row in TABLE["machines"].items():
        family, kind = name.rpartition("-")[0].partition("-")[::2]
        assert bool(row["gpus"]) is bool(row["gpu"]) is bool(row["accelerator"]) is (family in {"g2", "a2", "a3"}), name
        kinds.setdefault(f"{family}-{kind.partition('-')[0]}", set()).add((row["gpu"], row["accelerator"]))
    assert all(len(found) == 1 for found in kinds.values()), kinds


def test_every_accelerator_is_one_of_the_contract() -> None:
    known = contract()["enums"]["AcceleratorType"]
    rows = [*TABLE["machines"].values(), *TABLE["attached"].values()]
    assert {row["accelerator"] for row in rows} - {""} <= set(known)
    for row in TABLE["attached"].values():
        assert any(name.startswith(f"{row['family']}-") for name in TABLE["machines"])
        assert [int(count) for count in row["most_cpus"]] == sorted(int(count) for count in row["most_cpus"])


def test_a_name_says_how_many_cpus_and_accelerators_there_are() -> None:
    for name, row in TABLE["machines"].items():
        number = name.rpartition("-")[2]
        assert (row["gpus"] if number.endswith("g") else row["cpus"]) == int(number.rstrip("g")), name
        assert row["memory_gib"] >= row["cpus"] * 0.9, name
        assert set(row["uses"]) <= {"job", "endpoint"}, name


@pytest.mark.parametrize(
    ("asked", "use", "spot", "counted"),
    [
        ({"cpus": 4}, "job", False, [("custom_model_training_cpus", 12)]),
        ({"exact": {"gcp": "n1-standard-8"}}, "endpoint", False, [("custom_model_serving_cpus", 24)]),
        ({"exact": {"gcp": "c2-standard-8"}}, "job", False, [("custom_model_training_c2_cpus", 24)]),
        ({"cpus": 4}, "job", True, [("custom_model_training_preemptible_cpus", 12)]),
        (
            {"gpu": "T4", "exact": {"gcp": "n1-standard-4"}}, "job", True,
            [("custom_model_training_preemptible_cpus", 12), ("custom_model_training_preemptible_nvidia_t4_gpus", 3)],
        ),
        (
            {"gpu": "L4"}, "endpoint", False,
            [("custom_model_serving_g2_cpus", 12), ("custom_model_serving_nvidia_l4_gpus", 3)],
        ),
        (
            {"gpu": "A100-80GB"}, "job", False,
            [("custom_model_training_a2_cpus", 36), ("custom_model_training_nvidia_a100_80gb_gpus", 3)],
        ),
        (
            {"exact": {"gcp": "a3-highgpu-8g"}}, "job", False,
            [("custom_model_training_a3_cpus", 624), ("custom_model_training_nvidia_h100_gpus", 24)],
        ),
        (
            {"exact": {"gcp": "a3-megagpu-8g"}}, "job", False,
            [("custom_model_training_a3_cpus", 624), ("custom_model_training_nvidia_h100_mega_gpus", 24)],
        ),
    ],
)  # fmt: skip
def test_machines_are_counted_by_the_quotas_that_google_counts_them_by(asked, use: str, spot: bool, counted) -> None:
    machine = machines.choose(PATH, MachineSpec(**asked), use).machine
    assert [*quotas.of_machine(machine, use, 3, spot=spot)] == [Wanted(*one) for one in counted]
