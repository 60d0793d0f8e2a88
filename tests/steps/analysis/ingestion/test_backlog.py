from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from analysis.ingestion.backlog import Backlog
from analysis.ingestion.records import Record


def records(number: int) -> list[Record]:
    return [Record(line, f"r{line}", "{}") for line in range(2, number + 2)]


def lines(batch) -> list[int]:
    return [sending.record.row for sending in batch]


def test_records_that_are_due_are_filled_up_with_fresh_ones() -> None:
    backlog = Backlog(iter(records(10)), batch=4, room=100)
    first = backlog.next_batch(0.0)
    assert lines(first) == [2, 3, 4, 5]
    backlog.repeat(first[0], "busy", due=1.0)
    backlog.repeat(first[1], "busy", due=5.0)
    backlog.settled(2)
    assert backlog.next_due == 1.0
    second = backlog.next_batch(1.0)
    assert lines(second) == [2, 6, 7, 8]
    assert (second[0].attempts, second[0].reason) == (1, "busy")


def test_what_is_under_way_is_bounded() -> None:
    endless = (Record(number, "r", "{}") for number in count())
    backlog = Backlog(endless, batch=25, room=100)
    sent = [batch for _ in range(10) if (batch := backlog.next_batch(0.0))]
    assert [len(batch) for batch in sent] == [25] * 4
    backlog.repeat(sent[0][0], "busy", due=0.0)
    assert len(backlog.next_batch(0.0)) == 1
    backlog.settled(25)
    assert len(backlog.next_batch(0.0)) == 25


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), max_size=200), st.integers(0, 30))
def test_every_record_is_settled_or_left_once(answers: list[list[bool]], number: int) -> None:
    backlog = Backlog(iter(records(number)), batch=3, room=9)
    settled = []
    for now, written in enumerate(answers):
        batch = backlog.next_batch(now)
        for sending, is_written in zip(batch, written, strict=False):
            if is_written:
                settled.append(sending.record.row)
                backlog.settled(1)
            else:
                backlog.repeat(sending, "busy", now + 1)
    if backlog.is_done:
        assert len(settled) == number
    left = [sending.record.row for sending in backlog.left()]
    assert sorted(settled + left) == [record.row for record in records(number)]
