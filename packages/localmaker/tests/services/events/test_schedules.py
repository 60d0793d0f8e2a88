from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from localmaker.services.events.schedules import InvalidScheduleError, parse_schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def upcoming(expression: str, moment: str, count: int = 3, zone: str = "UTC") -> list[str]:
    schedule = parse_schedule(expression, ZoneInfo(zone), once=True)
    found, since = [], at(moment)
    following = schedule.next_after(since, since)
    while following is not None and len(found) < count:
        found.append(following.strftime("%y-%m-%d %H:%M"))
        following = schedule.next_after(following, since)
    return found


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("rate(5 minutes)", "2026-01-01T00:00", ["26-01-01 00:05", "26-01-01 00:10", "26-01-01 00:15"]),
        ("rate(1 day)", "2026-02-28T12:00:00", ["26-03-01 12:00", "26-03-02 12:00", "26-03-03 12:00"]),
        # The examples of the user guide.
        ("cron(0 10 * * ? *)", "2026-01-01T10:00", ["26-01-02 10:00", "26-01-03 10:00", "26-01-04 10:00"]),
        ("cron(0 18 ? * MON-FRI *)", "2026-01-02T00:00", ["26-01-02 18:00", "26-01-05 18:00", "26-01-06 18:00"]),
        ("cron(0 8 1 * ? *)", "2026-01-01T08:00", ["26-02-01 08:00", "26-03-01 08:00", "26-04-01 08:00"]),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:50", ["26-01-01 01:00", "26-01-01 01:15", "26-01-01 01:30"]),
        ("cron(5/10 8-9 ? * MON-FRI *)", "2026-01-02T09:50", ["26-01-02 09:55", "26-01-05 08:05", "26-01-05 08:15"]),
        ("cron(0 9 ? * 2#1 *)", "2026-01-01T00:00", ["26-01-05 09:00", "26-02-02 09:00", "26-03-02 09:00"]),
        ("cron(0 0 L * ? *)", "2026-01-31T00:00", ["26-02-28 00:00", "26-03-31 00:00", "26-04-30 00:00"]),
        ("cron(0 0 3W * ? *)", "2026-01-01T00:00", ["26-01-02 00:00", "26-02-03 00:00", "26-03-03 00:00"]),
        ("cron(0 0 LW 2,5 ? *)", "2026-01-01T00:00", ["26-02-27 00:00", "26-05-29 00:00", "27-02-26 00:00"]),
        ("cron(0 0 ? * 6L *)", "2026-01-01T00:00", ["26-01-30 00:00", "26-02-27 00:00", "26-03-27 00:00"]),
        ("cron(0 0 ? * L 2027)", "2026-01-01T00:00", ["27-01-02 00:00", "27-01-09 00:00", "27-01-16 00:00"]),
        ("cron(0 0 29 FEB ? *)", "2026-01-01T00:00", ["28-02-29 00:00", "32-02-29 00:00", "36-02-29 00:00"]),
        ("cron(0 0 30 2 ? *)", "2026-01-01T00:00", []),
        ("cron(30 7 1 1 ? 2026-2027)", "2026-01-01T07:30", ["27-01-01 07:30"]),
        ("at(2026-01-01T12:30:00)", "2026-01-01T00:00", ["26-01-01 12:30"]),
        ("at(2026-01-01T12:30:00)", "2026-01-02T00:00", []),
    ],
)  # fmt: skip
def test_what_is_due_next(expression: str, moment: str, expected: list[str]) -> None:
    assert upcoming(expression, moment) == expected


def test_a_time_zone_moves_with_summer_time_and_leaves_out_the_hour_that_is_not() -> None:
    days = upcoming("cron(30 2 * * ? *)", "2026-03-27T12:00", 3, "Europe/Berlin")
    assert days == ["26-03-28 01:30", "26-03-30 00:30", "26-03-31 00:30"]
    assert upcoming("at(2026-07-01T00:00:00)", "2026-01-01T00:00", 1, "Europe/Berlin") == ["26-06-30 22:00"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("daily", "is not a schedule expression such as"),
        ("rate(0 minutes)", "at least 1"),
        ("rate(1 minutes)", "the unit for 1 is minute"),
        ("rate(2 hour)", "the unit for 2 is hours"),
        ("rate(1 week)", "is not a schedule"),
        ("cron(0 12 * * *)", "6 fields, not 5"),
        ("cron(0 12 * * * *)", "exactly one"),
        ("cron(0 12 ? * ? *)", "exactly one"),
        ("cron(60 12 * * ? *)", "not within 0-59"),
        ("cron(0 12 32 * ? *)", "not within 1-31"),
        ("cron(0 12 ? FOO MON *)", "not a value"),
        ("cron(0 12 ? * MON#1,TUE#2 *)", "only one day-of-week"),
        ("cron(0/0 12 ? * MON *)", "not within"),
        ("cron(0 12 ? * 2#6 *)", "not within 1-5"),
        ("at(2026-13-01T00:00:00)", "month must be"),
    ],
)
def test_what_is_no_schedule(expression: str, message: str) -> None:
    with pytest.raises(InvalidScheduleError, match=message):
        parse_schedule(expression, once=True)


def test_one_time_is_for_scheduler_only() -> None:
    with pytest.raises(InvalidScheduleError, match="is not a schedule"):
        parse_schedule("at(2026-01-01T00:00:00)")
