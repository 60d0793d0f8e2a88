"""Schedule expressions: the next due times of ``rate(…)``, ``cron(…)`` and ``at(…)``.

The rules are those of the user guides: EventBridge ("Cron expressions reference", "Rate expressions reference") and
EventBridge Scheduler ("Schedule types"), which adds ``at`` and time zones.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((.*)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_FIELDS = 6
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_YEARS = (1970, 2199)
_DAY = timedelta(days=1)
_SATURDAY, _SUNDAY = 5, 6


class InvalidScheduleError(ValueError):
    """EventBridge would refuse the expression; the message says what is wrong."""


@dataclass(frozen=True)
class Rate:
    """A fixed period, counted from the start of the schedule."""

    period: timedelta

    def next_after(self, moment: datetime, since: datetime) -> datetime | None:
        """Return the first due time after ``moment``; all times are aware."""
        if moment < since:
            return since
        periods = max((moment - since) // self.period, 0)
        return since + (periods + 1) * self.period


@dataclass(frozen=True)
class Once:
    """One time."""

    at: datetime

    def next_after(self, moment: datetime, since: datetime) -> datetime | None:  # noqa: ARG002 - as the other kinds
        """Return the time, or None once it has passed."""
        return self.at if self.at > moment else None


@dataclass(frozen=True)
class Cron:
    """Days and times of day in a time zone.

    Attributes:
        days_of_month, days_of_week: as written; one of them is ``?``.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: str
    months: frozenset[int]
    days_of_week: str
    years: frozenset[int]
    zone: tzinfo

    def next_after(self, moment: datetime, since: datetime) -> datetime | None:  # noqa: ARG002 - as the other kinds
        """Return the first due time after ``moment``, or None; times that a clock change skips do not count."""
        local = moment.astimezone(self.zone)
        day = local.date()
        while day.year <= max(self.years):
            if day.year in self.years and day.month in self.months and day.day in self._days(day.year, day.month):
                for candidate in self._times(day):
                    if candidate > moment:
                        return candidate
            day = self._following(day)
        return None

    def _following(self, day: date) -> date:
        if day.year in self.years and day.month in self.months:
            return day + _DAY
        last = calendar.monthrange(day.year, day.month)[1]
        return day.replace(day=last) + _DAY

    def _times(self, day: date) -> Iterator[datetime]:
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                aware = datetime.combine(day, time(hour, minute), self.zone)
                utc = aware.astimezone(UTC)
                if utc.astimezone(self.zone).replace(tzinfo=None) == aware.replace(tzinfo=None):
                    yield utc

    def _days(self, year: int, month: int) -> set[int]:
        last = calendar.monthrange(year, month)[1]
        if self.days_of_month != "?":
            return {day for part in self.days_of_month.split(",") for day in _days_of_month(part, year, month, last)}
        return {day for part in self.days_of_week.split(",") for day in _days_of_week(part, year, month, last)}


Schedule = Rate | Cron | Once


def parse_schedule(expression: str, zone: tzinfo = UTC, *, once: bool = False) -> Schedule:
    """Parse an expression.

    Args:
        zone: of ``cron`` and ``at``.
        once: whether ``at`` is allowed, as for EventBridge Scheduler.

    Raises:
        InvalidScheduleError: AWS would refuse it.
    """
    if found := _RATE.fullmatch(expression):
        return _rate(int(found[1]), found[2], plural=bool(found[3]))
    if once and (found := _AT.fullmatch(expression)):
        try:
            return Once(datetime.fromisoformat(found[1]).replace(tzinfo=zone).astimezone(UTC))
        except ValueError as error:
            raise InvalidScheduleError(f"{expression}: {error}") from error
    if found := _CRON.fullmatch(expression):
        try:
            return _cron(found[1].split(), zone)
        except ValueError as error:
            raise InvalidScheduleError(f"{expression}: {error}") from error
    kinds = "rate(5 minutes), cron(0 12 * * ? *)" + (" or at(2030-01-31T12:00:00)" if once else "")
    raise InvalidScheduleError(f"{expression!r} is not a schedule expression such as {kinds}")


def _rate(value: int, unit: str, *, plural: bool) -> Rate:
    if value < 1:
        raise InvalidScheduleError("a rate must be at least 1")
    if plural is (value == 1):
        raise InvalidScheduleError(f"the unit for {value} is {unit}{'' if value == 1 else 's'}")
    return Rate(timedelta(**{f"{unit}s": value}))


def _cron(fields: list[str], zone: tzinfo) -> Cron:
    if len(fields) != _FIELDS:
        raise ValueError(f"a cron expression has {_FIELDS} fields, not {len(fields)}")
    minutes, hours, days, months, weekdays, years = (field.upper() for field in fields)
    if (days == "?") is (weekdays == "?"):
        raise ValueError("exactly one of day-of-month and day-of-week must be ?")
    if "#" in weekdays and "," in weekdays:
        raise ValueError("an expression with # can have only one day-of-week")
    cron = Cron(
        minutes=_values(minutes, 0, 59),
        hours=_values(hours, 0, 23),
        days_of_month=days,
        months=_values(months, 1, 12, _MONTHS),
        days_of_week=weekdays,
        years=_values(years, *_YEARS),
        zone=zone,
    )
    list(cron._days(2024, 1))  # noqa: SLF001 - our own; raises for wrong days
    return cron


def _values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    """Return the numbers of a field: ``*``, ``3``, ``1-5``, ``0/15``, and lists of these."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = _number(first, names)
            end = _number(last, names) if dash else (high if slash else begin)
        if not low <= begin <= end <= high or (slash and not int(step)):
            raise ValueError(f"{part} is not within {low}-{high}")
        found.update(range(begin, end + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a value of the field")
    return int(text)


def _days_of_month(part: str, year: int, month: int, last: int) -> set[int]:
    if part == "L":
        return {last}
    if part == "LW":
        return {_nearest_weekday(year, month, last, last)}
    if part.endswith("W"):
        return {_nearest_weekday(year, month, min(_one(part[:-1], 31), last), last)}
    return {day for day in _values(part, 1, 31) if day <= last}


def _nearest_weekday(year: int, month: int, day: int, last: int) -> int:
    """Return the weekday nearest to a day, within its month."""
    weekday = date(year, month, day).weekday()
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _days_of_week(part: str, year: int, month: int, last: int) -> set[int]:
    def weekday(day: int) -> int:
        return (date(year, month, day).weekday() + 1) % 7 + 1

    days = range(1, last + 1)
    if part == "L":
        return {day for day in days if weekday(day) == _WEEKDAYS["SAT"]}
    if part.endswith("L"):
        wanted = next(iter(_values(part[:-1], 1, 7, _WEEKDAYS)))
        return {max(day for day in days if weekday(day) == wanted)}
    if "#" in part:
        name, _, instance = part.partition("#")
        wanted = next(iter(_values(name, 1, 7, _WEEKDAYS)))
        found = [day for day in days if weekday(day) == wanted]
        index = _one(instance, 5) - 1
        return set(found[index : index + 1])
    wanted_days = _values(part, 1, 7, _WEEKDAYS)
    return {day for day in days if weekday(day) in wanted_days}


def _one(text: str, high: int) -> int:
    [value] = _values(text, 1, high)
    return value
