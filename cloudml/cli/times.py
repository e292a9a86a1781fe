"""Times as people write them on the command line: ``2h`` ago, or an ISO 8601 moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from cloudml import clock, units


def patience(text: str | None) -> timedelta | None:
    """``2h`` as a timedelta."""
    if text is None:
        return None
    try:
        return units.duration(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def moment(text: str | None) -> datetime | None:
    """``2h`` before now, or ``2026-01-31T12:00:00Z``; without a zone it is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return clock.now() - (patience(text) or timedelta())
    return found if found.tzinfo else found.replace(tzinfo=UTC)
