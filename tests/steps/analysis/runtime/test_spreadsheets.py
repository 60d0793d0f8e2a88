from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.runtime.spreadsheets import safe_text


@given(st.text(max_size=20))
def test_no_text_cell_starts_a_formula(text: str) -> None:
    cell = safe_text(text)
    assert is_number(cell) or not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell.endswith(text)


def is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and not set(cell) - set("+-.eE0123456789")
    except ValueError:
        return False


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_that_name_rows_stay_numbers(number: float) -> None:
    assert safe_text(str(number)) == str(number)


@pytest.mark.parametrize("start", ["=1+1", "+1+1", "-1-A1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "\uff1d1"])
def test_formula_starts_are_quoted(start: str) -> None:
    assert safe_text(start) == f"'{start}"
