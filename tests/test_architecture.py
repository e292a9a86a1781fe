"""The rules of docs/ARCHITECTURE.md, held by tests: who may import whom, what stays off the start-up path, sizes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudml import plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
CORE = ROOT / "cloudml"
PROVIDERS = ROOT / "providers"
CLOUDS = [folder for folder in sorted(PROVIDERS.iterdir()) if (folder / "clients.py").is_file()]
SDKS = {"azure", "boto3", "botocore", "google", "moto", "sagemaker"}
HEAVY = {
    "duckdb", "fsspec", "mlflow", "numpy", "pandas", "polars", "pyarrow", "scipy", "skops", "sklearn", "starlette",
    "uvicorn", "xgboost",
}  # fmt: skip
LARGEST = 400
FIXED_NAMES = {
    "__init__", "capabilities", "settings", "machines", "images", "names", "errors", "datasets", "jobs", "models",
    "endpoints", "monitors", "logs", "places", "plugin",
}  # fmt: skip
CLOUD_NAMES = FIXED_NAMES | {
    "analysing", "checking", "clients", "finding", "invoking", "live", "parts", "permissions", "quotas",
    "refresh", "requests", "rollout", "running", "scaling", "schedules", "serving", "states", "versions",
}  # fmt: skip
"""What each cloud has, side by side; what only one has lies in a folder of that one."""
FLOORS = ("errors", "units", "specs", "states", "status", "capabilities", "plan", "resources", "seam")
"""From the bottom up: none may import, when it is loaded, one that stands after it."""


@cache
def sources() -> list[Path]:
    return [*sorted(CORE.rglob("*.py")), *sorted(PROVIDERS.rglob("*.py"))]


def module(path: Path) -> str:
    base = ROOT if path.is_relative_to(CORE) else PROVIDERS
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def import_statements(path: Path) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Each import in a file, and whether it is done when the file is itself imported."""
    return list(_import_statements(ast.parse(path.read_text("utf-8")), at_load=True))


