from __future__ import annotations

import threading

import pytest

from analysis.model import threads
from analysis.model.threads import in_order


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_results_come_in_the_order_of_what_was_given(count: int) -> None:
    assert list(in_order(lambda number: number * number, range(count))) == [number * number for number in range(count)]


def test_no_more_is_read_than_is_worked_on(monkeypatch) -> None:
    """Memory is bounded by it."""
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 2)
    read: list[int] = []

    def numbers():
        for number in range(40):
            read.append(number)
            yield number

    for done, number in enumerate(in_order(lambda number: number, numbers())):
        assert number == done
        assert len(read) <= done + 4


def test_as_many_work_at_a_time_as_there_are_cores(monkeypatch) -> None:
    """Each waits for the others, so that fewer would never end."""
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 3)
    together = threading.Barrier(3, timeout=60)
    assert len(list(in_order(lambda _: together.wait(), range(9)))) == 9


def test_what_goes_wrong_in_one_is_raised(monkeypatch) -> None:
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda number: 1 // (number - 5), range(40)))
