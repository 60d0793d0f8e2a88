"""Operations on the messages of moto's SQS queues: one at a time in each queue, and counted only on request.

moto counts a queue's messages several times for each request that adds one, and does not isolate requests, so that two
receivers get the same message, or an error.
"""

from __future__ import annotations

import copy
import time
from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend, _filter_message_attributes

from localmaker.services.sqs.messages import end_of_life, lock_of, messages_of

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)
_LONGEST_INVISIBLE_MILLISECONDS = 43_200_000


def install() -> None:
    """Replace the operations for the whole process; a second call changes nothing."""
    # The counts are attributes that are computed only on request.
    Queue.BASE_ATTRIBUTES = [name for name in Queue.BASE_ATTRIBUTES if name not in _COUNTS]
    Queue.add_message = _add_message
    Queue.delete_message = _delete_message
    SQSBackend.receive_message = _receive_message
    SQSBackend.change_message_visibility = _change_message_visibility
    SQSBackend.change_message_visibility_batch = _change_message_visibility_batch
    SQSBackend.purge_queue = _purge_queue
    SQSBackend.get_queue_attributes = _get_queue_attributes


_moto_add_message = Queue.add_message
_moto_change_message_visibility_batch = SQSBackend.change_message_visibility_batch
_moto_get_queue_attributes = SQSBackend.get_queue_attributes
_moto_purge_queue = SQSBackend.purge_queue


def _add_message(queue: Any, message: Any) -> None:
    with lock_of(queue):  # moto checks for a duplicate before it adds the message
        _moto_add_message(queue, message)


def _delete_message(queue: Any, receipt_handle: str) -> None:
    messages = messages_of(queue)
    with lock_of(queue):
        message = messages.find(receipt_handle)
        if message is not None:
            messages.delete(message)
            lock_of(queue).notify_all()  # the next message of its group is available now
        elif not messages.was_deleted(receipt_handle):
            raise ReceiptHandleIsInvalid


def _change_message_visibility(backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
    queue = backend.get_queue(queue_name)
    with lock_of(queue):
        message = messages_of(queue).find(receipt_handle)
        if message is None:
            raise ReceiptHandleIsInvalid
        milliseconds = int(visibility_timeout) * 1000
        if unix_time_millis() + milliseconds - message.sent_timestamp > _LONGEST_INVISIBLE_MILLISECONDS:
            raise InvalidParameterValue(
                f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. Reason: Total "
                "VisibilityTimeout for the message is beyond the limit [43200 seconds]"
            )
        message.change_visibility(visibility_timeout)
        messages_of(queue).touch(message.id)
        lock_of(queue).notify_all()


def _change_message_visibility_batch(
    backend: Any, queue_name: str, entries: list[dict[str, Any]]
) -> tuple[list[str], list[dict[str, Any]]]:
    backend.get_queue(queue_name)  # moto reports a missing queue as a fault of each entry
    found: tuple[list[str], list[dict[str, Any]]] = _moto_change_message_visibility_batch(backend, queue_name, entries)
    return found


def _purge_queue(backend: Any, queue_name: str) -> None:
    queue = backend.get_queue(queue_name)
    with lock_of(queue):
        messages = messages_of(queue)
        _moto_purge_queue(backend, queue_name)
        messages.clear()
        queue._messages = messages  # noqa: SLF001 - moto has replaced them with a list


def _get_queue_attributes(backend: Any, queue_name: str, attribute_names: list[str]) -> dict[str, Any]:
    queue = backend.get_queue(queue_name)  # a missing one is refused, whatever is asked for
    others = [name for name in attribute_names if name not in _COUNTS]
    found: dict[str, Any] = _moto_get_queue_attributes(backend, queue_name, others) if others else {}
    wanted = set(_COUNTS if "All" in attribute_names else attribute_names).intersection(_COUNTS)
    counts = _counts(queue) if wanted else {}
    return {**found, **{name: count for name, count in counts.items() if name in wanted}}


def _receive_message(  # noqa: PLR0917 - moto's signature
    backend: Any,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Any]:
    queue = backend.get_queue(queue_name)
    end = time.monotonic() + wait_seconds_timeout
    while True:
        with lock_of(queue):
            received, dead_letters = _take(queue, int(count), int(visibility_timeout))
            remaining = end - time.monotonic()
            if not (received or dead_letters) and remaining > 0:
                lock_of(queue).wait(min(remaining, _seconds_until_visible(queue)))
        for message in dead_letters:
            _add_message(queue.dead_letter_queue, message)
        if received or remaining <= 0:
            break
    for message in received:
        _filter_message_attributes(message, message_attribute_names or [])
    return received


def _take(queue: Any, count: int, visibility_timeout: int) -> tuple[list[Any], list[Any]]:
    """Receive the next messages; return copies of them, and the messages for the dead-letter queue."""
    messages, now = messages_of(queue), unix_time_millis()
    received: list[Any] = []
    dead_letters: list[Any] = []
    expired: list[Any] = []
    # A message of a group is not available while an earlier one is in flight.
    held = {message.group_id for message in messages if message.visible_at >= now} if queue.fifo_queue else set()
    limit = queue.redrive_policy["maxReceiveCount"] if queue.dead_letter_queue and queue.redrive_policy else None
    for message in messages:
        if len(received) == count:
            break
        if message.visible_at >= now or message.delayed_until > now or message.group_id in held:
            continue
        if end_of_life(queue, message) <= now:
            expired.append(message)
        elif limit is not None and message.approximate_receive_count >= limit:
            dead_letters.append(message)
        else:
            messages.receive(message, visibility_timeout)
            received.append(copy.copy(message))
    for message in (*dead_letters, *expired):
        messages.remove(message)
    return received, dead_letters


def _seconds_until_visible(queue: Any) -> float:
    now = unix_time_millis()
    hidden = [float(max(message.visible_at, message.delayed_until)) for message in messages_of(queue)]
    first = min((moment for moment in hidden if moment >= now), default=float("inf"))
    return (first - float(now) + 1) / 1000


def _counts(queue: Any) -> dict[str, int]:
    now = unix_time_millis()
    with lock_of(queue):
        alive = [message for message in messages_of(queue) if end_of_life(queue, message) > now]
    invisible = sum(message.visible_at >= now for message in alive)
    delayed = sum(message.delayed_until > now for message in alive)
    return dict(zip(_COUNTS, (len(alive) - invisible - delayed, delayed, invisible), strict=True))
