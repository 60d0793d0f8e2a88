"""Background deliveries: attempts, back-off, retry policy, dead letters."""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

from localmaker.services.events.targets import (
    DeliveryError,
    Matched,
    TargetAccess,
    deliver,
    is_slow,
    send_to_dead_letters,
)
from localmaker.state.moto_state import MotoState

logger = logging.getLogger(__name__)

_WORKERS = 4
# Calls of functions may take minutes, so they have threads of their own.
_SLOW_WORKERS = 8
# AWS's defaults: 24 hours and 185 retries with exponential back-off.
_DEFAULT_RETRIES = 185
_DEFAULT_AGE_SECONDS = 86_400
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 60.0


@dataclass(frozen=True)
class Attempt:
    """The next attempt of a delivery, or of removing one that is made. Times are of the monotonic clock."""

    matched: Matched
    first_seen: float
    retries: int = 0
    delivery_id: str = ""
    made: bool = False

    @property
    def maximum_retries(self) -> int:
        """MaximumRetryAttempts of the target's retry policy."""
        return int((self.matched.target.get("RetryPolicy") or {}).get("MaximumRetryAttempts", _DEFAULT_RETRIES))

    @property
    def maximum_age(self) -> float:
        """MaximumEventAgeInSeconds of the target's retry policy."""
        policy = self.matched.target.get("RetryPolicy") or {}
        return float(policy.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_SECONDS))


def retry_delay(retries: int) -> float:
    """Return the seconds until the next attempt: doubling from 0.2 s (AWS starts slower, for the sake of others)."""
    return min(_FIRST_DELAY_SECONDS * 2.0 ** min(retries, 16), _LONGEST_DELAY_SECONDS)


def exhausted_condition(attempt: Attempt, now: float) -> str:
    """Return the limit of the retry policy that forbids another attempt; empty if none does."""
    if attempt.retries >= attempt.maximum_retries:
        return "MaximumRetryAttempts"
    if now + retry_delay(attempt.retries) - attempt.first_seen > attempt.maximum_age:
        return "MaximumEventAgeInSeconds"
    return ""


@dataclass(order=True)
class _Due:
    at: float
    order: int
    attempt: Attempt = field(compare=False)


@dataclass(frozen=True)
class Outgoing:
    """A delivery to be made; the outbox stores it, so that it outlives the process.

    Attributes:
        seen_at: when the event arrived; seconds since 1970.
    """

    delivery_id: str
    matched: Matched
    seen_at: float

    def dump(self) -> bytes:
        """Return it as bytes, for the outbox."""
        return json.dumps({"matched": asdict(self.matched), "seen_at": self.seen_at}).encode()

    @classmethod
    def load(cls, delivery_id: str, data: bytes) -> Outgoing:
        """Read what :meth:`dump` returned."""
        document = json.loads(data)
        return cls(delivery_id, Matched(**document["matched"]), document["seen_at"])


def outgoing(matched: Matched) -> Outgoing:
    """Return a new delivery."""
    return Outgoing(uuid.uuid4().hex, matched, time.time())


@dataclass(frozen=True)
class _Pending:
    deliveries: Deliveries
    outgoing: list[Outgoing]

    @property
    def records(self) -> dict[str, bytes]:
        return {one.delivery_id: one.dump() for one in self.outgoing}

    def start(self) -> None:
        self.deliveries.submit(self.outgoing, kept=True)


