"""This cloudml as a wheel, for a container that has none; made from its own files with the standard library.

A checkout and an installed copy give the same wheel for the same files: entries are sorted and carry no time, and the
digest of the whole is part of the address, so that each is stored once. `bootstrap.py` starts the engine from it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from dataclasses import field
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from cloudml.errors import SettingsError
from cloudml.records import dataclass

DISTRIBUTION = "cloudml-adapters"
ENGINE = ("numpy", "pyarrow")
"""What `cloudml.profile` imports besides the standard library; a test looks."""
BOOTSTRAP = "bootstrap.py"
PACKAGE = Path(__file__).parent
DIGITS = 16
"""How many hexadecimal digits of the digest stand in an address."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can say
_MODE = 0o100644 << 16
_DESCRIPTION = "Wheel-Version: 1.0\nGenerator: cloudml\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_LEFT_OUT = frozenset({"__pycache__"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel in memory.

    Attributes:
        name: Its file name.
        requirements: What the engine needs besides, with the floors of the metadata: ``numpy>=2.0``.
    """

    name: str
    content: bytes = field(repr=False)
    requirements: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@cache
def wheel() -> Wheel:
    """The wheel of the cloudml that runs, made once per process.

    Raises:
        SettingsError: It runs from files that were never installed, so that there is no metadata.
    """
    try:
        metadata = distribution(DISTRIBUTION).read_text("METADATA") or ""
    except PackageNotFoundError:
        raise SettingsError(
            f"the metadata of {DISTRIBUTION} is missing, so no wheel of it can be made",
            hint="install it: `pip install -e .` in the checkout",
        ) from None
    return build(PACKAGE, metadata)


def build(package: Path, metadata: str) -> Wheel:
    """The wheel of the package in the folder *package* with that METADATA. Pure but for reading the files."""
    stem = re.sub(r"[-_.]+", "_", _field(metadata, "Name").lower()) + f"-{_field(metadata, 'Version')}"
    entries = {f"{package.name}/{path.relative_to(package).as_posix()}": path.read_bytes() for path in files(package)}
    entries |= {
        f"{stem}.dist-info/METADATA": metadata.encode(),
        f"{stem}.dist-info/WHEEL": _DESCRIPTION.encode(),
    }
    record = f"{stem}.dist-info/RECORD"
    entries[record] = _record(entries, record).encode()
    return Wheel(name=f"{stem}-py3-none-any.whl", content=_zipped(entries), requirements=requirements(metadata, ENGINE))


def files(package: Path) -> list[Path]:
    """What of a package is packed: everything but what Python itself leaves there."""
    return sorted(path for path in package.rglob("*") if path.is_file() and not _LEFT_OUT & {*path.parts})


def requirements(metadata: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The requirements of METADATA on *names*, without those of extras."""
    said = (line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist: "))
    plain = [one for one in said if "extra ==" not in one]
    return tuple(one for name in names for one in plain if re.match(rf"{re.escape(name)}(?![\w.-])", one))


def bootstrap() -> bytes:
    """The script that starts the engine in the container."""
    return (PACKAGE / BOOTSTRAP).read_bytes()


def _field(metadata: str, name: str) -> str:
    return next(line.partition(": ")[2] for line in metadata.splitlines() if line.startswith(f"{name}: "))


def _record(entries: dict[str, bytes], own: str) -> str:
    """RECORD: each file, its digest, its size; of itself it says neither."""
    lines = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in sorted(entries.items())]
    return "".join(f"{line}\n" for line in (*lines, f"{own},,"))


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zipped(entries: dict[str, bytes]) -> bytes:
    """The archive. Stored, not compressed: what a compressor makes depends on its version."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(entries.items()):
            about = zipfile.ZipInfo(path, _EPOCH)
            about.external_attr, about.create_system = _MODE, 3
            archive.writestr(about, content)
    return buffer.getvalue()
