from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from analysis.ingestion.calls import Verdict
from analysis.ingestion.delivery import Delivery
from analysis.ingestion.records import Record


def records(number: int) -> list[Record]:
    return [Record(line, f"r{line}", "{}") for line in range(2, number + 2)]


def test_calls_are_made_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=30)

    def write(_: Sequence[Record]) -> Verdict:
        together.wait()
        return Verdict({}, {})

    delivery = Delivery(write, 3, time.monotonic() + 60, lost=lambda *_: None)
    delivery.deliver(iter(records(75)))
    assert (delivery.written, delivery.stop) == (75, None)


def test_a_record_that_is_always_busy_is_left_out_with_its_last_reason() -> None:
    lost: list[tuple[int, str]] = []

    def write(sent: Sequence[Record]) -> Verdict:
        return Verdict({position: "busy" for position, record in enumerate(sent) if record.row == 5}, {})

    delivery = Delivery(write, 2, time.monotonic() + 0.5, lambda record, reason: lost.append((record.row, reason)))
    delivery.deliver(iter(records(60)))
    assert delivery.written == 59
    ((line, reason),) = lost
    assert line == 5
    assert reason.startswith("the deadline has passed; attempt ")
    assert reason.endswith(": busy")


def test_a_bug_in_a_thread_is_not_passed_over(monkeypatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def write(_: Sequence[Record]) -> Verdict:
        raise KeyError("a bug")

    delivery = Delivery(write, 1, time.monotonic() + 60, lost=lambda *_: None)
    with pytest.raises(RuntimeError, match="has died"):
        delivery.deliver(iter(records(3)))
