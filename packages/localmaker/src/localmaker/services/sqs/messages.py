"""The messages of SQS queues, indexed by id and receipt handle, and stored one by one.

What requests do with them is in :mod:`localmaker.services.sqs.queues`.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.utils import unix_time_millis
from moto.sqs.models import Queue

from localmaker.state.changes import MESSAGE_OPERATIONS, Change, touch_part
from localmaker.state.parts import part_id, part_name, register

_KIND = "message"
# Attributes that hold messages or belong to them; they are not part of the queue's own state.
_MESSAGE_ATTRIBUTES = ("_messages", "_messages_lock", "_pending_messages", "deleted_messages")


@dataclass(frozen=True)
class Deleted:
    """The trace of a deleted message: deleting it again is not an error.

    Attributes:
        handles: every receipt handle that the message had.
        until: the end of the message's retention; milliseconds since 1970.
    """

    handles: tuple[str, ...]
    until: float


class Messages:
    """The messages of one queue in order. Callers that change them must hold the queue's lock.

    Args:
        queue: moto's queue.
    """

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._by_id: dict[str, Any] = {}
        self._by_handle: dict[str, Any] = {}
        self._deleted: dict[str, Deleted] = {}
        self._deleted_handles: set[str] = set()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def append(self, message: Any) -> None:
        """Add a message at the end."""
        self._by_id[message.id] = message
        self._add_handles(message)
        self.touch(message.id)

    def receive(self, message: Any, visibility_timeout: int) -> None:
        """Hand a message out under a new receipt handle."""
        message.mark_received(visibility_timeout=visibility_timeout)
        self._by_handle[message.receipt_handle] = message
        self.touch(message.id)

    def find(self, handle: str) -> Any:
        """Return the message with a receipt handle, or None."""
        return self._by_handle.get(handle)

    def remove(self, message: Any) -> None:
        """Remove a message."""
        del self._by_id[message.id]
        self._forget_handles(message)
        self.touch(message.id)

    def delete(self, message: Any) -> None:
        """Remove a message and remember its receipt handles."""
        self.remove(message)
        handles = tuple(handle for handle in message.all_receipt_handles if handle is not None)
        self.remember(message.id, Deleted(handles, end_of_life(self._queue, message)))

    def remember(self, message_id: str, deleted: Deleted) -> None:
        """Remember the receipt handles of a deleted message."""
        self._deleted[message_id] = deleted
        self._deleted_handles.update(deleted.handles)

    def put_back(self, message_id: str, state: Any) -> None:
        """Make a message what is stored of it: a message at its place, the trace of a deleted one, or None."""
        before = self._by_id.get(message_id)
        if before is not None:
            self._forget_handles(before)
        trace = self._deleted.pop(message_id, None)
        if trace is not None:
            self._deleted_handles.difference_update(trace.handles)
        if state is None or isinstance(state, Deleted):
            self._by_id.pop(message_id, None)
            if state is not None and state.until > unix_time_millis():
                self.remember(message_id, state)
            return
        last = next(reversed(self._by_id.values()), None)
        self._by_id[message_id] = state
        self._add_handles(state)
        if before is None and last is not None and last.sent_timestamp > state.sent_timestamp:
            # A removal is undone: the message was there before others.
            self._by_id = dict(sorted(self._by_id.items(), key=lambda item: item[1].sent_timestamp))

    def _add_handles(self, message: Any) -> None:
        for handle in message.all_receipt_handles:
            if handle is not None:
                self._by_handle[handle] = message

    def _forget_handles(self, message: Any) -> None:
        for handle in message.all_receipt_handles:
            self._by_handle.pop(handle, None)

    def was_deleted(self, handle: str) -> bool:
        """Return whether a receipt handle belongs to a deleted message."""
        return handle in self._deleted_handles

    def clear(self) -> None:
        """Remove all messages."""
        for message in list(self):
            self.remove(message)

    def ids(self) -> list[str]:
        """Return the ids of all messages, including deleted ones that are remembered."""
        return [*self._by_id, *self._deleted]

    def state(self, message_id: str) -> Any:
        """Return what is stored of a message."""
        return self._by_id.get(message_id) or self._deleted.get(message_id)

    def touch(self, message_id: str) -> None:
        """Note that a message has changed."""
        touch_part(part_id(_KIND, self._queue.account_id, self._queue.region, self._queue.name, message_id))


class QueueMessages:
    """The messages of a region's queues, as parts of its backend."""

    kind = _KIND
    service = "sqs"

    def changes_only_parts(self, change: Change) -> bool:
        """Return whether a request changes nothing but messages."""
        # Other services only send messages.
        return change.operation in MESSAGE_OPERATIONS or change.service not in ("sqs", "cloudformation")

    def names(self, backend: Any) -> Iterator[str]:
        """Yield the name of each message."""
        for queue in list(backend.queues.values()):
            with lock_of(queue):
                ids = messages_of(queue).ids()
            for message_id in ids:
                yield part_name(queue.name, message_id)

    def find(self, backend: Any, name: str) -> Any:
        """Return the state of a message, or None."""
        queue_name, message_id = json.loads(name)
        queue = backend.queues.get(queue_name)
        if queue is None:
            return None
        with lock_of(queue):
            return copy.copy(messages_of(queue).state(message_id))

    def restore(self, backend: Any, name: str, state: Any) -> None:
        """Give a backend a stored message."""
        queue_name, message_id = json.loads(name)
        queue = backend.queues[queue_name]
        with lock_of(queue):
            messages_of(queue).put_back(message_id, state)
            lock_of(queue).notify_all()

    def remove(self, backend: Any, name: str) -> None:
        """Remove a message without a trace, if it is there."""
        queue_name, message_id = json.loads(name)
        queue = backend.queues.get(queue_name)
        if queue is not None:
            with lock_of(queue):
                messages_of(queue).put_back(message_id, None)
                lock_of(queue).notify_all()


def messages_of(queue: Any) -> Messages:
    """Return the messages of moto's queue."""
    messages: Messages = queue._messages  # noqa: SLF001 - ours, in moto's object
    return messages


def lock_of(queue: Any) -> threading.Condition:
    """Return the lock of a queue's messages; receivers that wait for a message are notified through it."""
    lock: threading.Condition = queue._messages_lock  # noqa: SLF001 - moto's own
    return lock


def end_of_life(queue: Any, message: Any) -> float:
    """Return the end of a message's retention, in milliseconds since 1970."""
    return float(message.sent_timestamp + queue.message_retention_period * 1000)


def install() -> None:
    """Store messages one by one, for the whole process. Safe to call again."""
    register(QueueMessages())
    Queue.__init__ = _new_queue
    Queue.__getstate__ = _get_state
    Queue.__setstate__ = _set_state


_moto_new_queue = Queue.__init__


def _new_queue(queue: Any, *args: Any, **kwargs: Any) -> None:
    _moto_new_queue(queue, *args, **kwargs)
    queue._messages = Messages(queue)  # noqa: SLF001 - in place of moto's list


def _get_state(queue: Any) -> dict[str, Any]:
    return {name: value for name, value in queue.__dict__.items() if name not in _MESSAGE_ATTRIBUTES}


def _set_state(queue: Any, state: dict[str, Any]) -> None:
    queue.__dict__.update(state)
    queue._messages = Messages(queue)  # noqa: SLF001 - in place of moto's list
    queue._messages_lock = threading.Condition()  # noqa: SLF001 - moto's own
