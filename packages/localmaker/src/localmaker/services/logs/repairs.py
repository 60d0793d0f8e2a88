"""Answers of moto's CloudWatch Logs that are not what it answers, put right.

- ``FilterLogEvents`` looks at all streams whatever ``logStreamNamePrefix`` says, does not know
  ``logGroupIdentifier``, and gives one stream after the other; in AWS the events of all are ordered by time.
"""

from __future__ import annotations

import json
from typing import Any

from moto.logs.exceptions import InvalidParameterException
from moto.logs.responses import LogsResponse


def repair_logs() -> None:
    """Put them right for the whole process; doing it again changes nothing."""
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
        # A name that no stream can have, where no stream begins so: moto takes an empty list for all.
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
        True,  # whatever "interleaved" says, as in AWS
    )
    more = {"nextToken": following} if following else {}
    return json.dumps({"events": events, "searchedLogStreams": searched, **more})
