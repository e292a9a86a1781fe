"""What every command takes, before or after its name, and what it opens."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cloudml.records import dataclass

if TYPE_CHECKING:
    from cloudml.cli.output import Output
    from cloudml.client import Client, Noun
    from cloudml.project import Project

F = TypeVar("F", bound=Callable[..., Any])


def _targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    del param
    return [name for name in ("local", *_written(ctx, "targets")) if name.startswith(incomplete)]


OPTIONS = (
    click.option("-C", "folder", metavar="DIR", help="The project's folder or file.  [default: .]"),
    click.option("--on", metavar="TARGET", shell_complete=_targets, help="The target.  [default: local]"),
    click.option("--json", "as_json", is_flag=True, help="Data on stdout as JSON."),
    click.option("--no-color", is_flag=True, help="No colours."),
    click.option("-q", "--quiet", is_flag=True, help="No progress."),
)


STREAMING = frozenset({"up", "down", "rehearse", "logs"})
"""Commands whose `--json` is one object a line, the last of them `done`; of any other it is one document."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the command line.

    Attributes:
        folder: Where the project is.
        on: The target; None leaves it to the environment.
        out: Prints.
    """

    folder: str
    on: str | None
    out: Output

    @property
    def target(self) -> str:
        """The target's name."""
        from cloudml.targets import LOCAL, VARIABLE

        return self.on or os.environ.get(VARIABLE) or LOCAL

    @property
    def project(self) -> Project:
        from cloudml.cli.starting import quickly

        with quickly():
            from cloudml import plugins
            from cloudml.errors import ProviderNotFoundError
            from cloudml.project import load
            from cloudml.targets import LOCAL

            project = load(self.folder)
            written = project.spec.targets.get(self.target)
            with suppress(ProviderNotFoundError):  # told when the target is opened, which `validate` does not
                plugins.plugin(written.provider if written else LOCAL)
        return project

    @property
    def client(self) -> Client:
        return self.project.client(self.on)

    def removed(self, noun: Noun[Any], name: str) -> None:
        """Delete one of *noun*, and tell which: of several versions, *name* alone does not."""
        full = noun.delete(name)
        self.out.told(f"`{full or name}` is gone", name=full or name, deleted=True)


def common(function: F) -> F:
    """Give a command the common options, and hand it a Call first."""

    @functools.wraps(function)
    def wrapped(**given: Any) -> Any:
        said = {name: given.pop(name) for name in ("folder", "on", "as_json", "no_color", "quiet")}
        return function(_call(said), **given)

    decorated: Any = wrapped
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators keep the function


def _call(said: dict[str, Any]) -> Call:
    from cloudml.cli.output import Output

    before = click.get_current_context().find_root().obj or {}
    chosen = {name: value or before.get(name) for name, value in said.items()}
    out = Output.of(
        as_json=bool(chosen["as_json"]),
        plain=bool(chosen["no_color"]),
        quiet=bool(chosen["quiet"]),
        streaming=click.get_current_context().info_name in STREAMING,
    )
    return Call(chosen["folder"] or ".", chosen["on"], out)


def names(section: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Completion with what the project file has in that section."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        del param
        return [name for name in _written(ctx, section) if name.startswith(incomplete)]

    return complete


def _written(ctx: click.Context, section: str) -> tuple[str, ...]:
    """The keys of a section of the project file; none when it cannot be read, since completion must not complain."""
    from pathlib import Path

    from cloudml.cli.glance import keys

    given = Path(ctx.params.get("folder") or (ctx.find_root().params.get("folder")) or ".")
    try:
        text = (given / "cloudml.yaml" if given.is_dir() else given).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    return keys(text, section)