def _import_statements(node: ast.AST, *, at_load: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_load
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from _import_statements(child, at_load=at_load and not later and not typing)


def imports(path: Path, *, at_load: bool) -> set[str]:
    """What a file imports; only what it imports when it is itself imported, with *at_load*."""
    found: set[str] = set()
    for node, early in import_statements(path):
        if at_load and not early:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def loaded_by(*arguments: str, cwd: Path | None = None) -> set[str]:
    """The modules in memory after that program ran, but for those that every start of this interpreter loads."""
    program = (
        "import atexit, json, os, sys; before = set(sys.modules); "
        "atexit.register(lambda: os.write(3, json.dumps(sorted(set(sys.modules) - before)).encode())); " + arguments[0]
    )
    import os

    read, write = os.pipe()
    with open(read) as pipe:  # noqa: PTH123  a descriptor, not a path
        process = subprocess.Popen(
            [sys.executable, "-c", f"import os; os.dup2({write}, 3); " + program, *arguments[1:]],
            pass_fds=[write],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=cwd,
        )
        os.close(write)
        names = pipe.read()
        _, errors = process.communicate()
    assert names, errors.decode()
    return set(json.loads(names))


def test_the_core_imports_no_provider_and_a_provider_no_command_and_no_other_provider() -> None:
    above = ("cloudml.cli", "cloudml.client", "cloudml.project", "cloudml.up")
    for path in sources():
        own = module(path).partition(".")[0]
        for name in imports(path, at_load=False):
            top = name.partition(".")[0]
            assert not top.startswith("cloudml_") or top == own, f"{module(path)} imports {name}"
            if own.startswith("cloudml_"):
                assert not name.startswith(above), f"{module(path)} imports {name}"


def test_a_cloud_library_is_imported_by_clients_and_doubles_only_and_inside_functions() -> None:
    for path in sources():
        clouds = {name for name in imports(path, at_load=False) if name.partition(".")[0] in SDKS}
        allowed = path.name == "clients.py" or "double" in path.parts
        assert not clouds or allowed, f"{module(path)} imports {clouds}"
        if "double" not in path.parts:
            early = {name for name in imports(path, at_load=True) if name.partition(".")[0] in SDKS}
            assert not early, f"{module(path)} imports {early} when it is loaded"


def test_a_double_is_never_imported_by_the_rest() -> None:
    for path in sources():
        if "double" not in path.parts:
            doubles = {name for name in imports(path, at_load=True) if ".double" in name}
            assert not doubles, f"{module(path)} imports {doubles}"


def test_the_floors_stand_in_order() -> None:
    for path in sorted(CORE.rglob("*.py")):
        floor = module(path).split(".")[1] if "." in module(path) else ""
        if floor in FLOORS:
            above = {f"cloudml.{name}" for name in FLOORS[FLOORS.index(floor) + 1 :]}
            wrong = {name for name in imports(path, at_load=True) if any(name.startswith(one) for one in above)}
            assert not wrong, f"{module(path)} imports {wrong}"


def test_no_import_circle() -> None:
    known = {module(path): path for path in sources()}
    graph = {name: modules(path, known) - {name} for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import circle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name not in done:
            for other in graph[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def modules(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a file imports when it is loaded; of a module in a package, the module alone."""
    found: set[str] = set()
    for node, early in import_statements(path):
        if early and isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & set(known) or {node.module} & set(known)
        elif early and isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & set(known)
    return found


def test_every_provider_has_the_same_file_names() -> None:
    for entry in entry_points(group=plugins.GROUP):
        folder = PROVIDERS / entry.value.partition(":")[0]
        if folder.is_dir():
            assert {path.stem for path in folder.glob("*.py")} >= FIXED_NAMES, folder.name
    for folder in CLOUDS:
        assert {path.stem for path in folder.glob("*.py")} == CLOUD_NAMES, folder.name


def test_no_file_is_longer_than_one_noun_needs() -> None:
    lines = {module(path): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert not {name: count for name, count in lines.items() if count > LARGEST}


def test_no_file_is_called_after_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}
    assert not [module(path) for path in sources() if path.stem in empty]


def test_the_runtime_needs_nothing_but_python() -> None:
    for path in sorted((CORE / "runtime").rglob("*.py")):
        foreign = {
            name.partition(".")[0]
            for name in imports(path, at_load=True)
            if name.partition(".")[0] not in sys.stdlib_module_names
            and not name.startswith("cloudml.runtime")
            and name not in {"cloudml", "__future__"}
        }
        assert not foreign, f"{module(path)} imports {foreign}"


def test_importing_cloudml_loads_nothing_else() -> None:
    loaded = {name.partition(".")[0] for name in loaded_by("import cloudml")}
    assert not loaded & {*HEAVY, *SDKS, "click", "pydantic", "rich", "ruamel", "obstore"}


def test_every_public_name_can_be_imported() -> None:
    import cloudml

    assert all(getattr(cloudml, name) for name in cloudml.__all__)
    assert set(cloudml.__all__) == set(cloudml._HOME)


def test_plugins_can_be_read_without_an_sdk_or_an_account() -> None:
    program = "from cloudml import plugins; [plugins.plugin(name).capabilities for name in plugins.names()]"
    loaded = {name.partition(".")[0] for name in loaded_by(program)}
    assert not loaded & {*HEAVY, *SDKS}


TARGETS = """
targets:
  aws: {provider: aws, region: eu-west-1, bucket: acme-ml, role_arn: "arn:aws:iam::111122223333:role/cloudml"}
  azure: {provider: azure, subscription_id: "00000000-0000-0000-0000-000000000000", resource_group: ml,
          workspace: acme, region: westeurope, storage_account: acmeml, container: cloudml}
  gcp: {provider: gcp, project_id: acme, region: europe-west4, bucket: acme-ml,
        service_account: cloudml@acme.iam.gserviceaccount.com}
"""


@pytest.mark.parametrize("target", ["local", "aws", "azure", "gcp"])
def test_a_plan_loads_only_what_a_plan_needs(target: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.argv[1:] = ['plan', '--on', {target!r}, '--no-live'];from cloudml.cli import main; main()"
    )
    from cloudml.starter import write

    write(tmp_path, "irises")
    file = tmp_path / "cloudml.yaml"
    file.write_text(file.read_text("utf-8") + TARGETS, "utf-8")
    loaded = loaded_by(program, cwd=tmp_path)
    assert {"cloudml.graph", f"cloudml_{target}.plugin"} <= loaded
    assert not loaded & {"cloudml.up", "cloudml.down", "cloudml.rehearsal", "cloudml.specs.sentences"}
    assert not {name.partition(".")[0] for name in loaded} & {*HEAVY, *SDKS, "obstore", "rich", "starlette", "uvicorn"}
    assert not loaded & {"cloudml.storage.store", "cloudml.storage.pushing", "cloudml.storage.pulling", "http.server"}


@pytest.mark.parametrize("folder", CLOUDS, ids=lambda one: one.name)
def test_the_nouns_of_a_cloud_load_nothing_that_serves_loads_or_asks_a_model(folder: Path) -> None:
    nouns = ("datasets", "jobs", "models", "endpoints", "monitors", "logs")
    loaded = loaded_by("import " + ", ".join(f"{folder.name}.{noun}" for noun in nouns))
    assert f"{folder.name}.endpoints" in loaded
    assert not loaded & {"cloudml.runtime.answering", "cloudml.runtime.adapters", "csv", "difflib", "pickle"}


def test_no_data_class_is_compiled_when_its_module_is_imported() -> None:
    for path in sources():
        late = path == CORE / "records.py" or {"double", "doubles"} & set(path.parts)
        assert late or "dataclasses.dataclass" not in imports(path, at_load=False), module(path)


def test_reading_a_project_file_loads_no_reader_of_what_is_installed(tmp_path: Path) -> None:
    from cloudml.starter import write

    write(tmp_path, "irises")
    loaded = loaded_by("import sys; sys.argv[1:] = ['validate'];from cloudml.cli import main; main()", cwd=tmp_path)
    assert "cloudml.specs.load" in loaded
    assert not loaded & {"email.message", "importlib.metadata._meta", "zipfile"}


SIGNED_IN = {
    "aws": "from cloudml_aws.clients import Clients; Clients(None, credentials=('key', 'secret'))._session()",
    "azure": "from cloudml_azure.clients import Clients, Tokens; Tokens(Clients(None).credential())",
    "gcp": "from cloudml_gcp.clients import Clients; Clients(None)._session('http://127.0.0.1')",
}
UNUSED = {
    "aws": {"botocore.docs.params", "botocore.docs.bcdoc.style", "html.parser"},
    "azure": {
        "azure.identity.aio", "charset_normalizer.cd", "cryptography.hazmat.primitives.serialization.ssh",
        "cryptography.x509.base", "idna.core", "xml.etree.ElementPath",
    },
    "gcp": {"asyncio.events", "charset_normalizer.cd", "cryptography", "google.auth.crypt.es", "idna.core"},
}  # fmt: skip
"""What a vendor's library would load for ways to sign in that most users do not have, for help and rare answers."""


@pytest.mark.parametrize("cloud", SIGNED_IN)
def test_signing_in_loads_nothing_that_only_keys_certificates_and_help_need(cloud: str) -> None:
    loaded = loaded_by(SIGNED_IN[cloud])
    assert {"aws": "botocore.session", "azure": "azure.identity", "gcp": "google.auth.transport.requests"}[
        cloud
    ] in loaded
    assert not loaded & UNUSED[cloud]
