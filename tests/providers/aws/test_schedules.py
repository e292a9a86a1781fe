from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cloudml.errors import UnsupportedError
from cloudml_aws.schedules import expression

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 1, 30, 22, 17, tzinfo=UTC)
SAID = [
    ("0 * * * *", "cron(0 * * * ? *)"),
    ("*/15 * * * *", "cron(0,15,30,45 * * * ? *)"),
    ("5/20 8-18 * * *", "cron(5,25,45 8-18 * * ? *)"),
    ("30 4 * * 0", "cron(30 4 ? * 1 *)"),
    ("30 4 * * 7", "cron(30 4 ? * 1 *)"),
    ("30 4 * * MON-FRI", "cron(30 4 ? * 2-6 *)"),
    ("30 4 * * 5-7", "cron(30 4 ? * 1,6,7 *)"),
    ("0 0 1,15 * *", "cron(0 0 1,15 * ? *)"),
    ("0 0 1 JAN,JUL *", "cron(0 0 1 1,7 ? *)"),
    ("0 0 L * *", "cron(0 0 L * ? *)"),
    ("0 0 * * MON#3", "cron(0 0 ? * 2#3 *)"),
    ("0 0 * * 5L", "cron(0 0 ? * 6L *)"),
    ("0 0 1-31 * 1", "cron(0 0 * * ? *)"),
    ("0 0 13 * 0-6", "cron(0 0 * * ? *)"),
]  # fmt: skip
REFUSED = ["0 0 13 * 5", "0 0 */2 * MON", "0 0 1 * */2", "0 0 LW * *", "0 0 1,L * *", "0 0 * * 1,5L"]


def aws_times(text: str, start: datetime) -> Iterator[datetime]:
    """The times after *start* at which AWS's expression fires, by the rules of its user guide."""
    minutes, hours, days, months, weekdays, _ = re.fullmatch(r"cron\((.*)\)", text)[1].split()
    assert (days == "?") != (weekdays == "?")
    day = start.date()
    while True:
        if day.month in members(months, 1, 12) and on_day(day, days) and on_weekday(day, weekdays):
            for hour in sorted(members(hours, 0, 23)):
                for minute in sorted(members(minutes, 0, 59)):
                    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                    if moment > start:
                        yield moment
        day += timedelta(days=1)


def members(field: str, least: int, most: int) -> set[int]:
    if field == "*":
        return {*range(least, most + 1)}
    ends = [part.split("-") for part in field.split(",")]
    found = {value for end in ends for value in range(int(end[0]), int(end[-1]) + 1)}
    assert all(least <= value <= most for value in found)
    return found


def on_day(day: date, field: str) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    return field == "?" or (day.day == last if field == "L" else day.day in members(field, 1, 31))


def on_weekday(day: date, field: str) -> bool:
    number = day.isoweekday() % 7 + 1
    last = calendar.monthrange(day.year, day.month)[1]
    if field == "?":
        return True
    if field.endswith("L"):
        return number == int(field[:-1]) and day.day + 7 > last
    if "#" in field:
        wanted, which = map(int, field.split("#"))
        return number == wanted and (day.day - 1) // 7 + 1 == which
    return number in members(field, 1, 7)


def field(least: int, most: int, names: str = "") -> st.SearchStrategy[str]:
    number = st.integers(least, most).map(str)
    if names:
        number |= st.sampled_from(names.split())
    ends = st.tuples(st.integers(least, most), st.integers(least, most)).map(sorted)
    spread = ends.map(lambda pair: f"{pair[0]}-{pair[1]}")
    stepped = st.tuples(st.just("*") | spread | number, st.integers(1, most)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return (
        st.just("*")
        | number
        | spread
        | stepped
        | st.lists(number | spread | stepped, min_size=2, max_size=4).map(",".join)
    )


MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
WEEK = "SUN MON TUE WED THU FRI SAT"
NTH = st.tuples(st.integers(0, 7), st.integers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}")
CRONS = st.tuples(
    field(0, 59), field(0, 23), field(1, 31) | st.just("L"), field(1, 12, MONTHS),
    field(0, 7, WEEK) | NTH | st.integers(0, 7).map(lambda day: f"{day}L"),
).map(" ".join)  # fmt: skip


@pytest.mark.parametrize(("cron", "aws"), SAID)
def test_a_cron_expression_is_said_in_the_words_of_the_scheduler(cron: str, aws: str) -> None:
    assert expression(cron, "monitors.drift.schedule") == aws


@pytest.mark.parametrize("cron", REFUSED)
def test_what_the_scheduler_cannot_say_is_refused_and_not_bent(cron: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        expression(cron, "monitors.drift.schedule")
    assert caught.value.path == "monitors.drift.schedule"


@settings(max_examples=400, deadline=None)
@given(CRONS)
def test_both_fire_at_the_same_times(cron: str) -> None:
    try:
        ours = list(islice(CronSim(cron, START), 12))
        text = expression(cron, "monitors.drift.schedule")
    except (CronSimError, UnsupportedError):
        assume(False)
    assume(len(ours) == 12 and ours[-1].year < 2060)
    assert list(islice(aws_times(text, START), 12)) == ours
    assert len(text) <= 256
