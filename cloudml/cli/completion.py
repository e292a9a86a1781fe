"""cloudml completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cloudml.cli.options import Call, common


@click.command(epilog='Example: eval "$(cloudml completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common
def command(call: Call, shell: str) -> None:
    """Print the completion script of a shell; names of the project are completed too."""
    kind = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if kind is not None:
        call.out.line(kind(root, {}, "cloudml", "_CLOUDML_COMPLETE").source())
