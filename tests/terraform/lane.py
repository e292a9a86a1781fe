"""The life of each example on the stubs: planned, applied, looked at again, destroyed."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pins import releases
from tools import ACCOUNTS, CLOUDS, KINDS, MODULES, NOT_COPIED, TERRAFORM, Done, Stub, Stubs, locked, terraform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYLESS = ("region     = var.region", "region     = var.region\n  encryption = { customer_managed = false }")
UNCHANGED = 0
"""What `plan -detailed-exitcode` ends with where nothing is to be done; 2 where something is."""


@dataclass(frozen=True, slots=True)
class Applied:
    """An example that was applied.

    Attributes:
        folder: Where it lies, with its plan.
        planned: The plan as Terraform shows it in JSON.
        outputs: The outputs as Terraform shows them in JSON.
        validated: What `validate` said.
        again: How a second plan ended.
        left: What is left in the state after it was destroyed.
    """

    folder: Path
    planned: dict[str, Any]
    outputs: dict[str, Any]
    validated: dict[str, Any]
    again: int
    left: list[str]

    @property
    def profile(self) -> dict[str, Any]:
        return self.outputs["profile"]["value"]

    @property
    def outputs_file(self) -> Path:
        return self.folder / "outputs.json"

    def resources(self, *types: str) -> Iterator[dict[str, Any]]:
        """The planned resources of those types, or all of them."""
        for module in _modules(self.planned["planned_values"]["root_module"]):
            for one in module.get("resources", []):
                if not types or one["type"] in types:
                    yield one

    def made(self, kind: str) -> Iterator[dict[str, Any]]:
        """The resources of that type as they were made, when everything was known."""
        state = json.loads((self.folder / "applied.tfstate").read_text("utf-8"))
        for one in state["resources"]:
            if one["mode"] == "managed" and one["type"] == kind:
                for instance in one["instances"]:
                    yield {"name": one["name"], "index": instance.get("index_key"), "values": instance["attributes"]}


def _modules(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield module
    for child in module.get("child_modules", []):
        yield from _modules(child)


@dataclass(frozen=True, slots=True)
class Lane:
    """Runs each example once for a provider's release, whoever asks first.

    Attributes:
        home: A folder that the workers of a test run share.
        stubs: The stub providers that run in this one.
    """

    home: Path
    stubs: Stubs

    def newest(self, cloud: str) -> Stub:
        """The stub of the newest release of a cloud's provider."""
        return self.stubs.of(CLOUDS[cloud], releases(CLOUDS[cloud])[-1])

    def copy(self, name: str) -> Path:
        """A fresh copy of the folder `terraform`."""
        folder = self.home / name
        shutil.rmtree(folder, ignore_errors=True)
        return shutil.copytree(TERRAFORM, folder, ignore=NOT_COPIED)

    def applied(self, cloud: str, kind: str, release: str) -> Applied:
        name = f"{cloud}-{kind}-{release}"
        record = self.home / f"{name}.json"
        with locked(self.home / f"{name}.lock"):
            if not record.exists():
                record.write_text(json.dumps(self._run(cloud, kind, release, name)))
        said = json.loads(record.read_text())
        return Applied(folder=self.home / name, **said)

    def _run(self, cloud: str, kind: str, release: str, name: str) -> dict[str, Any]:
        copy, stub = self.copy(name), self.stubs.of(CLOUDS[cloud], release)
        folder = copy / "examples" / f"{cloud}-{kind}"

        def run(*arguments: str, good: tuple[int, ...] = (0,)) -> Done:
            return terraform(folder, stub, *arguments, good=good, account_id=ACCOUNTS[cloud])

        terraform(folder, Stub(stub.mirror), "init", "-input=false", "-no-color")
        # Once for each cloud as it is for a user: Terraform starts the provider that it found, which costs a second.
        starting = (kind, release) == (KINDS[0], releases(CLOUDS[cloud])[-1])
        validated = terraform(folder, Stub(stub.mirror) if starting else stub, "validate", "-json").document
        run("plan", "-input=false", "-no-color", "-out=example.tfplan")
        planned = run("show", "-json", "example.tfplan").document
        run("apply", "-input=false", "-no-color", "example.tfplan")
        outputs = run("output", "-json")
        (copy / "outputs.json").write_text(outputs.out)
        again = run("plan", "-input=false", "-no-color", "-detailed-exitcode", good=(0, 2)).code
        shutil.copy(folder / "terraform.tfstate", copy / "applied.tfstate")
        run("destroy", "-auto-approve", "-input=false", "-no-color", "-refresh=false")
        left = run("state", "list").out.split()
        return {
            "planned": planned, "outputs": outputs.document, "validated": validated, "again": again, "left": left,
        }  # fmt: skip

    def without_a_key(self, cloud: str) -> tuple[str, dict[str, Any], list[str]]:
        """The minimal example with the cloud's own keys: its plan, its profile, and what destroying it leaves."""
        folder = self.copy(f"{cloud}-keyless") / "examples" / f"{cloud}-minimal"
        main = folder / "main.tf"
        main.write_text(main.read_text("utf-8").replace(*KEYLESS, 1))
        stub = self.newest(cloud)
        terraform(folder, Stub(stub.mirror), "init", "-input=false", "-no-color")

        def run(*arguments: str) -> Done:
            return terraform(folder, stub, *arguments, account_id=ACCOUNTS[cloud])

        made = run("apply", "-auto-approve", "-input=false", "-no-color").out
        profile = run("output", "-json").document["profile"]["value"]
        run("destroy", "-auto-approve", "-input=false", "-no-color", "-refresh=false")
        return made, profile, run("state", "list").out.split()

    def tested(self, cloud: str) -> list[dict[str, Any]]:
        """What `terraform test` says of a module, line by line."""
        folder = self.copy(f"{cloud}-tested") / MODULES.name / cloud
        stub = self.newest(cloud)
        terraform(folder, Stub(stub.mirror), "init", "-input=false", "-no-color")
        done = terraform(folder, stub, "test", "-json", good=(0, 1))
        return [json.loads(line) for line in done.out.splitlines()]
