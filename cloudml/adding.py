"""`cloudml init --from-terraform`: from Terraform's outputs to a target in the project file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml import editing, plugins, provisioned, starter
from cloudml.records import dataclass
from cloudml.specs.load import FILE, loads, read_text
from cloudml.targets import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudml.specs import ProjectSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was done.

    Attributes:
        file: The project file.
        target: The target's name in it.
        provider: The target's provider.
        settings: The settings that came from the platform.
        action: added, updated or unchanged.
        notes: What somebody should know.
        files: What else was written, where there was no project.
    """

    file: Path
    target: str
    provider: str
    settings: Mapping[str, Any]
    action: str
    notes: tuple[str, ...]
    files: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "target": self.target,
            "provider": self.provider,
            "settings": dict(self.settings),
            "action": self.action,
            "notes": list(self.notes),
            "files": [str(path) for path in self.files],
        }


def add(folder: Path, source: str, *, target: str = "", name: str = "") -> Added:
    """Write a target for what Terraform provisioned into a project, which is begun where there is none.

    Everything is read and checked before anything is written.

    Args:
        folder: The project's folder, or its file.
        source: A folder of Terraform, a file with its outputs, or ``-`` for standard input.
        target: The target's name; made from provider and environment when empty.
        name: The name of a project that is begun; the platform's when empty.

    Raises:
        SpecError: The outputs, the project file or what would be written to it are wrong.
        SettingsError: The provider does not take the settings.
    """
    profile = provisioned.read(source)
    new = provisioned.target(profile, target)
    file = folder if folder.is_file() else folder / FILE
    begins = not file.exists()
    before = f"project: {name or profile.name}\n" if begins else read_text(file)
    project = loads(before, str(file), providers=plugins.names())
    edit = editing.with_target(before, new, str(file))
    _check(loads(edit.text, str(file), providers=plugins.names()), new)
    files = starter.write(folder, name or profile.name) if begins else ()
    if begins:
        edit = editing.with_target(read_text(file), new, str(file))
    if edit.action != "unchanged":
        editing.write(file, edit.text)
    return Added(
        file=file,
        target=new.target,
        provider=new.provider,
        settings=new.settings,
        action=edit.action,
        notes=(*provisioned.not_for(profile, project.project), *new.notes),
        files=files,
    )


def _check(project: ProjectSpec, new: provisioned.Provisioned) -> None:
    """Whether the provider takes the target as it will stand in the file."""
    if new.provider in plugins.names():
        resolve(project, new.target, environ={})
