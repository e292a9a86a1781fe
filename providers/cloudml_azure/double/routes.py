"""What is asked by which verb and path: an operation's name, the permission it needs, and what answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cloudml_azure.double.wire import Answer, Asked
    from cloudml_azure.double.world import World

    Handler = Callable[[World, Asked], Answer]

WORKSPACE = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/"
    "{workspace}"
)
OF_PLACE = frozenset({"subscription", "group", "workspace", "scope"})
"""Names in a path that say where something is, and not what."""
OPEN = frozenset({"login", "discovery", "identity", "scoring"})
"""Services that look at credentials themselves, or at none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation.

    Attributes:
        service: ``ml`` for the workspace's own; a short name for others.
        root: The contract's name for the body, when it is checked.
        action: The permission, as in roles.
    """

    method: str
    pattern: re.Pattern[str]
    service: str
    operation: str
    handler: Handler
    action: str = ""
    root: str = ""


def route(method: str, template: str, name: str, handler: Handler, *, action: str = "", root: str = "") -> Route:
    """A route.

    Args:
        template: A path with ``{name}`` for a part of it, ``{name*}`` for several; below the workspace unless it begins
            with a slash.
        name: ``service:Operation``; ``ml`` when there is no service.
        action: Below Microsoft.MachineLearningServices/workspaces unless it has a dot.
    """
    service, _, operation = name.rpartition(":")
    whole = template if template.startswith("/") else f"{WORKSPACE}/{template}".rstrip("/")
    full = action if "." in action or not action else f"Microsoft.MachineLearningServices/workspaces/{action}"
    return Route(
        method=method,
        pattern=re.compile(_expression(whole), re.IGNORECASE),
        service=service or "ml",
        operation=operation,
        handler=handler,
        action=full,
        root=root,
    )


def _expression(template: str) -> str:
    pieces = re.split(r"(\{[a-z]+\*?\})", template)
    return "".join(
        f"(?P<{piece.strip('{}*')}>{'.+' if '*' in piece else '[^/]+'})" if piece.startswith("{") else re.escape(piece)
        for piece in pieces
    )


class Table:
    """All routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[str, list[Route]] = {}
        for one in routes:
            self._routes.setdefault(one.method, []).append(one)

    def find(self, asked: Asked) -> Route | None:
        """The route of a request, whose names are then filled in."""
        for one in self._routes.get(asked.method, ()):
            if found := one.pattern.fullmatch(asked.path):
                asked.service, asked.operation, asked.action = one.service, one.operation, one.action
                asked.names = found.groupdict()
                asked.about = "/".join(value for name, value in asked.names.items() if name not in OF_PLACE)
                return one
        return None

    def __iter__(self) -> Iterator[Route]:
        return iter([one for found in self._routes.values() for one in found])
