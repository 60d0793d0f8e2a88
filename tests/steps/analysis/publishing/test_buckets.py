"""However many rows there are, a chart gets a bounded number of points that lose nothing of their sums."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.publishing.buckets import MOST_POINTS, Buckets, Point

ROWS = st.lists(st.tuples(st.integers(-1000, 1000), st.booleans()), max_size=300)


def point(number: int, value: float, *, known: bool = False) -> Point:
    return Point(
        order=value, count=1, prediction=value, lower=value - 1, upper=value + 2, known=known,
        actual=value + 1 if known else 0.0, extrapolated=known, first=str(number), last=str(number),
    )  # fmt: skip


@given(ROWS, st.integers(1, 20))
def test_sums_are_those_of_the_rows_and_the_order_is_kept(rows: list[tuple[int, bool]], most: int) -> None:
    buckets = Buckets(most)
    for number, (value, known) in enumerate(rows):
        buckets.add(point(number, value, known=known))
    points = buckets.points()
    assert len(points) <= (2 * most if len(rows) > most else len(rows))
    for name, expected in (
        ("count", len(rows)),
        ("prediction", sum(value for value, _ in rows)),
        ("known", sum(known for _, known in rows)),
        ("actual", sum(value + 1 for value, known in rows if known)),
    ):
        assert sum(getattr(one, name) for one in points) == expected
    orders = [one.order for one in points]
    assert orders == sorted(orders)
    assert buckets.points() == points


def test_few_rows_are_a_point_each() -> None:
    buckets = Buckets()
    for number in range(MOST_POINTS):
        buckets.add(point(number, number))
    assert [one.first for one in buckets.points()] == [str(number) for number in range(MOST_POINTS)]


@pytest.mark.parametrize("count", [MOST_POINTS + 1, 100_000])
def test_many_rows_are_means_of_about_equal_numbers(count: int) -> None:
    buckets = Buckets()
    for number in range(count):
        buckets.add(point(number, number))
        assert len(buckets._points) <= 8 * MOST_POINTS
    points = buckets.points()
    assert MOST_POINTS / 2 <= len(points) <= 2 * MOST_POINTS
    assert max(one.count for one in points) <= -(-count // MOST_POINTS)
    assert (points[0].first, points[-1].last) == ("0", str(count - 1))
    assert points[0].mean("prediction") == (points[0].count - 1) / 2
    assert points[0].mean_actual is None
