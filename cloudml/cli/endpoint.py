"""cloudml endpoint."""

from __future__ import annotations

import sys

import click

from cloudml.cli.options import Call, common, names

NAME = click.argument("name", shell_complete=names("endpoints"))
TYPES = {".json": "application/json", ".jsonl": "application/jsonlines", ".csv": "text/csv"}


@click.group(epilog="Example: cloudml endpoint invoke delay --file rows.json")
def command() -> None:
    """Deploy, list, show, ask and delete endpoints."""


@command.command(epilog="Example: cloudml endpoint deploy delay")
@NAME
@common
def deploy(call: Call, name: str) -> None:
    """Bring an endpoint and what it needs up, or move it to what the project says now."""
    with call.out.progress() as listener:
        status = call.client.endpoints.deploy(name, listener)
    call.out.show(status)


@command.command("list", epilog="Example: cloudml endpoint list")
@common
def list_(call: Call) -> None:
    """All endpoints at the target."""
    found = call.client.endpoints.list()
    if call.out.json:
        call.out.data(found)
        return
    rows = [(one.resource[10:], str(one.state), str(one.instances), one.model, one.url) for one in found]
    call.out.table(("endpoint", "state", "instances", "model", "url"), rows, "no endpoints there")


@command.command(epilog="Example: cloudml endpoint show delay")
@NAME
@common
def show(call: Call, name: str) -> None:
    """One endpoint."""
    call.out.show(call.client.endpoints.get(name))


@command.command(epilog="Example: cloudml endpoint invoke delay --file rows.json")
@NAME
@click.option("--file", "file", metavar="FILE", help="Rows: .json, .jsonl or .csv.  [default: stdin]")
@click.option("--rows", metavar="JSON", help="Rows as they stand: '[{\"distance\": 700}]'.")
@click.option("--content-type", metavar="TYPE", help="What the rows are.  [default: by the file's ending, or JSON]")
@click.option("--accept", default="application/json", show_default=True, metavar="TYPE", help="What to answer with.")
@common
def invoke(call: Call, name: str, file: str | None, rows: str | None, content_type: str | None, accept: str) -> None:
    """Ask an endpoint, once. A JSON list of rows is sent as `{"instances": […]}`."""
    from pathlib import Path

    kind = content_type or TYPES.get(Path(file or "rows.json").suffix, "application/json")
    body = _instances(_body(call, file, rows), kind)
    answer = call.client.endpoints.invoke_raw(name, body, kind, accept)
    if call.out.json and "json" not in answer.content_type:
        call.out.data({"content_type": answer.content_type, "body": answer.body.decode("utf-8", "replace")})
        return
    call.out.raw(answer.body.rstrip(b"\n") + b"\n")


def _body(call: Call, file: str | None, rows: str | None) -> bytes:
    """The rows; a relative FILE is looked for here, and then in the project's folder."""
    from pathlib import Path

    if rows is not None:
        return rows.encode()
    if file is None:
        return sys.stdin.buffer.read()
    for path in (Path(file), Path(call.folder) / file):
        if path.is_file():
            return path.read_bytes()
    raise click.UsageError(f"there is no file `{file}`")


def _instances(body: bytes, kind: str) -> bytes:
    if kind == "application/json" and body.lstrip().startswith(b"["):
        return b'{"instances": ' + body + b"}"
    return body


@command.command(epilog="Example: cloudml endpoint logs delay --follow")
@NAME
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@common
def logs(call: Call, name: str, follow: bool) -> None:  # noqa: FBT001  click hands flags over
    """What an endpoint printed."""
    for line in call.client.endpoints.logs(name, follow=follow):
        if call.out.json:
            call.out.data({"event": "log", "line": line})
        else:
            call.out.line(line)
    call.out.done({})


@command.command(epilog="Example: cloudml endpoint delete delay")
@NAME
@common
def delete(call: Call, name: str) -> None:
    """Remove an endpoint; no error if it is gone."""
    call.removed(call.client.endpoints, name)
