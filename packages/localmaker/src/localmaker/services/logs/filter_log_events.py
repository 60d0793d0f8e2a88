"""A patch of moto: ``FilterLogEvents`` looks at the streams that the request names, and orders events by time.

- moto: ignores ``logStreamNamePrefix`` and ``logGroupIdentifier``, and returns one stream after the other.
- CloudWatch Logs: takes both, and orders the events of all streams by time.
- Replaced: ``moto.logs.responses.LogsResponse.filter_log_events``.
"""

from __future__ import annotations

import json
from typing import Any

from moto.logs.exceptions import InvalidParameterException
from moto.logs.responses import LogsResponse


def install() -> None:
    """Replace it for the whole process; a second call changes nothing."""
    LogsResponse.filter_log_events = _filter_log_events


def _filter_log_events(response: Any) -> str:
    def given(name: str, default: Any = None) -> Any:
        return response._get_param(name, default)  # noqa: SLF001 - how moto's responses read a request

    group = given("logGroupName") or str(given("logGroupIdentifier", "")).removesuffix(":*").rpartition(":")[2]
    prefix, streams = given("logStreamNamePrefix"), given("logStreamNames", [])
    if prefix and streams:
        raise InvalidParameterException("Only one of logStreamNames and logStreamNamePrefix can be given")
    if prefix:
        found = response.logs_backend.groups.get(group)
        # moto reads an empty list as all streams, so name one that cannot exist.
        streams = [name for name in found.streams if name.startswith(prefix)] if found else []
        streams = streams or [":"]
    events, following, searched = response.logs_backend.filter_log_events(
        group,
        streams,
        given("startTime"),
        given("endTime"),
        given("limit"),
        given("nextToken"),
        given("filterPattern"),
        True,  # AWS ignores "interleaved", too
    )
    more = {"nextToken": following} if following else {}
    return json.dumps({"events": events, "searchedLogStreams": searched, **more})
