"""cloudml job."""

from __future__ import annotations

import click

from cloudml.cli.options import Call, common, names

NAME = click.argument("name", shell_complete=names("jobs"))


@click.group(epilog="Example: cloudml job run train")
def command() -> None:
    """Run, list, show, follow and cancel jobs."""


@command.command(epilog="Example: cloudml job run train --in-process")
@NAME
@click.option("--in-process", is_flag=True, help="In this process, where breakpoints work.")
@click.option("--detach", is_flag=True, help="Return once it is started.")
@common
def run(call: Call, name: str, in_process: bool, detach: bool) -> None:  # noqa: FBT001  click hands flags over
    """Run one job and what it needs; one with the same content is not run again."""
    if in_process:
        with call.out.kept_clean():
            status = call.client.jobs.run_in_process(name)
        call.out.show(status)
    elif detach:
        call.out.show(call.client.jobs.submit(name))
    else:
        with call.out.progress() as listener:
            status = call.client.jobs.run(name, listener)
        call.out.show(status)


@command.command("list", epilog="Example: cloudml job list")
@common
def list_(call: Call) -> None:
    """All runs at the target, the newest first."""
    found = call.client.jobs.list()
    if call.out.json:
        call.out.data(found)
        return
    rows = [
        (
            one.resource[5:],
            one.name,
            str(one.state),
            " ".join(f"{key}={value:.4g}" for key, value in one.metrics.items()),
        )
        for one in found
    ]
    call.out.table(("job", "name", "state", "metrics"), rows, "no jobs there")


@command.command(epilog="Example: cloudml job show train")
@NAME
@common
def show(call: Call, name: str) -> None:
    """One run: the newest, or the one of that full name."""
    call.out.show(call.client.jobs.get(name))


@command.command(epilog="Example: cloudml job logs train --follow")
@NAME
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@common
def logs(call: Call, name: str, follow: bool) -> None:  # noqa: FBT001  click hands flags over
    """What a job printed."""
    for line in call.client.jobs.logs(name, follow=follow):
        if call.out.json:
            call.out.data({"event": "log", "line": line})
        else:
            call.out.line(line)
    call.out.done({})


@command.command(epilog="Example: cloudml job wait train --timeout 2h")
@NAME
@click.option("--timeout", metavar="TIME", help="How long to wait: 90s, 2h.")
@common
def wait(call: Call, name: str, timeout: str | None) -> None:
    """Wait until a job is over."""
    from cloudml.cli.times import patience

    call.out.show(call.client.jobs.wait(name, timeout=patience(timeout)))


@command.command(epilog="Example: cloudml job cancel train")
@NAME
@common
def cancel(call: Call, name: str) -> None:
    """Ask a job to stop; it gets time to clean up."""
    call.client.jobs.cancel(name)
    call.out.told(f"`{name}` was asked to stop", name=name, asked_to_stop=True)


@command.command(epilog="Example: cloudml job delete train")
@NAME
@common
def delete(call: Call, name: str) -> None:
    """Remove a run and what it left; one that runs is stopped first."""
    call.removed(call.client.jobs, name)
