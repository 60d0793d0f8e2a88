"""Cells: what is written is read back as it was, by the pages of results and by pandas."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localmaker.services.athena.engine.cells import quoted, text_of
from localmaker.services.athena.results import cells_of, records_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ['"', '""', ",", "\n", "\r\n", ""]
)
rows = st.lists(st.lists(st.none() | texts, min_size=2, max_size=4), min_size=1, max_size=5)


@given(rows, st.integers(1, 7), st.integers(1, 6))
def test_pages_have_the_cells_that_were_written(written, piece, limit):
    body = "".join(",".join(map(quoted, row)) + "\n" for row in written).encode()
    read, offset, more = [], 0, True
    while more:
        rest = body[offset:]
        pieces = (rest[start : start + piece] for start in range(0, len(rest), piece))
        records, more = records_of(pieces, limit)
        assert len(records) <= limit
        offset += sum(map(len, records))
        read += map(cells_of, records)
    assert read == written
    assert offset == len(body)


@given(st.floats())
def test_a_double_is_written_so_that_it_is_read_as_the_same(number):
    text = text_of(number)
    read = float(text)
    assert math.isnan(read) if math.isnan(number) else struct.pack("d", read) == struct.pack("d", number)
    assert text in ("NaN", "Infinity", "-Infinity") or "." in text


@given(st.floats(width=32, allow_nan=False))
def test_a_real_too_and_it_is_no_longer_than_needed(number):
    text = text_of(number, single=True)
    assert struct.pack("f", float(text)) == struct.pack("f", number)
    assert len(text) <= 14


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (-(2**63), "-9223372036854775808"),
        (1e-3, "0.001"),
        (123456.75, "123456.75"),
        (9999999.0, "9999999.0"),
        (5e-324, "5.0E-324"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.10"), "-0.10"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime.fromisoformat("2026-01-31T01:02:03.456789"), "2026-01-31 01:02:03.456"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31 00:00:00.000 UTC"),
        (b"\x00\xff", "00 ff"),
        ([1, None, "a, b"], "[1, null, a, b]"),
        ({"a": [True], "b": None}, "{a=[true], b=null}"),
        ((1, "x"), "{field0=1, field1=x}"),
    ],
)
def test_other_values_are_written_as_athena_does(value, text):
    assert text_of(value) == text
