"""Waiting until something that AWS works on has ended."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_exponential

from pipeline.errors import TooSlowError

_LONGEST_PAUSE = 5


def _silent(_: str) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Waiting:
    """How long to wait for a state, and who is told of each state on the way."""

    #: An online store of storage type InMemory takes AWS a quarter of an hour to remove.
    seconds: float = 1200
    report: Callable[[str], object] = _silent


@dataclass(frozen=True)
class Found:
    """A state, and AWS's reason for it, "" where it gives none."""

    state: str
    reason: str = ""


def wait_until_ended(what: str, look: Callable[[], Found], under_way: Collection[str], waiting: Waiting) -> Found:
    """Look until a state is not one of those that pass, and return it.

    Raises:
        TooSlowError: it still is after that time.
    """
    seen = ""

    def found() -> Found:
        nonlocal seen
        now = look()
        if now.state != seen:
            waiting.report(now.state)
        seen = now.state
        return now

    def too_slow(_: RetryCallState) -> Found:
        raise TooSlowError(
            f"{what} is still {seen} after {waiting.seconds:g} seconds.",
            hint="AWS goes on with it: run the same command again to wait on.",
        )

    return Retrying(
        retry=retry_if_result(lambda answer: answer.state in under_way),
        wait=wait_exponential(multiplier=0.05, max=_LONGEST_PAUSE),
        stop=stop_after_delay(waiting.seconds),
        retry_error_callback=too_slow,
    )(found)
