"""Work that runs at once: its order, its bounds, and what it holds in memory."""

import threading

import pytest

from cloudml.storage.parallel import Room, each, in_order


def test_results_come_in_order_and_never_more_than_asked_are_under_way() -> None:
    begun = []

    def work(number):
        begun.append(number)
        return number * 2

    results = in_order(work, range(50), ahead=3)
    for number in range(50):
        assert next(results) == number * 2
        assert len(begun) <= number + 4
    assert next(results, None) is None


def test_an_error_in_the_middle_reaches_who_waits_for_it() -> None:
    def work(number):
        if number == 5:
            raise ValueError(number)
        return number

    found = []
    with pytest.raises(ValueError, match="5"):
        found.extend(in_order(work, range(100), ahead=4))
    assert found == [0, 1, 2, 3, 4]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def test_no_more_is_held_than_there_is_room_for() -> None:
    room, held, most = Room(100), [], []
    lock = threading.Lock()

    def hold(size):
        with room.of(size):
            with lock:
                held.append(min(size, 100))
                most.append(sum(held))
            with lock:
                held.remove(min(size, 100))

    threads = [threading.Thread(target=hold, args=(size,)) for size in (40, 60, 70, 1000, 1, 99, 30) * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 100
    assert len(most) == 140


def test_results_of_all_come_in_the_order_of_what_was_asked() -> None:
    assert each(lambda number: number * 2, iter(range(100)), workers=7) == [number * 2 for number in range(100)]
    assert each(str, [], workers=7) == []


def test_the_first_error_of_all_drops_the_rest_and_stops_what_runs() -> None:
    begun, stopped = [], threading.Event()

    def work(number):
        begun.append(number)
        if number == 3:
            raise ValueError(number)
        if number > 3:
            assert stopped.wait(10)

    with pytest.raises(ValueError, match="3"):
        each(work, range(100), workers=4, stop=stopped.set)
    assert stopped.is_set()
    assert len(begun) < 10
