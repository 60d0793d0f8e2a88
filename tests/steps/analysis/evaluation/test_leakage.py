from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.evaluation.leakage import check_leakage


def table(seed: int = 1, rows: int = 200) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.Generator(np.random.PCG64(seed))
    features = pd.DataFrame(random.normal(size=(rows, 6)), columns=[f"x{index}" for index in range(6)])
    features["warm"] = random.integers(0, 2, rows)
    casual, registered = random.integers(0, 900, rows), random.integers(0, 4000, rows)
    features["p"], features["q"] = casual, registered
    return features, pd.Series(casual + registered, name="cnt")


def test_an_honest_table_passes() -> None:
    features, target = table()
    check = check_leakage(features.drop(columns="p"), target)
    assert (check.verdict, check.columns) == ("pass", ())


def test_parts_of_the_target_are_found_under_any_name() -> None:
    features, target = table()
    check = check_leakage(features, target)
    assert check.verdict == "fail"
    assert set(check.columns) == {"p", "q"}
    assert check.adjusted_r2 == pytest.approx(1.0, abs=1e-12)


def test_what_the_profile_knows_is_known() -> None:
    features, target = table()
    assert check_leakage(features, target, known=["p", "q"]).verdict == "known"
    assert check_leakage(features, target, known=["p"]).verdict == "fail"


def test_a_rescaled_noisy_copy_of_the_target_is_found() -> None:
    features, target = table()
    noise = np.random.Generator(np.random.PCG64(5)).normal(size=len(target))
    features["copy"] = target * -0.001 + 7 + noise * 0.001
    check = check_leakage(features.drop(columns=["p", "q"]), target)
    assert (check.verdict, check.columns) == ("fail", ("copy",))


def test_few_rows_and_many_columns_are_no_leakage() -> None:
    random = np.random.Generator(np.random.PCG64(2))
    check = check_leakage(pd.DataFrame(random.normal(size=(10, 20))), pd.Series(random.normal(size=10)))
    assert (check.verdict, check.adjusted_r2) == ("pass", 0.0)


def test_constant_columns_and_a_constant_target_do_no_harm() -> None:
    features, target = table()
    assert check_leakage(features.assign(same=3.0), target).verdict == "fail"
    assert check_leakage(features, target * 0).verdict == "pass"


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(9)))
def test_the_order_of_columns_does_not_change_who_is_guilty(seed: int, order: list[int]) -> None:
    features, target = table(seed)
    assert set(check_leakage(features.iloc[:, order], target).columns) == {"p", "q"}
