"""Work on batches by as many threads as there are cores; numpy lets others run while it computes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def in_order(work: Callable[[Batch], Result], batches: Iterable[Batch]) -> Iterator[Result]:
    """Yield the results in the order of the batches, of which a core's worth is read ahead; one alone needs no thread.

    Whatever the number of cores, what is made of the results is the same to the last bit.
    """
    batches = iter(batches)
    ahead = list(islice(batches, 2))
    if len(ahead) < 2:  # noqa: PLR2004
        yield from map(work, ahead)
        return
    cores = os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for batch in chain(ahead, batches):
            waiting.append(pool.submit(work, batch))
            if len(waiting) > cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
