"""The thread for work in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localmaker.worker import Worker


@pytest.fixture
def make() -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def make_one(work: Callable[[], float | None], **options: Any) -> Worker:
        made.append(Worker("w", work, **options))
        return made[-1]

    yield make_one
    for worker in made:
        worker.close()


def test_it_has_no_thread_before_it_is_woken(make):
    worker = make(lambda: None)
    assert not worker.is_started
    worker.close()
    worker.wake()
    assert not worker.is_started


def test_it_works_when_woken_and_when_its_time_has_come(make, eventually):
    done = []
    worker = make(lambda: done.append(1) or (0.01 if len(done) < 3 else None))
    worker.wake()
    eventually(lambda: len(done) == 3)
    worker.wake()
    eventually(lambda: len(done) == 4)


def test_it_outlives_a_failure(make, eventually, caplog):
    results = iter([ZeroDivisionError, None])
    done = threading.Event()

    def work() -> None:
        failure = next(results)
        if failure:
            raise failure
        done.set()

    worker = make(work)
    worker.wake()
    eventually(lambda: "w failed" in caplog.text)
    worker.wake()
    assert done.wait(30)


@pytest.mark.parametrize("finishes", [True, False])
def test_what_it_was_woken_for_is_done_before_it_closes_only_if_wanted(make, finishes):
    done = []
    worker = make(lambda: done.append(1), delay=60, finishes=finishes)
    worker.wake()
    worker.close()
    assert done == [1] * finishes