class Deliveries:
    """Delivers matched events without blocking their publisher; threads start with the first event.

    A delivery stays in the outbox (the endpoint's state) until it is made or abandoned, so that a killed endpoint
    makes it after its next start. One that was in progress is then made twice, as with EventBridge itself; its token
    is the same, so that it starts nothing twice.

    Args:
        access: reaches the targets.
        outbox: returns the state that stores deliveries.
    """

    def __init__(self, access: TargetAccess, outbox: Callable[[], MotoState]) -> None:
        self._access = access
        self._outbox = outbox
        self._due: list[_Due] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._slow: set[threading.Thread] = set()
        self._slow_turns = threading.Semaphore(_SLOW_WORKERS)
        self._closed = False

    def submit(self, deliveries: list[Outgoing], *, kept: bool = False) -> None:
        """Make deliveries in other threads.

        Args:
            kept: the outbox holds them already.
        """
        if not kept and deliveries:
            self._outbox().keep_deliveries({one.delivery_id: one.dump() for one in deliveries})
        now = time.monotonic()
        for one in deliveries:
            age = max(0.0, time.time() - one.seen_at)
            self._schedule(Attempt(one.matched, first_seen=now - age, delivery_id=one.delivery_id), now)

    def pending(self, deliveries: list[Outgoing]) -> _Pending:
        """Return deliveries that the caller stores before it starts them."""
        return _Pending(self, deliveries)

    def resume(self) -> None:
        """Make the deliveries that an earlier endpoint left in the outbox."""
        left = [Outgoing.load(name, data) for name, data in self._outbox().undelivered.items()]
        if left:
            logger.info("delivering %d events that the endpoint had not delivered when it ended", len(left))
        self.submit(left, kept=True)

    def forget(self) -> None:
        """Drop what waits for its next attempt."""
        with self._changed:
            self._due.clear()

    def close(self) -> None:
        """Stop: wait for deliveries in progress, leave the others in the outbox."""
        with self._changed:
            self._closed = True
            waiting = len(self._due)
            self._due.clear()
            self._changed.notify_all()
        for thread in [*self._threads, *self._slow]:
            thread.join()
        if waiting:
            logger.info("%d events are not delivered yet; they will be after the next start", waiting)

    def _schedule(self, attempt: Attempt, at: float) -> None:
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._due, _Due(at, next(self._order), attempt))
            if len(self._threads) < _WORKERS and len(self._threads) < len(self._due):
                thread = threading.Thread(target=self._work, name="event-delivery", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def _next(self) -> Attempt | None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                if self._due and self._due[0].at <= now:
                    return heapq.heappop(self._due).attempt
                self._changed.wait(self._due[0].at - now if self._due else None)
            return None

    def _work(self) -> None:
        while (attempt := self._next()) is not None:
            if is_slow(attempt.matched):
                thread = threading.Thread(target=self._make_slow, args=(attempt,), name="event-function", daemon=True)
                self._slow.add(thread)
                thread.start()
            else:
                self._make(attempt)

    def _make_slow(self, attempt: Attempt) -> None:
        with self._slow_turns:
            if not self._closed:
                self._make(attempt)
        self._slow.discard(threading.current_thread())

    def _make(self, attempt: Attempt) -> None:
        try:
            over = attempt.made or self._attempt(attempt)
        except Exception:  # a worker must outlive every failure
            logger.exception("event %s was lost", attempt.matched.event.get("id"))
            over = True
        if over:
            self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        try:
            self._outbox().forget_delivery(attempt.delivery_id)
        except (OSError, sqlite3.Error) as error:  # as on a full disk
            logger.warning("the delivery %s stays in the outbox for now: %s", attempt.delivery_id, error)
            again = replace(attempt, made=True, retries=attempt.retries + 1)
            self._schedule(again, time.monotonic() + retry_delay(attempt.retries))

    def _attempt(self, attempt: Attempt) -> bool:
        """Try once; return whether the delivery is over."""
        try:
            deliver(attempt.matched, self._access, attempt.retries + 1)
        except DeliveryError as error:
            return self._failed(attempt, error)
        return True

    def _failed(self, attempt: Attempt, error: DeliveryError) -> bool:
        now = time.monotonic()
        exhausted = exhausted_condition(attempt, now) if error.retriable else ""
        if error.retriable and not exhausted:
            again = replace(attempt, retries=attempt.retries + 1)
            self._schedule(again, now + retry_delay(attempt.retries))
            return False
        matched = attempt.matched
        logger.warning(
            "event %s of rule %s was not delivered to %s after %d retries: %s",
            matched.event.get("id"), matched.rule_arn, matched.target["Arn"], attempt.retries, error,
        )  # fmt: skip
        if (matched.target.get("DeadLetterConfig") or {}).get("Arn"):
            send_to_dead_letters(matched, error, attempt.retries, exhausted, self._access)
        return True
