"""Whether the data of a metric raises an alarm, as "Using Amazon CloudWatch alarms" in the user guide says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
#: Periods that are looked at beyond those that decide, for data that is late.
_MORE_PERIODS = 2
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_CROSSES: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (lambda value, limit: value > limit, "greater than"),
    "GreaterThanOrEqualToThreshold": (lambda value, limit: value >= limit, "greater than or equal to"),
    "LessThanThreshold": (lambda value, limit: value < limit, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, limit: value <= limit, "less than or equal to"),
}
#: Comparisons with a threshold that does not move.
OPERATORS = tuple(_CROSSES)
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


@dataclass(frozen=True)
class Datum:
    """What was put into a metric: one value, or the statistics of several."""

    moment: datetime
    count: float
    total: float
    least: float
    most: float


@dataclass(frozen=True)
class Rule:
    """What raises an alarm.

    Attributes:
        period: in seconds.
        periods: EvaluationPeriods.
        needed: DatapointsToAlarm.
        operator, threshold, statistic: as in PutMetricAlarm.
        missing: TreatMissingData.
    """

    period: int
    periods: int
    needed: int
    operator: str
    threshold: float
    statistic: str
    missing: str = "missing"

    def crosses(self, value: float) -> bool:
        """Return whether a value is beyond the threshold."""
        return _CROSSES[self.operator][0](value, self.threshold)

    def next_after(self, now: datetime) -> datetime:
        """Return when the next period begins, and the data that decides changes by itself."""
        return datetime.fromtimestamp((math.floor(now.timestamp() / self.period) + 1) * self.period, UTC)


@dataclass(frozen=True)
class Point:
    """The statistic of one period.

    Attributes:
        begin: of the period.
        value: the statistic.
        count: number of values that it is of.
    """

    begin: datetime
    value: float
    count: float


@dataclass(frozen=True)
class Decision:
    """A state with its reason, and the points that it is of."""

    state: str
    reason: str
    points: tuple[Point, ...] = ()


def evaluate(rule: Rule, data: Iterable[Datum], now: datetime, current: str) -> Decision | None:
    """Return the state that an alarm should have; None if it keeps the one that it has.

    Args:
        rule: what raises it.
        data: of its metric.
        now: the period of this moment is the last one.
        current: its state.
    """
    points = recent_points(rule, data, now)[-rule.periods :]
    absent = rule.periods - len(points)
    breaching = [point for point in points if rule.crosses(point.value)]
    if not points:
        return _without_data(rule, current)
    if rule.missing == "breaching":
        raised = len(breaching) + absent >= rule.needed
    elif rule.missing == "notBreaching":
        raised = len(breaching) >= rule.needed
    else:
        raised = len(breaching) >= min(rule.needed, len(points))
        if raised and rule.missing == "ignore" and len(breaching) < rule.needed:
            return None
    state = ALARM if raised else OK
    return None if state == current else Decision(state, _reason(rule, points, absent, current, state), tuple(points))


def recent_points(rule: Rule, data: Iterable[Datum], now: datetime) -> list[Point]:
    """Return the statistics of the periods that count and have data, the earliest first."""
    last = math.floor(now.timestamp() / rule.period)
    found: dict[int, list[Datum]] = {}
    for one in data:
        place = math.floor(one.moment.timestamp() / rule.period)
        if last - rule.periods - _MORE_PERIODS < place <= last:
            found.setdefault(place, []).append(one)
    return [_point(rule, place, found[place]) for place in sorted(found)]


def _point(rule: Rule, place: int, data: Sequence[Datum]) -> Point:
    count, total = sum(one.count for one in data), sum(one.total for one in data)
    values = {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count if count else 0.0,
        "Minimum": min(one.least for one in data),
        "Maximum": max(one.most for one in data),
    }
    return Point(datetime.fromtimestamp(place * rule.period, UTC), values[rule.statistic], count)


def _without_data(rule: Rule, current: str) -> Decision | None:
    state = {"breaching": ALARM, "notBreaching": OK, "ignore": current}.get(rule.missing, INSUFFICIENT_DATA)
    if state == current:
        return None
    if state == INSUFFICIENT_DATA:
        unknown = f"{_counted(rule.periods, 'datapoint')} {_were(rule.periods)} unknown"
        return Decision(state, f"Insufficient Data: {unknown}.")
    return Decision(state, f"Threshold Crossed: {_treated(rule, rule.periods)}.")


def _reason(rule: Rule, points: Sequence[Point], absent: int, current: str, state: str) -> str:
    shown = ", ".join(f"{point.value} ({point.begin:%d/%m/%y %H:%M:%S})" for point in reversed(points))
    chosen = [point for point in points if rule.crosses(point.value) == (state == ALARM)]
    negation = "" if state == ALARM else "not "
    verb = "was" if len(chosen) == 1 else "were"
    needed = rule.needed if state == ALARM else rule.periods - rule.needed + 1
    filled = f" and {_treated(rule, absent)}" if absent and rule.missing in _TREATED else ""
    return (
        f"Threshold Crossed: {len(chosen)} out of the last {len(points)} datapoints [{shown}] {verb} "
        f"{negation}{_CROSSES[rule.operator][1]} the threshold ({rule.threshold}){filled} "
        f"(minimum {_counted(needed, 'datapoint')} for {current} -> {state} transition)."
    )


def _treated(rule: Rule, count: int) -> str:
    return (
        f"no datapoints were received for {_counted(count, 'period')} and {_counted(count, 'missing datapoint')} "
        f"{_were(count)} treated as [{_TREATED[rule.missing]}]"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def reason_data(rule: Rule, decision: Decision, now: datetime) -> dict[str, Any]:
    """Return StateReasonData."""
    points = decision.points
    return {
        "version": "1.0",
        "queryDate": stamp(now),
        **({"startDate": stamp(points[0].begin)} if points else {}),
        "statistic": rule.statistic,
        "period": rule.period,
        "recentDatapoints": [point.value for point in points],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [
            {"timestamp": stamp(point.begin), "sampleCount": point.count, "value": point.value} for point in points
        ],
    }


def stamp(moment: datetime) -> str:
    """Return a moment as alarms write it: ``2026-12-01T03:00:00.000+0000``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+0000"
