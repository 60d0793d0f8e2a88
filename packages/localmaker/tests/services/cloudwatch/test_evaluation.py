"""What the data of a metric says, for each treatment of missing data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localmaker.services.cloudwatch.evaluation import (
    ALARM,
    INSUFFICIENT_DATA,
    OK,
    OPERATORS,
    Datum,
    Rule,
    evaluate,
    recent_points,
)

NOW = datetime(2026, 12, 1, 3, 0, 30, tzinfo=UTC)
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def one(value: float, minutes_ago: int) -> Datum:
    return Datum(NOW - timedelta(minutes=minutes_ago), 1.0, value, value, value)


def drawn(text: str) -> list[Datum]:
    """Return the data that a row of AWS's tables shows: 0 is fine, X breaches, - is missing; the last is now."""
    values = {"0": 0.0, "X": 1.0}
    marks = text.split()
    return [one(values[mark], len(marks) - 1 - place) for place, mark in enumerate(marks) if mark != "-"]


def rule(needed: int, missing: str = "missing", periods: int = 3, operator: str = "GreaterThanThreshold") -> Rule:
    return Rule(60, periods, needed, operator, 0.5, "Average", missing)


# The tables of "How alarm state is evaluated when data is missing", for 3 and 2 of 3 datapoints; None: it stays.
@pytest.mark.parametrize(
    ("needed", "data", "states"),
    [
        (3, "0 - X - X", (OK, OK, OK, OK)),
        (3, "- - - - 0", (OK, OK, OK, OK)),
        (3, "- - - - -", (INSUFFICIENT_DATA, None, ALARM, OK)),
        (3, "0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        (3, "- - - - X", (ALARM, None, ALARM, OK)),
        (2, "0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "0 - X - -", (OK, OK, ALARM, OK)),
        (2, "- - - - 0", (OK, OK, ALARM, OK)),
        (2, "- - - X -", (ALARM, None, ALARM, OK)),
    ],
)
def test_missing_data(needed: int, data: str, states: tuple[str | None, ...]) -> None:
    for treatment, state in zip(TREATMENTS, states, strict=True):
        for current in (OK, ALARM, INSUFFICIENT_DATA):
            decision = evaluate(rule(needed, treatment), drawn(data), NOW, current)
            assert (decision.state if decision else current) == (state or current), (treatment, current)


def test_reasons() -> None:
    first = evaluate(rule(1, periods=1), [one(2.0, 0)], NOW, OK)
    assert first is not None
    assert first.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [2.0 (01/12/26 03:00:00)] was greater than the threshold "
        "(0.5) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    fine = evaluate(rule(2), [one(0.0, 0), one(0.0, 1), one(1.0, 2)], NOW, ALARM)
    assert fine is not None
    assert "2 out of the last 3 datapoints [0.0 (01/12/26 03:00:00), 0.0 (" in fine.reason
    assert "were not greater than the threshold (0.5) (minimum 2 datapoints for ALARM -> OK transition)." in fine.reason
    gone = evaluate(rule(3), [], NOW, OK)
    assert gone is not None
    assert gone.reason == "Insufficient Data: 3 datapoints were unknown."
    treated = evaluate(rule(1, "breaching", periods=1), [], NOW, OK)
    assert treated is not None
    assert treated.reason == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[Breaching]."
    )


@pytest.mark.parametrize(
    ("statistic", "value"), [("Average", 2.0), ("Sum", 8.0), ("Minimum", 1.0), ("Maximum", 5.0), ("SampleCount", 4.0)]
)
def test_statistics(statistic: str, value: float) -> None:
    data = [one(5.0, 0), Datum(NOW, 3.0, 3.0, 1.0, 1.0)]
    (point,) = recent_points(Rule(60, 1, 1, OPERATORS[0], 0.0, statistic), data, NOW)
    assert (point.value, point.begin) == (value, NOW.replace(second=0))


@pytest.mark.parametrize(
    ("operator", "raised"),
    [
        ("GreaterThanThreshold", {0.6}),
        ("GreaterThanOrEqualToThreshold", {0.5, 0.6}),
        ("LessThanThreshold", {0.4}),
        ("LessThanOrEqualToThreshold", {0.4, 0.5}),
    ],
)
def test_operators(operator: str, raised: set[float]) -> None:
    values = (0.4, 0.5, 0.6)
    states = {value: evaluate(rule(1, periods=1, operator=operator), [one(value, 0)], NOW, "") for value in values}
    assert {value for value, found in states.items() if found and found.state == ALARM} == raised


@given(
    st.lists(st.tuples(st.floats(-1, 2), st.integers(0, 8)), max_size=12),
    st.integers(1, 4),
    st.sampled_from(TREATMENTS),
    st.sampled_from([OK, ALARM, INSUFFICIENT_DATA]),
    st.data(),
)
def test_a_state_is_final_until_data_or_time_change_it(
    values: list[tuple[float, int]], periods: int, treatment: str, current: str, data: st.DataObject
) -> None:
    asked = rule(data.draw(st.integers(1, periods)), treatment, periods)
    found = [one(value, ago) for value, ago in values]
    decision = evaluate(asked, found, NOW, current)
    if decision is not None:
        assert decision.state != current
        assert evaluate(asked, found, NOW, decision.state) is None
        assert evaluate(asked, list(reversed(found)), NOW, current) == decision
    old = [datum for datum in found if datum.moment < NOW - timedelta(minutes=periods + 2)]
    assert recent_points(asked, old, NOW) == []
