"""Text is typed by a strict rule, and numbers are those that Python reads."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.checking.values import filled_cells, level_codes, moments, numbers, typed_cells, whole_numbers
from analysis.dataset.columns import Column, Kind

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_TEXTS = st.text() | st.text(alphabet="0123456789+-.eE_xXnaif \x00٣", max_size=8)


def one(typed) -> object:
    return typed.values[0].as_py()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_read_back_bit_for_bit(value: float) -> None:
    read = one(numbers(pa.array([repr(value)])))
    assert read == value
    assert math.copysign(1, read) == math.copysign(1, value)


@given(st.from_regex(NUMBER, fullmatch=True))
def test_numbers_are_rounded_as_python_rounds(text: str) -> None:
    value = float(text)
    typed = numbers(pa.array([text]))
    if math.isinf(value):
        assert one(typed) is None
        assert list(typed.wrong) == ["is too large for a double"]
    else:
        assert one(typed) == value
        assert not typed.wrong


@given(_TEXTS)
def test_nothing_else_is_a_number(text: str) -> None:
    typed = numbers(pa.array([text]))
    assert (one(typed) is None) == (not NUMBER.fullmatch(text) or math.isinf(float(text)))
    assert bool(typed.wrong) == (one(typed) is None)


@pytest.mark.parametrize(
    "text", [" 7", "7 ", "0x1F", "1_000", "inf", "nan", "1e", "١٢", "1\x00", "7\n", "1,5", "--1", ""]
)
def test_what_arrow_would_take_is_refused(text: str) -> None:
    assert list(numbers(pa.array([text])).wrong) == ["is not a number"]


@given(st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from(["{}", "{}.0", "{}.", "{}e0", "{}.00E+0"]))
def test_whole_numbers_may_be_written_as_floats(value: int, form: str) -> None:
    typed = whole_numbers(pa.array([form.format(value)]))
    assert one(typed) == value
    assert not typed.wrong


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1.5", "is not a whole number"),
        ("9007199254740992", "is too large for a whole number"),
        ("1e999", "is too large for a double"),
    ],
)
def test_what_is_no_whole_number(text: str, what: str) -> None:
    assert list(whole_numbers(pa.array([text])).wrong) == [what]


@pytest.mark.parametrize("text", ["1", "01", "1.0", "+1", "1e0"])
def test_levels_that_are_whole_numbers_are_one_however_they_are_written(text: str) -> None:
    column = Column(kind=Kind.CATEGORY, levels={"1": "one", "2": "two"})
    assert one(level_codes(pa.array([text]), column)) == "1"


def test_levels_that_are_words_are_taken_as_they_are() -> None:
    column = Column(kind=Kind.CATEGORY, levels={"01": "one", "north": "two"})
    assert typed_cells(pa.array(["1", "01", "north", "North"]), column).values.to_pylist() == [
        "1",
        "01",
        "north",
        "North",
    ]


def test_a_level_is_no_mark_of_an_empty_cell() -> None:
    texts = pa.array([" NA ", "none", "None", "-", "", None, " x "])
    assert filled_cells(texts, ["na", "none", "-"], ["none"]).to_pylist() == [None, "none", None, None, None, None, "x"]


@given(st.dates(), st.sampled_from(["yyyy-mm-dd", "dd.mm.yyyy", "mm/dd/yyyy"]))
def test_dates_are_read_as_written(day: date, pattern: str) -> None:
    text = pattern.replace("yyyy", f"{day.year:04d}").replace("mm", f"{day.month:02d}").replace("dd", f"{day.day:02d}")
    values, fits = moments(pa.array([text]), pattern, Kind.DATE)
    assert values.to_pylist() == [day]
    assert fits.tolist() == [True]


@given(st.datetimes().map(lambda moment: moment.replace(microsecond=0)))
def test_moments_are_read_as_written(moment: datetime) -> None:
    values, _ = moments(pa.array([moment.isoformat()]), "yyyy-mm-ddTHH:MM:SS", Kind.DATETIME)
    assert values.to_pylist() == [moment]


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(-1439, 1439),
)
def test_moments_of_a_zone_are_read_as_utc(moment: datetime, minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    for text in (there.isoformat(), there.strftime("%Y-%m-%dT%H:%M:%S%z").rjust(24, "0")):
        values, fits = moments(pa.array([text]), "yyyy-mm-ddTHH:MM:SSzz", Kind.DATETIME)
        assert values.to_pylist() == [there.astimezone(UTC).replace(tzinfo=None)]
        assert fits.tolist() == [True]


def test_zones_as_they_are_written() -> None:
    texts = ["2024-03-01T06:00:00Z", "2024-03-01T06:00:00", "2024-03-01T06:00:00+2", "2024-03-01T06:00:00+02:75", None]
    texts += ["0001-01-01T00:00:00+01:00", "9999-12-31T23:00:00-01:00"]
    values, fits = moments(pa.array(texts), "yyyy-mm-ddTHH:MM:SSzz", Kind.DATETIME)
    assert fits.tolist() == [True, False, False, True, False, True, True]
    assert values.to_pylist() == [datetime(2024, 3, 1, 6), *[None] * 6]  # noqa: DTZ001


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_days_that_are_none_are_null(day: int, month: int, year: int) -> None:
    text = f"{day:02d}-{month:02d}-{year:02d}"
    try:
        expected = datetime.strptime(f"{text} +0000", "%d-%m-%y %z").date()
    except ValueError:
        expected = None
    values, fits = moments(pa.array([text]), "dd-mm-yy", Kind.DATE)
    assert values.to_pylist() == [expected]
    assert fits.tolist() == [True]


@pytest.mark.parametrize("text", ["1-1-18", "01-01-18 ", "01-01-2018", "\u06601-01-18", "01.01.18", "0000-01-01"])
def test_another_shape_is_no_date(text: str) -> None:
    values, fits = moments(pa.array([text]), "dd-mm-yy", Kind.DATE)
    assert values.null_count == 1
    assert not fits.any()


@pytest.mark.parametrize("text", ["2024-01-01 24:00", "2024-01-01 00:60", "0000-01-01 00:00"])
def test_times_that_are_none_are_null(text: str) -> None:
    values, fits = moments(pa.array([text]), "yyyy-mm-dd HH:MM", Kind.DATETIME)
    assert values.null_count == 1
    assert fits.all()
