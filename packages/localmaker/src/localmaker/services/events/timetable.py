"""Start scheduled rules of EventBridge and schedules of EventBridge Scheduler when they are due; moto stores them.

A time that passes while no endpoint is running is missed. A rate is counted from the creation of a schedule, or from
when the endpoint first saw a rule, which does not know its creation.
"""

from __future__ import annotations

import copy
import logging
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localmaker.ports import AwsClients
from localmaker.services.events.bus import EventBridge
from localmaker.services.events.delivery import Outgoing, outgoing
from localmaker.services.events.schedules import InvalidScheduleError, Schedule, parse_schedule
from localmaker.services.events.targets import Matched
from localmaker.worker import Worker

logger = logging.getLogger(__name__)

# Longer waits end early, since the clock may have been set meanwhile.


@dataclass(frozen=True)
class Entry:
    """A rule or schedule with its due times.

    Attributes:
        identity: of the resource and its expression; a changed expression starts from the beginning.
        resource: moto's object.
        since, until: the period in which it can be due.
    """

    identity: tuple[str, ...]
    resource: Any
    schedule: Schedule
    since: datetime
    until: datetime | None
    is_rule: bool

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the next due time, or None."""
        due = self.schedule.next_after(moment, self.since)
        return None if due is None or (self.until is not None and due > self.until) else due


class Timetable:
    """Starts what is due, in a thread that sleeps until then and exists only if something is scheduled.

    Args:
        events: delivers what is due.
        clients: delete schedules that are complete.
    """

    def __init__(self, events: EventBridge, clients: AwsClients) -> None:
        self._events = events
        self._clients = clients
        self._seen: dict[tuple[str, ...], datetime] = {}
        self._due: dict[tuple[str, ...], datetime | None] = {}
        self._worker = Worker("timetable", self._fire_now)

    def wake(self) -> None:
        """Read the rules and schedules again; return at once."""
        if self._worker.is_started or next(self._entries(), None) is not None:
            self._worker.wake()

    def close(self) -> None:
        """Stop; nothing is started any more."""
        self._worker.close()

    def _fire_now(self) -> float | None:
        first = self.fire(datetime.now(UTC))
        return None if first is None else (first - datetime.now(UTC)).total_seconds()

    def fire(self, now: datetime) -> datetime | None:
        """Start what has become due; return the next due time."""
        entries = {entry.identity: entry for entry in self._entries()}
        self._due = {identity: due for identity, due in self._due.items() if identity in entries}
        for identity, entry in entries.items():
            if identity not in self._due:
                self._due[identity] = entry.next_after(now)
            due = self._due[identity]
            if due is not None and due <= now:
                self._start(entry, due)
                self._due[identity] = entry.next_after(now)
        return min((due for due in self._due.values() if due is not None), default=None)

    def _start(self, entry: Entry, due: datetime) -> None:
        made = _rule_deliveries(entry.resource, due) if entry.is_rule else [_schedule_delivery(entry.resource, due)]
        self._events.submit(made)
        resource = entry.resource
        if not entry.is_rule and resource.action_after_completion == "DELETE" and entry.next_after(due) is None:
            region = resource.arn.split(":")[3]
            self._clients.client("scheduler", region).delete_schedule(Name=resource.name, GroupName=resource.group_name)

    def _entries(self) -> Iterator[Entry]:
        from moto.events.models import events_backends

        for _, _, backend in list(events_backends.iter_backends()):
            for bus in list(backend.event_buses.values()):
                for rule in list(bus.rules.values()):
                    if rule.scheduled_expression and rule.state != "DISABLED":
                        yield from self._rule_entry(rule)
        # moto loads it with its first use.
        loaded: Any = sys.modules.get("moto.scheduler.models")
        if loaded is None:
            return
        for _, _, backend in list(loaded.scheduler_backends.iter_backends()):
            for group in list(backend.schedule_groups.values()):
                for schedule in list(group.schedules.values()):
                    if schedule.state != "DISABLED":
                        yield from _schedule_entry(schedule)

    def _rule_entry(self, rule: Any) -> Iterator[Entry]:
        identity = (rule.arn, rule.scheduled_expression)
        try:
            schedule = parse_schedule(rule.scheduled_expression)
        except InvalidScheduleError:  # from a template; PutRule refuses it
            return
        since = self._seen.setdefault(identity, datetime.now(UTC))
        yield Entry(identity, rule, schedule, since, None, is_rule=True)


def _schedule_entry(schedule: Any) -> Iterator[Entry]:
    try:
        zone = ZoneInfo(schedule.schedule_expression_timezone)
        parsed = parse_schedule(schedule.schedule_expression, zone, once=True)
    except (InvalidScheduleError, ZoneInfoNotFoundError, ValueError):  # from a template; CreateSchedule refuses it
        return
    identity = (schedule.arn, schedule.schedule_expression, str(zone), str(schedule.start_date), str(schedule.end_date))
    since = _moment(schedule.start_date) or _moment(schedule.creation_date) or datetime.now(UTC)
    yield Entry(identity, schedule, parsed, since, _moment(schedule.end_date), is_rule=False)


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _event(source: str, arn: str, due: datetime, detail: Any) -> dict[str, Any]:
    parts = arn.split(":")
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": parts[4],
        "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": parts[3],
        "resources": [arn],
        "detail": detail,
    }


def _rule_deliveries(rule: Any, due: datetime) -> list[Outgoing]:
    event = _event("aws.events", rule.arn, due, {})
    return [outgoing(Matched(event, rule.arn, copy.deepcopy(target))) for target in rule.targets]


def _schedule_delivery(schedule: Any, due: datetime) -> Outgoing:
    # Unlike a rule, Scheduler sends the detail as text.
    event = _event("aws.scheduler", schedule.arn, due, "{}")
    return outgoing(Matched(event, schedule.arn, {"Id": schedule.name, **copy.deepcopy(schedule.target)}))
