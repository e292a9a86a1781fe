"""The vendored contract says what the installed SDK's wire models say, and nothing in it hangs in the air."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import cloudml_azure

FILE = Path(cloudml_azure.__file__).parent / "facts" / "contract.json"
DATED = ("source", "date")


@cache
def contract():
    return json.loads(FILE.read_text("utf-8"))


def fields():
    for name, described in contract()["types"].items():
        for wire, field in described["properties"].items():
            yield f"{name}.{wire}", field


def leads_to(field):
    """The types and enums that a field names, also inside lists and maps."""
    if isinstance(field.get("of"), dict):
        return leads_to(field["of"])
    return [(field["type"], field["of"])] if field["type"] in {"object", "enum"} else []


def test_it_is_what_the_installed_wire_models_say():
    program = "import json; from cloudml_azure.contract import contract; print(json.dumps(contract()))"
    found = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    kept = {name: value for name, value in contract().items() if name not in DATED}
    assert {name: value for name, value in found.items() if name not in DATED} == kept, (
        "run `python -m cloudml_azure.refresh contract`"
    )


def test_every_type_and_enum_that_is_named_is_there():
    for path, field in fields():
        for kind, name in leads_to(field):
            assert name in contract()["types" if kind == "object" else "enums"], path
    assert set(contract()["roots"].values()) <= set(contract()["types"])
    for described in contract()["types"].values():
        assert set(described.get("kinds", {}).values()) <= set(contract()["types"])


def test_it_knows_what_is_required_read_only_and_closed():
    job, found = contract()["types"]["CommandJob"]["properties"], dict(fields())
    assert job["command"] == {
        "type": "string", "required": True, "create_only": True, "min_length": 1, "pattern": "[a-zA-Z0-9_]"
    }  # fmt: skip
    assert job["status"]["read_only"]
    assert contract()["enums"]["JobTier"] == ["Null", "Spot", "Basic", "Standard", "Premium"]
    assert found["AutoscaleCapacity.minimum"] == {"type": "string", "required": True}
    assert found["OnlineEndpointProperties.traffic"] == {"type": "map", "of": {"type": "integer"}}
    assert contract()["types"]["JobBaseProperties"]["kinds"] == {"Command": "CommandJob", "Sweep": "SweepJob"}


def test_it_is_small():
    assert FILE.stat().st_size < 300_000
