"""One contract: what is the same in every module, and the same again in Python."""

from __future__ import annotations

import re
import types
import typing

import pytest
from tools import CLOUDS, MODULES, Stub, terraform

from cloudml.provisioned import Profile

if typing.TYPE_CHECKING:
    from pydantic import BaseModel

PLAIN = {str: "string", bool: "bool", int: "number"}
TYPE = re.compile(r"  type = object\(\{\n(.*?)^  \}\)", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["variables.tf", "outputs.tf"])
def test_the_common_files_are_the_same_byte_for_byte(name: str) -> None:
    assert len({(MODULES / cloud / name).read_bytes() for cloud in CLOUDS}) == 1


def declared() -> str:
    found = TYPE.search((MODULES / "contract" / "variables.tf").read_text("utf-8"))
    assert found
    return found[1]


def fields(lines: list[str]) -> dict:
    """The object type as Terraform writes it, as nested names and types."""
    found: dict = {}
    while lines:
        line = lines.pop(0).strip()
        if line == "})":
            break
        name, _, kind = (part.strip() for part in line.partition("="))
        found[name] = fields(lines) if kind == "object({" else plain(kind)
    return found


def plain(kind: str) -> str:
    inner = re.fullmatch(r"optional\((.*)\)", kind)
    return re.sub(r"\), .*$", ")", inner[1]).partition(", ")[0] if inner else kind


def of_model(model: type[BaseModel]) -> dict:
    return {name: of_type(field.annotation) for name, field in model.model_fields.items()}


def of_type(annotation: typing.Any) -> typing.Any:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is types.UnionType:
        return of_type(inner[0])
    if origin is list:
        return f"list({of_type(inner[0])})"
    if origin:
        return f"map({of_type(inner[1])})"
    return PLAIN[annotation] if annotation in PLAIN else of_model(annotation)


def test_the_type_in_terraform_is_the_model_in_python() -> None:
    assert fields(declared().splitlines()) == of_model(Profile)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    region      = var.region\n", "", 'attribute "region" is required'),
        ("storage = {\n", "storage = {\n      more = 1\n", None),
        ("max_nodes              = var.compute.max_nodes", "max_nodes = [1]", "number required"),
    ],
)
def test_a_module_that_breaks_the_contract_is_refused_and_what_it_adds_does_not_leak(
    lane, old: str, new: str, said: str | None
) -> None:
    folder = lane.copy(f"broken-{len(new)}") / "modules" / "aws"
    stub = lane.newest("aws")
    file = folder / "contract.tf"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1))
    terraform(folder, Stub(stub.mirror), "init", "-input=false", "-no-color")
    found = terraform(folder, stub, "validate", "-json", good=(0, 1)).document["diagnostics"]
    assert (said is None and found == []) or any(said in one["detail"] for one in found if said)
