"""The history of alarms, which moto does not answer for."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult

_PAGE = 100
_KEPT = 1000  # entries of an alarm; AWS keeps those of 30 days


def note(alarm: Any, kind: str, summary: str, data: dict[str, Any]) -> None:
    """Add an entry to the history of an alarm.

    Args:
        alarm: moto's.
        kind: HistoryItemType.
        summary: of what has happened.
        data: details.
    """
    text = json.dumps({"version": "1.0", **data})
    alarm.history = [*alarm.history, (kind, datetime.now(UTC).replace(tzinfo=None), summary, text)][-_KEPT:]


def describe_alarm_history(response: Any) -> ActionResult:
    """Answer DescribeAlarmHistory: a page of entries, the newest first unless ScanBy says otherwise."""
    asked = {
        name: response._get_param(name)  # noqa: SLF001 - moto's way to the parameters
        for name in ("AlarmName", "HistoryItemType", "StartDate", "EndDate", "MaxRecords", "NextToken", "ScanBy")
    }
    items = [
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
            "Timestamp": moment,
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": data,
        }
        for alarm in list(response.cloudwatch_backend.alarms.values())
        if asked["AlarmName"] in (None, alarm.name)
        for kind, moment, summary, data in alarm.history
        if asked["HistoryItemType"] in (None, kind)
        and (asked["StartDate"] is None or _plain(asked["StartDate"]) <= moment)
        and (asked["EndDate"] is None or moment <= _plain(asked["EndDate"]))
    ]
    items.sort(key=lambda one: one["Timestamp"], reverse=asked["ScanBy"] != "TimestampAscending")
    start = int(base64.b64decode(asked["NextToken"])) if asked["NextToken"] else 0
    end = start + int(asked["MaxRecords"] or _PAGE)
    more = {"NextToken": base64.b64encode(str(end).encode()).decode()} if end < len(items) else {}
    return ActionResult({"AlarmHistoryItems": items[start:end], **more})


def _plain(moment: datetime) -> datetime:
    """Return a moment in UTC without its zone, as moto has times."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
