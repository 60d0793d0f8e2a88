"""Start scheduled rules of EventBridge and schedules of EventBridge Scheduler when they are due; moto stores them.

A time that passes while no endpoint is running is missed; one of several that pass while it sleeps, or while its clock
is moved, is made up for: the last. A schedule with a rate is first due at its StartDate or creation, a rule one period
after the endpoint first saw it. A flexible time window is used at its beginning.
"""

from __future__ import annotations

import copy
import logging
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localmaker.ports import AwsClients
from localmaker.services.events.bus import EventBridge
from localmaker.services.events.clock import Clock
from localmaker.services.events.delivery import Outgoing, outgoing
from localmaker.services.events.schedules import InvalidScheduleError, Once, Schedule, parse_schedule
from localmaker.services.events.targets import Matched
from localmaker.worker import Worker

logger = logging.getLogger(__name__)

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Entry:
    """A rule or schedule with its due times.

    Attributes:
        identity: of the resource and its expression; a changed expression starts from the beginning.
        resource: moto's object.
        since, until: the period in which it can be due.
        made: when it was created or changed, if it can be due from then on and not only once it has been seen.
    """

    identity: tuple[str, ...]
    resource: Any
    schedule: Schedule
    since: datetime
    until: datetime | None
    is_rule: bool
    made: datetime | None = None

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the next due time, or None."""
        if isinstance(self.schedule, Once):  # AWS ignores the period of a schedule that is due once
            return self.schedule.next_after(moment, self.since)
        begin = moment if self.is_rule else max(moment, self.since - _INSTANT)
        due = self.schedule.next_after(begin, self.since)
        return None if due is None or (self.until is not None and due > self.until) else due

    def last(self, due: datetime, now: datetime) -> datetime:
        """Return the last due time until now, given the first one."""
        back = timedelta(minutes=1)
        while now - back > due:
            found = self.next_after(now - back)
            if found is not None and found <= now:
                due = found
                break
            back *= 2
        while (following := self.next_after(due)) is not None and following <= now:
            due = following
        return due


class Timetable:
    """Starts what is due, in a thread that sleeps until then and exists only if something is scheduled.

    Args:
        events: delivers what is due.
        clients: delete schedules that are complete.
        copies: how often a schedule's call is delivered; AWS promises at least once.
        others: called with the time, too, after what is scheduled; returns when it has something to do by then.
    """

    def __init__(
        self,
        events: EventBridge,
        clients: AwsClients,
        copies: int = 1,
        others: Callable[[datetime], datetime | None] = lambda _now: None,
    ) -> None:
        self._events = events
        self._others = others
        self._clients = clients
        self._copies = copies
        self._clock = Clock()
        self._started = datetime.now(UTC)
        self._seen: dict[tuple[str, ...], datetime] = {}
        self._due: dict[tuple[str, ...], datetime | None] = {}
        self._firing = threading.RLock()
        self._worker = Worker("timetable", self._fire_now)

    def wake(self) -> None:
        """Read the rules and schedules again; return at once."""
        if self._worker.is_started or next(self._entries(), None) is not None:
            self.wake_others()

    def wake_others(self) -> None:
        """Do what is due now, also where nothing is scheduled; return at once."""
        self._worker.wake()

    def close(self) -> None:
        """Stop; nothing is started any more."""
        self._worker.close()

    def forget(self) -> None:
        """Go by the machine's clock again, and forget when anything was seen first."""
        with self._firing:
            self._clock = Clock()
            self._started = datetime.now(UTC)
            self._seen, self._due = {}, {}

    def now(self) -> datetime:
        """Return the time that schedules go by."""
        return self._clock.now()

    def move_clock(self, to: datetime, copies: int | None = None) -> datetime | None:
        """Move the time that schedules go by, start what has become due, and return the next due time.

        Args:
            to: an earlier time makes what is due from then on due again.
            copies: how often each call is delivered.
        """
        with self._firing:
            now = self.now()
            self.fire(now)  # what was created or changed just now is seen before it is due
            self._clock.move(to)
            if to < now:
                self._due = {entry.identity: entry.next_after(to - _INSTANT) for entry in self._entries()}
            following = self.fire(to, copies)
            self._others(to)
        self.wake()
        return following

    def _fire_now(self) -> float | None:
        with self._firing:
            now = self.now()
            due = [one for one in (self.fire(now), self._others(now)) if one is not None]
        return (min(due) - self.now()).total_seconds() if due else None

    def fire(self, now: datetime, copies: int | None = None) -> datetime | None:
        """Start what has become due; return the next due time."""
        with self._firing:
            entries = {entry.identity: entry for entry in self._entries()}
            self._due = {identity: due for identity, due in self._due.items() if identity in entries}
            for identity, entry in entries.items():
                if identity not in self._due:
                    self._due[identity] = entry.next_after(self._first_seen(entry, now))
                due = self._due[identity]
                if due is not None and due <= now:
                    self._start(entry, entry.last(due, now), copies or self._copies)
                    self._due[identity] = entry.next_after(now)
            return min((due for due in self._due.values() if due is not None), default=None)

    def _first_seen(self, entry: Entry, now: datetime) -> datetime:
        """Return from when on a new entry can be due."""
        if entry.made is None:
            return now
        return min(now, self._clock.at(max(entry.made, self._started)) - _INSTANT)

    def _start(self, entry: Entry, due: datetime, copies: int) -> None:
        resource = entry.resource
        made = (
            _rule_deliveries(resource, due)
            if entry.is_rule
            else [_schedule_delivery(resource, due) for _ in range(copies)]
        )
        self._events.submit(made)
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
                        yield from self._schedule_entry(schedule)

    def _rule_entry(self, rule: Any) -> Iterator[Entry]:
        identity = (rule.arn, rule.scheduled_expression)
        try:
            schedule = parse_schedule(rule.scheduled_expression)
        except InvalidScheduleError:  # from a template; PutRule refuses it
            return
        since = self._seen.setdefault(identity, self.now())
        yield Entry(identity, rule, schedule, since, None, is_rule=True)

    def _schedule_entry(self, schedule: Any) -> Iterator[Entry]:
        try:
            zone = ZoneInfo(schedule.schedule_expression_timezone)
            parsed = parse_schedule(schedule.schedule_expression, zone, once=True)
        except (InvalidScheduleError, ZoneInfoNotFoundError, ValueError):  # from a template; CreateSchedule refuses it
            return
        period = (_moment(schedule.start_date), _moment(schedule.end_date))
        changing = (schedule.schedule_expression, zone, schedule.creation_date, *period)
        identity = (schedule.arn, *map(str, changing))
        created, made = (_moment(one) or self._started for one in (schedule.creation_date, schedule.last_modified_date))
        since = period[0] or self._seen.setdefault(identity, self._clock.at(created))
        yield Entry(identity, schedule, parsed, since, period[1], is_rule=False, made=made)


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
