"""cloudml model."""

from __future__ import annotations

import click

from cloudml.cli.options import Call, common, names

NAME = click.argument("name", shell_complete=names("models"))


@click.group(epilog="Example: cloudml model list")
def command() -> None:
    """List, show and delete models."""


@command.command("list", epilog="Example: cloudml model list --json")
@common
def list_(call: Call) -> None:
    """All versions at the target, the newest first."""
    found = call.client.models.list()
    if call.out.json:
        call.out.data(found)
        return
    rows = [(one.resource[7:], one.version, one.name, str(one.state)) for one in found]
    call.out.table(("model", "version", "name", "state"), rows, "no models there")


@command.command(epilog="Example: cloudml model show delay")
@NAME
@common
def show(call: Call, name: str) -> None:
    """One version: the newest, or the one of that full name."""
    call.out.show(call.client.models.get(name))


@command.command(epilog="Example: cloudml model delete delay")
@NAME
@common
def delete(call: Call, name: str) -> None:
    """Remove one version; no error if it is gone."""
    call.removed(call.client.models, name)
