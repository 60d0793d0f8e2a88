"""Quantiles and probabilities are scipy's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import chdtrc, chdtri, stdtrit

from analysis.model import distributions
from analysis.model.distributions import chi_squared_quantile, chi_squared_tail, t_quantile


@given(st.integers(1, 300), st.floats(0.0, 1000.0))
def test_the_tail_of_chi_squared(freedom: int, value: float) -> None:
    assert chi_squared_tail(value, freedom) == pytest.approx(chdtrc(freedom, value), rel=1e-11, abs=1e-300)


@given(st.integers(1, 300), st.floats(1e-9, 0.999))
def test_quantiles_of_chi_squared(freedom: int, tail: float) -> None:
    assert chi_squared_quantile(tail, freedom) == pytest.approx(chdtri(freedom, tail), rel=1e-11)


@given(st.integers(1, 3000) | st.integers(1, 10**9), st.floats(0.51, 0.9995))
def test_quantiles_of_students_t(freedom: int, probability: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(stdtrit(freedom, probability), rel=1e-11)


@pytest.mark.parametrize("freedom", [1, 2, 3, 1999, 2000, 2001])
def test_quantiles_of_intervals_that_are_asked_for(freedom: int) -> None:
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        assert t_quantile((1 + level) / 2, freedom) == pytest.approx(stdtrit(freedom, (1 + level) / 2), rel=1e-12)


def test_it_does_without_scipy() -> None:
    code = "import sys, analysis.model.distributions; sys.exit('scipy' in sys.modules)"
    steps = str(Path(distributions.__file__).parents[2])
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": steps}, check=False).returncode == 0
