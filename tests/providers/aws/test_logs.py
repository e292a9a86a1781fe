from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from working import connected

from cloudml.errors import InvalidRequestError, NotFoundError
from cloudml_aws.kinds import PROCESSING, TRAINING
from cloudml_aws.logs import lift, read_cursor, written

GROUP = TRAINING.group
TEXTS = st.dictionaries(st.text(), st.text())


@pytest.fixture
def there(tmp_path):
    with connected(tmp_path) as there:
        yield there


@given(TEXTS)
def test_a_cursor_survives_being_written(cursor: dict) -> None:
    assert read_cursor(written(cursor)) == cursor


@pytest.mark.parametrize("text", ["x", "12", "WzFd", "é", "eyJhIjoxfQ=="])
def test_a_cursor_of_somebody_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="no cursor"):
        read_cursor(text)


def test_an_event_may_hold_several_lines_and_further_machines_are_named() -> None:
    event = {"timestamp": 5, "message": "one\ntwo\r"}
    assert [line.text for line in lift(event, "job/algo-1-17")] == ["one", "two"]
    assert [line.text for line in lift(event, "job/algo-2-17")] == ["[algo-2] one", "[algo-2] two"]
    assert [line.text for line in lift({"message": ""}, "variant/i-0")] == [""]


def test_nothing_printed_yet_is_no_error_and_streams_that_come_late_are_read_from_their_start(there) -> None:
    world = there.aws.world
    page = there.logs.read("jobs", "job", "")
    assert page.lines == ()
    world.say(GROUP, "job/algo-2-9", "second's first")
    page = there.logs.read("jobs", "job", page.cursor)
    assert page.lines == ("[algo-2] second's first",)
    there.aws.clock.advance(1)
    world.say(GROUP, "job/algo-1-9", "first's first")
    there.aws.clock.advance(1)
    world.say(GROUP, "job/algo-2-9", "second's second")
    world.say(GROUP, "job-2/algo-1-9", "of another job")
    page = there.logs.read("jobs", "job", page.cursor)
    assert page.lines == ("first's first", "[algo-2] second's second")
    assert there.logs.read("jobs", "job", page.cursor).lines == ()


def test_a_long_log_is_read_in_pages_and_whole(there) -> None:
    for number in range(12_000):
        there.aws.world.say(PROCESSING.group, "job/algo-1-9", str(number))
    lines, cursor = [], ""
    while (page := there.logs.read("jobs", "job", cursor)).lines:
        lines += page.lines
        cursor = page.cursor
    assert lines == [str(number) for number in range(12_000)]


def test_an_endpoint_has_a_group_of_its_own_and_the_rest_print_nothing(there) -> None:
    there.aws.world.say("/aws/sagemaker/Endpoints/flights-delay", "AllTraffic/i-1", "served")
    assert there.logs.read("endpoints", "flights-delay", "").lines == ("served",)
    with pytest.raises(NotFoundError):
        there.logs.read("models", "flights-delay", "")


def test_a_tail_is_the_last_lines_of_the_newest_streams(there) -> None:
    for number in range(30):
        there.aws.world.say(GROUP, "job/algo-1-9", f"line {number}")
    assert there.logs.tail(GROUP, "job/", 3) == ("line 27", "line 28", "line 29")
    assert there.logs.tail(GROUP, "nobody/", 3) == ()
    assert there.logs.tail("/no/such/group", "", 3) == ()


def test_the_lines_of_an_object_that_is_gone_go_with_it_unless_that_is_denied(there) -> None:
    there.aws.world.say(GROUP, "job/algo-1-9", "old")
    denied = there.aws.faults.refuse("logs:DeleteLogStream", "AccessDeniedException", "not authorized")
    there.logs.remove(GROUP, "job/")
    assert denied.struck
    assert there.logs.read("jobs", "job", "").lines == ("old",)
    there.logs.remove(GROUP, "job/")
    there.logs.remove("/no/such/group", "job/")
    assert there.logs.read("jobs", "job", "").lines == ()
