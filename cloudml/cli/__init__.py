"""The command line: a table of commands, each imported on use."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "init": "Write a runnable starter project",
    "validate": "Check the project file; no network",
    "schema": "Print the JSON schema of the project file",
    "plan": "Show what `up` would do",
    "up": "Bring data, jobs, model, endpoint and monitor into being",
    "status": "Show everything of this project at a target",
    "down": "Remove everything of this project at a target",
    "rehearse": "up, one prediction, one monitor run and down, on a double",
    "dataset": "Push, list, show and delete datasets",
    "job": "Run, list, show, follow and cancel jobs",
    "model": "List, show and delete models",
    "endpoint": "Deploy, list, show, ask and delete endpoints",
    "monitor": "Create, run, list, report and delete monitors",
    "provider": "List providers, what they can do, and check one",
    "completion": "Print the completion script of a shell",
}
MODULES = dict.fromkeys(("init", "validate", "schema", "plan", "up", "status", "down", "rehearse"), "project")


class Lazy(click.Group):
    """A group whose commands are modules of this package, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cloudml.cli.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name if cmd_name in MODULES else "command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from cloudml.spelling import nearest

            guess = nearest(args[0], COMMANDS)
            said = f"\n\nhint: did you mean `cloudml {guess}`?" if guess else ""
            raise click.UsageError(f"no command `{args[0]}`{said}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click would import every command to read its help; the table has it.
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  click's own form
    if wanted:
        from importlib.metadata import version

        click.echo(f"cloudml {version('cloudml-adapters')}")
        ctx.exit()


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: cloudml init irises && cloudml up -C irises",
)
@click.option(
    "--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Print the version."
)
@click.option("-C", "folder", metavar="DIR", help="The project's folder or file.  [default: .]")
@click.option("--on", metavar="TARGET", help="The target.  [default: $CLOUDML_TARGET, or local]")
@click.option("--json", "as_json", is_flag=True, help="Data on stdout as JSON.")
@click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.pass_context
def cloudml(ctx: click.Context, /, **options: Any) -> None:
    """The life of a machine-learning model, on every cloud and on this computer."""
    ctx.obj = options


def main(arguments: list[str] | None = None) -> None:
    """Run a command, and end the process with its exit code."""
    from cloudml.cli.starting import end_quickly, start_quickly

    start_quickly()
    end_quickly()
    from cloudml.cli.ending import run

    sys.exit(run(cloudml, arguments))
