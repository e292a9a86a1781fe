"""Faults on demand, as data: what happens to which request, the how manieth time, and how often.

A domain fault (no capacity, a spot machine taken away, an update rolled back) has a name that the double looks up when
it comes to the place where the cloud would fail.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationFailed", "PERMISSION_DENIED"})
"""Codes that mean a missing permission."""


class Kind(StrEnum):
    """What happens."""

    REFUSE = "refuse"
    """An error code and a status are answered, and nothing is done."""
    DROP = "drop"
    """The connection is closed before anything is done."""
    LOSE = "lose"
    """The work is done, and the connection closed without an answer."""
    HOLD = "hold"
    """The work is done, and no answer comes until the client gives up."""
    DELAY = "delay"
    """The answer comes after some seconds on the double's clock."""
    DOMAIN = "domain"
    """What its name says, where the double looks it up."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        subject: A pattern (*, ?) of ``service:Operation``, or of the name of a domain fault.
        about: A pattern of what the request or the domain fault is about, such as a job's name.
        first: The how manieth matching time is the first that it strikes.
        times: How often it strikes; None for ever.
        then: What else happens at that moment, such as the end of the client; with DROP, LOSE and HOLD.
        seen: How often it matched.
        struck: How often it happened.
    """

    subject: str
    kind: Kind
    about: str = "*"
    code: str = ""
    message: str = ""
    status: int = 400
    seconds: float = 0.0
    first: int = 1
    times: int | None = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    then: Callable[[], None] | None = field(default=None, repr=False)
    seen: int = 0
    struck: int = 0

    def matches(self, subject: str, about: str) -> bool:
        return fnmatchcase(subject, self.subject) and fnmatchcase(about, self.about)

    def happened(self) -> None:
        """Let happen what else happens."""
        if self.then is not None:
            self.then()


class Faults:
    """The faults of one double; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def refuse(self, subject: str, code: str, message: str = "", **said: Any) -> Fault:
        """Answer *code* to requests of that operation."""
        return self.add(Fault(subject=subject, kind=Kind.REFUSE, code=code, message=message or code, **said))

    def happen(self, kind: Kind | str, subject: str, **said: Any) -> Fault:
        """Any kind of fault."""
        return self.add(Fault(subject=subject, kind=Kind(kind), **said))

    def domain(self, name: str, about: str = "*", **said: Any) -> Fault:
        """A fault of the domain; which names there are, the double says."""
        known = {key: said.pop(key) for key in ("first", "times", "message", "seconds") if key in said}
        return self.add(Fault(subject=name, kind=Kind.DOMAIN, about=about, facts=said, **known))

    def add(self, fault: Fault) -> Fault:
        """Add a fault; it is given back so that its count can be looked at."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    @property
    def none(self) -> bool:
        """Whether nothing can go wrong."""
        return not self._faults

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._faults.clear()

    def strike(self, subject: str, about: str = "") -> Fault | None:
        """The fault of a request that strikes now; every one that matches counts."""
        return self._strike(subject, about, domain=False)

    def denies(self, subject: str) -> bool:
        """Whether a request of that operation would be refused for want of permission; counts as no request."""
        with self._lock:
            return any(
                fault.kind is Kind.REFUSE and fault.code in DENIALS and fnmatchcase(subject, fault.subject)
                for fault in self._faults
            )

    def look_up(self, name: str, about: str = "") -> Fault | None:
        """The domain fault of that name that strikes now."""
        return self._strike(name, about, domain=True)

    def _strike(self, subject: str, about: str, *, domain: bool) -> Fault | None:
        found = None
        with self._lock:
            for fault in self._faults:
                if (fault.kind is Kind.DOMAIN) is domain and fault.matches(subject, about):
                    fault.seen += 1
                    if found is None and _due(fault):
                        fault.struck += 1
                        found = fault
        return found


def _due(fault: Fault) -> bool:
    return fault.seen >= fault.first and (fault.times is None or fault.struck < fault.times)
