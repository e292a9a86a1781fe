"""cloudml provider."""

from __future__ import annotations

from typing import Any

import click

from cloudml.cli.options import Call, common

ENTRY = frozenset({"credentials", "permissions"})
"""Groups of findings that say who may come in."""
NO_ENTRY = 4


@click.group(epilog="Example: cloudml provider capabilities local")
def command() -> None:
    """List providers, what they can do, and check one."""


@command.command("list", epilog="Example: cloudml provider list")
@common
def list_(call: Call) -> None:
    """The installed providers; one that cannot be imported is listed with its error."""
    rows = [_listed(name) for name in _installed()]
    if call.out.json:
        call.out.data(rows)
        return
    call.out.table(("provider", "title", "state"), [tuple(row.values()) for row in rows], "no providers are installed")


def _installed() -> tuple[str, ...]:
    from cloudml import plugins

    return plugins.names()


def _listed(name: str) -> dict[str, str]:
    from cloudml import plugins
    from cloudml.errors import ProviderNotFoundError

    try:
        return {"name": name, "title": plugins.plugin(name).title, "state": "ready"}
    except ProviderNotFoundError as error:
        return {"name": name, "title": "", "state": f"broken: {error.message}"}


@command.command(epilog="Example: cloudml provider capabilities local")
@click.argument("name", required=False, shell_complete=lambda *_: list(_installed()))
@common
def capabilities(call: Call, name: str | None) -> None:
    """What each provider can, and why not."""
    from cloudml import plugins

    chosen = [plugins.plugin(one) for one in ([name] if name else plugins.names())]
    rows: list[dict[str, Any]] = [
        {"provider": one.name, "capability": key.key, "level": str(support.level), "reason": support.reason}
        for one in chosen
        for key, support in one.capabilities.items()
    ]
    if call.out.json:
        call.out.data(rows)
        return
    call.out.table(("provider", "capability", "level", "reason"), [tuple(row.values()) for row in rows], "none")


@command.command(epilog="Example: cloudml provider check --on local")
@common
def check(call: Call) -> int:
    """Look at credentials, permissions and quota of a target, apart."""
    from cloudml.seam import Context

    client = call.client
    context = Context(root=client.session.root, project=client.project)
    found = list(client.target.plugin.check(client.target.settings, context))
    if call.out.json:
        call.out.data(found)
    else:
        marks = {True: "✓", False: "✗", None: "?"}
        rows = [(marks[one.ok], one.group, one.subject, one.text, "" if one.ok else one.hint) for one in found]
        call.out.table(("", "group", "subject", "found", "hint"), rows, "nothing to check")
    failed = {one.group for one in found if one.ok is False}
    return NO_ENTRY if failed & ENTRY else int(bool(failed))
