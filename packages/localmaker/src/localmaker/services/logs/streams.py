"""The streams of CloudWatch Logs, stored one by one because they grow line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.logs.models import LogEvent, LogGroup, LogStream

from localmaker.state.changes import Change, touch_part
from localmaker.state.parts import part_id, part_name, register
from localmaker.state.store import PieceId


class LogStreams:
    """The streams of a region's log groups, as parts of its backend."""

    kind = "log-stream"
    service = "logs"

    def changes_only_parts(self, change: Change) -> bool:
        """Return whether a request changes nothing but streams."""
        return change.operation == "PutLogEvents"

    def names(self, backend: Any) -> Iterator[str]:
        """Yield the name of each stream."""
        for group in backend.groups.values():
            for name in group.streams:
                yield part_name(group.name, name)

    def find(self, backend: Any, name: str) -> Any:
        """Return the state of a stream, or None."""
        group_name, stream_name = json.loads(name)
        group = backend.groups.get(group_name)
        stream = group.streams.get(stream_name) if group is not None else None
        if stream is None:
            return None
        return {key: value for key, value in stream.__dict__.items() if key != "log_group"}

    def restore(self, backend: Any, name: str, state: Any) -> None:
        """Give a backend a stored stream."""
        group_name, stream_name = json.loads(name)
        stream = LogStream.__new__(LogStream)
        stream.__dict__.update(state)
        stream.log_group = backend.groups[group_name]
        stream.log_group.streams[stream_name] = stream
        LogEvent._event_id += len(stream.events)  # noqa: SLF001 - new ids must follow the old ones

    def remove(self, backend: Any, name: str) -> None:
        """Remove a stream, if it is there."""
        group_name, stream_name = json.loads(name)
        group = backend.groups.get(group_name)
        if group is not None:
            group.streams.pop(stream_name, None)


def install() -> None:
    """Store streams one by one, for the whole process. Safe to call again."""
    register(LogStreams())
    LogGroup.__getstate__ = _without_streams
    LogGroup.create_log_stream = _create_log_stream
    LogGroup.delete_log_stream = _delete_log_stream
    LogStream.put_log_events = _put_log_events


_moto_put_log_events = LogStream.put_log_events
_moto_create_log_stream = LogGroup.create_log_stream
_moto_delete_log_stream = LogGroup.delete_log_stream


def _without_streams(group: Any) -> dict[str, Any]:
    return {**group.__dict__, "streams": {}}


def _put_log_events(stream: Any, log_events: list[dict[str, Any]]) -> Any:
    touch_part(_stream_id(stream.log_group, stream.log_stream_name))
    return _moto_put_log_events(stream, log_events)


def _create_log_stream(group: Any, log_stream_name: str) -> None:
    _moto_create_log_stream(group, log_stream_name)
    touch_part(_stream_id(group, log_stream_name))


def _delete_log_stream(group: Any, log_stream_name: str) -> None:
    _moto_delete_log_stream(group, log_stream_name)
    touch_part(_stream_id(group, log_stream_name))


def _stream_id(group: Any, name: str) -> PieceId:
    return part_id(LogStreams.kind, group.account_id, group.region, group.name, name)
