"""The verbs of a project as a whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from cloudml.cli.options import Call, common

if TYPE_CHECKING:
    from pathlib import Path

    from cloudml.cli.output import Output
    from cloudml.session import ProjectPlan


@click.command(epilog="Example: cloudml init irises\n\nExample: cloudml init --from-terraform infra/prod --on aws-prod")
@click.argument("directory", default=".")
@click.option("--name", default="", help="The project's name.  [default: the folder's, or the platform's]")
@click.option(
    "--from-terraform", "source", metavar="DIR|FILE|-",
    help="Add a target for what Terraform provisioned, from its folder or from `terraform output -json`. "
    "--on names the target.  [default: aws-dev and the like]",
)  # fmt: skip
@common
def init(call: Call, directory: str, name: str, source: str | None) -> None:
    """Write a runnable starter project into DIRECTORY, or a target into the project that is there."""
    from pathlib import Path

    from cloudml import starter

    if source is not None:
        _init_from_terraform(call, Path(directory if directory != "." else call.folder), name, source)
        return
    written = starter.write(Path(directory), name)
    if call.out.json:
        call.out.data({"directory": str(Path(directory).absolute()), "files": [str(path) for path in written]})
        return
    for path in written:
        call.out.line(str(path))
    where = "" if directory == "." else f" -C {directory}"
    call.out.say(f"\nnext: cloudml up{where}")


def _init_from_terraform(call: Call, folder: Path, name: str, source: str) -> None:
    from cloudml.adding import add

    added = add(folder, source, target=call.on or "", name=name)
    if call.out.json:
        call.out.data(added.as_json())
        return
    for path in added.files:
        call.out.line(str(path))
    call.out.line(f"{added.file}: target `{added.target}` {added.action}")
    for note in added.notes:
        call.out.say(f"note: {note}")
    where = "" if str(folder) == "." else f" -C {folder}"
    call.out.say(f"\nnext: cloudml plan{where} --on {added.target}")


@click.command(epilog="Example: cloudml validate -C irises")
@common
def validate(call: Call) -> None:
    """Check the project file: units, names, references, files. No network."""
    project = call.project
    counts = {
        name: len(getattr(project.spec, name)) for name in ("datasets", "jobs", "models", "endpoints", "monitors")
    }
    if call.out.json:
        call.out.data({"ok": True, "project": project.spec.project, "file": str(project.file), **counts})
        return
    said = ", ".join(f"{count} {name if count != 1 else name[:-1]}" for name, count in counts.items() if count)
    call.out.line(f"{project.file}: good; {said or 'nothing in it yet'}")


@click.command(epilog="Example: cloudml schema > cloudml.schema.json")
@common
def schema(call: Call) -> None:
    """Print the JSON schema of the project file, for editors."""
    from cloudml import plugins
    from cloudml.specs.schema import schema as published

    call.out.data(published(providers=plugins.names()))


@click.command(epilog="Example: cloudml plan --requests")
@click.option("--requests", is_flag=True, help="Show the native requests.")
@click.option(
    "--live/--no-live", default=None, help="Whether to look at what is there.  [default: where no SDK is needed]"
)
@common
def plan(call: Call, requests: bool, live: bool | None) -> None:  # noqa: FBT001  click hands flags over
    """Show what `up` would do: reuse, create, update, replace."""
    found = call.project.plan(call.on, live=live)
    if call.out.json:
        call.out.data(found.as_json())
    else:
        _show_plan(call.out, found, requests=requests)


def _show_plan(out: Output, found: ProjectPlan, *, requests: bool) -> None:
    import json

    from cloudml.cli.output import SIGNS
    from cloudml.encoding import as_json

    for step in found.steps:
        out.line(f"{SIGNS[step.action]:<3} {step.reference:<28} {step.action:<8} {step.why}")
        for note in step.notes:
            out.line(f"      note: {note.path.removeprefix(step.reference + '.')}: {note.text}")
        for request in step.plan.calls if requests else ():
            out.line(f"      {request.operation}")
            text = json.dumps(as_json(request.body), indent=2, ensure_ascii=False)
            out.line("".join(f"        {line}\n" for line in text.splitlines()).rstrip("\n"))
    counts: dict[str, int] = {}
    for step in found.steps:
        counts[str(step.action)] = counts.get(str(step.action), 0) + 1
    said = ", ".join(f"{count} to {action}" for action, count in counts.items())
    out.say(f"\non {found.target} ({found.provider}): {said or 'nothing to do'}")
    if found.changes:
        out.say("next: cloudml up" + ("" if found.target == "local" else f" --on {found.target}"))


@click.command(epilog="Example: cloudml up --on local")
@common
def up(call: Call) -> None:
    """Bring data, jobs, model, endpoint and monitor into being, in parallel where the graph allows."""
    with call.out.progress() as listener:
        result = call.project.up(call.on, listener=listener)
    call.out.done(result.as_json())
    if call.out.json:
        return
    for name, value in sorted(result.metrics.items()):
        call.out.line(f"{name} = {value:.6g}")
    for status in result.statuses.values():
        if url := getattr(status, "url", ""):
            call.out.line(f"{status.resource} answers at {url}")
    made = len(result.statuses) - len(result.reused)
    call.out.say(f"{made} brought into being, {len(result.reused)} reused, on {result.target}")


@click.command(epilog="Example: cloudml status --on local")
@common
def status(call: Call) -> None:
    """Show everything of this project at a target, also what the file no longer mentions."""
    found = call.project.status(call.on)
    if call.out.json:
        call.out.data(found.as_json())
        return
    rows = [
        (one.resource, one.name, str(one.state), "outdated" if found.outdated(one) else "", one.reason.split("\n")[0])
        for one in found.statuses
    ]
    call.out.table(("resource", "name", "state", "", ""), rows, f"nothing of {found.project} on {found.target}")


@click.command(epilog="Example: cloudml down --on local --yes")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def down(call: Call, yes: bool) -> int:  # noqa: FBT001  click hands flags over
    """Remove everything of this project at a target, dependents first."""
    project = call.project
    if not yes and not _agreed(call, f"Remove everything of `{project.spec.project}` on `{call.target}`?"):
        call.out.say("nothing was removed")
        return 1
    with call.out.progress() as listener:
        result = project.down(call.on, listener=listener)
    call.out.done({**result.as_json(), "ok": result.clean})
    for one in result.residue:
        call.out.say(f"still there: {one.resource} {one.name}: {one.why}")
    for section, why in result.unseen.items():
        call.out.say(f"could not look for {section}: {why}")
    call.out.say(f"{len(result.removed)} removed from {result.target}" + ("; nothing is left" if result.clean else ""))
    return 0 if result.clean else 1


def _agreed(call: Call, question: str) -> bool:
    if not sys.stdin.isatty() or call.out.json:
        raise click.UsageError("nobody is there to be asked\n\nhint: add --yes")
    return click.confirm(question, err=True)


@click.command(epilog="Example: cloudml rehearse --on local")
@common
def rehearse(call: Call) -> int:
    """`up`, one prediction, one monitor run and `down`, on a double: no account, nothing left behind."""
    with call.out.progress() as listener:
        result = call.project.rehearse(call.on, listener=listener)
    said: dict[str, Any] = result.as_json()
    call.out.done({**said, "ok": result.clean})
    for name, value in sorted(said["metrics"].items()):
        call.out.say(f"{name} = {value:.6g}")
    for name, state in said["monitors"].items():
        call.out.say(f"{name}: {state}")
    return 0 if result.clean else 1
