"""cloudml dataset."""

from __future__ import annotations

import click

from cloudml.cli.options import Call, common, names


@click.group(epilog="Example: cloudml dataset push flights")
def command() -> None:
    """Push, list, show and delete datasets."""


@command.command(epilog="Example: cloudml dataset push flights --on local")
@click.argument("name", shell_complete=names("datasets"))
@common
def push(call: Call, name: str) -> None:
    """Send the files of a dataset that are not there yet."""
    with call.out.progress() as listener:
        status = call.client.datasets.push(name, listener)
    call.out.show(status)


@command.command("list", epilog="Example: cloudml dataset list --json")
@common
def list_(call: Call) -> None:
    """All versions at the target, the newest first."""
    found = call.client.datasets.list()
    if call.out.json:
        call.out.data(found)
        return
    rows = [(one.resource[9:], one.name, str(one.state), str(one.files), f"{one.bytes:,}") for one in found]
    call.out.table(("dataset", "name", "state", "files", "bytes"), rows, "no datasets there")


@command.command(epilog="Example: cloudml dataset show flights")
@click.argument("name", shell_complete=names("datasets"))
@common
def show(call: Call, name: str) -> None:
    """One version: the newest, or the one of that full name."""
    call.out.show(call.client.datasets.get(name))


@command.command(epilog="Example: cloudml dataset delete flights")
@click.argument("name", shell_complete=names("datasets"))
@common
def delete(call: Call, name: str) -> None:
    """Remove one version; no error if it is gone."""
    call.removed(call.client.datasets, name)
