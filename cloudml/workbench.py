"""Plain ``python train.py``: what a script gets when nobody but Python starts it.

The script's job is looked up in the cloudml.yaml beside or above it. Inputs are the dataset's own files, linked into a
folder, or what the job before left behind: in its last plain run, or in its last run at the `local` target. Outputs go
to ``.cloudml/workbench/JOB/outputs/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.errors import CloudMLError, SpecError
from cloudml.specs.references import owner, part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudml.project import Project
    from cloudml.specs import JobSpec

FILE = "cloudml.yaml"


def job_request(script: Path | str) -> dict[str, Any] | None:
    """The request that `cloudml.runtime` reads, for a script that was started by hand; None if it is no project's job.

    Raises:
        SpecError: The project file is wrong, or what the script reads is not there.
    """
    from cloudml.project import load

    path = Path(script).resolve()
    file = next((folder / FILE for folder in path.parents if (folder / FILE).is_file()), None)
    if file is None:
        return None
    project = load(file)
    for spec in project.spec.jobs.values():
        if (project.root / spec.source / spec.script).resolve() == path:
            return _request(project, spec)
    return None


def _request(project: Project, spec: JobSpec) -> dict[str, Any]:
    bench = _bench(project.root, spec.name)
    inputs = {name: str(_input(project, spec, name, reference)) for name, reference in spec.inputs.items()}
    return {
        "version": 1,
        "name": f"{project.spec.project}-{spec.name}",
        "resource": f"jobs.{spec.name}",
        "script": spec.script,
        "source": str((project.root / spec.source).resolve()),
        "inputs": inputs,
        "outputs": {name: str(bench / "outputs" / name) for name in spec.outputs},
        "parameters": dict(spec.parameters),
        "environment": dict(spec.environment),
        "record": str(bench / "_cloudml"),
        "checkpoints": str(bench / "checkpoints"),
        "requirements": None,
        "site": None,
        "timeout_s": None,
        "grace_s": 30,
        "hosts": ["localhost"],
        "current_host": "localhost",
    }


def _bench(root: Path, job: str) -> Path:
    return root / ".cloudml" / "workbench" / job


def _input(project: Project, spec: JobSpec, name: str, reference: str) -> Path:
    if reference.startswith("datasets."):
        return _dataset(project, reference, _bench(project.root, spec.name) / "inputs" / name)
    for folder in _left_by(project, reference):
        if folder.is_dir():
            return folder
    job = owner(reference).partition(".")[2]
    raise SpecError(
        f"input `{name}` of `jobs.{spec.name}` is `{reference}`, which nobody has made yet",
        path=f"jobs.{spec.name}.inputs.{name}",
        hint=f"run `python {_script(project, reference)}` or `cloudml job run {job}` first",
    )


def _left_by(project: Project, reference: str) -> Iterator[Path]:
    """Where the job before may have left it, the plain run first."""
    job = owner(reference).partition(".")[2]
    yield _bench(project.root, job) / "outputs" / part(reference)
    try:
        found: Mapping[str, str] = project.client("local").jobs.get(job).outputs
    except CloudMLError:
        return
    if part(reference) in found:
        yield Path(found[part(reference)].removeprefix("file://"))


def _script(project: Project, reference: str) -> str:
    job = project.spec.jobs.get(owner(reference).partition(".")[2])
    return job.script if job else owner(reference)


def _dataset(project: Project, reference: str, folder: Path) -> Path:
    """The dataset's files, linked into *folder* under their names in the dataset."""
    from cloudml.storage import scan

    spec = project.spec.datasets[reference.partition(".")[2]]
    if "://" in spec.path:
        status = project.client("local").datasets.push(spec)
        return Path(status.uri.removeprefix("file://"))
    wanted = {entry.path: Path(entry.source) for entry in scan(spec.path, project.root, None).entries}
    for path, source in wanted.items():
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or link.resolve() != source.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(source)
    for link in folder.rglob("*"):
        if link.is_symlink() and str(link.relative_to(folder).as_posix()) not in wanted:
            link.unlink()
    return folder
