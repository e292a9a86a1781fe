"""The contract is the installed SDK's, and what is kept of it for the provider is up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cloudml_gcp import refresh
from cloudml_gcp.double import behaviour, contract, schema

KEPT = Path(refresh.FACTS, "contract.json")
LARGEST = 300_000
GRPC_ALONE = {"StreamDirectPredict", "StreamDirectRawPredict", "StreamingPredict", "StreamingRawPredict"}
"""Streams to the service, which REST does not have."""


def test_the_kept_contract_is_that_of_the_installed_sdk():
    kept = json.loads(KEPT.read_text("utf-8"))
    assert kept == schema.facts(kept["date"])
    assert KEPT.read_text("utf-8") == refresh.written(kept)


def test_it_is_small():
    assert KEPT.stat().st_size < LARGEST


def test_every_type_that_it_names_is_there_or_is_protobufs_own():
    kept = json.loads(KEPT.read_text("utf-8"))
    wellknown = {
        "Any", "Duration", "Empty", "FieldMask", "HttpBody", "ListValue", "Operation", "Status", "Struct", "Timestamp",
        "Value",
    }  # fmt: skip
    known = {*kept["messages"], *kept["enums"], *schema.SCALARS.values(), *wellknown}
    used = {field["type"] for message in kept["messages"].values() for field in message.values()}
    assert used <= known


def test_it_says_what_the_protos_say():
    kept = json.loads(KEPT.read_text("utf-8"))["messages"]
    assert kept["CustomJob"]["jobSpec"] == {"type": "CustomJobSpec", "required": True}
    assert kept["CustomJob"]["state"] == {"type": "JobState", "enum": True, "output_only": True}
    assert kept["CustomJob"]["labels"] == {"map": True, "type": "string"}
    assert kept["WorkerPoolSpec"]["containerSpec"] == {"type": "ContainerSpec", "oneof": "task"}
    assert kept["ModelContainerSpec"]["imageUri"] == {"type": "string", "required": True, "immutable": True}


def test_every_method_has_its_route_and_its_types():
    for method in contract.methods().values():
        assert method.bindings or method.rpc in GRPC_ALONE, method.rpc
        assert method.request.DESCRIPTOR.full_name.startswith(behaviour.OURS)
        assert not method.long_running or method.metadata.DESCRIPTOR.full_name.startswith(behaviour.OURS)
    assert contract.methods()["DeployModel"].result.DESCRIPTOR.name == "DeployModelResponse"


def test_the_sdk_is_whole_for_a_program_that_uses_it_afterwards():
    program = (
        "from cloudml_gcp.double import contract\n"
        "kind = contract.methods()['CreateCustomJob'].request\n"
        "from google.cloud import aiplatform_v1\n"
        "assert aiplatform_v1.CreateCustomJobRequest.pb(aiplatform_v1.CreateCustomJobRequest()).__class__ is kind\n"
        "assert aiplatform_v1.JobServiceClient\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
