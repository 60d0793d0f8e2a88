from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import MinMaxScaler
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson, jarque_bera, omni_normtest
from statsmodels.tools.sm_exceptions import SingularMatrixWarning

from analysis.features.profiles import Profile, profile_of
from analysis.model.fitting import Fit, fit_linear_model
from analysis.model.rows import rows_of_frame
from analysis.runtime.errors import TrainingError
from pipeline.datasets.shipped import declared

FORECAST = profile_of(declared("bike_sharing"), "forecast")


def table(rows: int = 200) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.Generator(np.random.PCG64(7))
    features = pd.DataFrame({name: random.integers(0, 2, rows) for name in FORECAST.names})
    for name in set(FORECAST.scaled) - {"yr"}:
        features[name] = random.uniform(5, 40, rows)
    target = (
        3000 * features["yr"] + 90.0 * features["temp"] - 700 * features["weathersit_3"] + random.normal(0, 50, rows)
    )
    return features, target.rename("cnt")


def fitted(features: pd.DataFrame, target: pd.Series, count: int, profile: Profile = FORECAST) -> Fit:
    return fit_linear_model(rows_of_frame(features, target), profile, count, {})


def design(features: pd.DataFrame, fit: Fit) -> pd.DataFrame:
    """Scale the selected columns as the fit does, and put a constant before them."""
    scaled = features[list(fit.model.selected)].astype(float)
    for name, bounds in fit.model.bounds.items():
        scaled[name] = (scaled[name] - bounds.minimum) / bounds.width
    return sm.add_constant(scaled)


def test_predictions_and_intervals_equal_statsmodels() -> None:
    features, target = table()
    fit = fitted(features, target, 15)
    results = sm.OLS(target, design(features, fit)).fit()
    expected = results.get_prediction(results.model.exog).summary_frame(alpha=0.05)
    found = fit.model.predict(features.to_numpy(dtype=float), classical=True)
    np.testing.assert_allclose(found.prediction, expected["mean"], rtol=1e-10)
    np.testing.assert_allclose(found.lower, expected["obs_ci_lower"], rtol=1e-9)
    np.testing.assert_allclose(found.upper, expected["obs_ci_upper"], rtol=1e-9)


def test_elimination_keeps_what_matters() -> None:
    features, target = table()
    fit = fitted(features, target, 3)
    assert set(fit.model.selected) == {"yr", "temp", "weathersit_3"}
    assert sorted(fit.ranking.values()) == [1, 1, *range(1, 28)]
    assert list(fit.model.bounds) == ["yr", "temp"]


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(60, 200), kept=st.integers(1, 28))
def test_elimination_ranks_as_scikit_learn_does(seed: int, rows: int, kept: int) -> None:
    """Among columns of few values that are often dependent: what is left without those."""
    random = np.random.Generator(np.random.PCG64(seed))
    features, target = table(rows)
    for name in features:
        features[name] = random.integers(0, int(random.integers(1, 5)), rows) * random.choice([0.5, 1.0, 3.0])
    target += random.normal(0, 500, rows)
    fit = fitted(features, target, kept)
    scaled = MinMaxScaler().fit_transform(features[[*FORECAST.scaled]])
    candidates = features.assign(**dict(zip(FORECAST.scaled, scaled.T, strict=True)))[[*fit.ranking]]
    assert np.linalg.matrix_rank(sm.add_constant(candidates, has_constant="add")) == len(fit.ranking) + 1
    elimination = RFE(LinearRegression(), n_features_to_select=min(kept, len(fit.ranking))).fit(candidates, target)
    assert fit.ranking == dict(zip(candidates.columns, elimination.ranking_, strict=True))


def test_scaling_learns_from_the_rows_given() -> None:
    features, target = table()
    bounds = fitted(features, target, 29).model.bounds
    assert {name: (limit.minimum, limit.maximum) for name, limit in bounds.items()} == {
        name: (features[name].min(), features[name].max()) for name in FORECAST.scaled
    }


def test_dependent_and_constant_columns_are_named_and_get_no_coefficient() -> None:
    features, target = table()
    features["mnth_2"] = 0
    features["workingday"] = 1 - features["holiday"]
    features["mnth_4"] = features["mnth_3"]
    fit = fitted(features, target, 29)
    assert fit.excluded == {
        "mnth_2": "it never changes in the training rows",
        "workingday": "it is determined by holiday",
        "mnth_4": "it repeats mnth_3",
    }
    assert fit.model.training["rank"] == 27 == len(fit.model.selected) + 1
    assert not set(fit.excluded) & {*fit.model.selected, *fit.ranking}
    # Nothing is lost: by the pseudo-inverse, all columns together predict the same.
    found = fit.model.predict(features.to_numpy(dtype=float)).prediction
    with pytest.warns(SingularMatrixWarning):
        expected = sm.OLS(target, sm.add_constant(features.astype(float), has_constant="add")).fit().fittedvalues
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_they_are_named_where_the_profile_does_not_select_too() -> None:
    parity = profile_of(declared("bike_sharing"), "parity")
    random = np.random.Generator(np.random.PCG64(2))
    features = pd.DataFrame(random.normal(size=(90, len(parity.names))), columns=parity.names)
    features["registered"] = 2.0 * features["casual"] + 1.0
    target = pd.Series(features.sum(axis=1) + random.normal(size=90), name="cnt")
    fit = fitted(features, target, 15, parity)
    assert fit.excluded == {"registered": "it is determined by casual"}
    assert list(fit.model.selected) == [name for name in parity.names if name != "registered"]


def test_a_number_that_is_not_finite_says_so() -> None:
    features, target = table()
    features.loc[7, "temp"] = np.inf
    with pytest.raises(TrainingError, match="temp has a cell that is not a finite number"):
        fitted(features, target, 15)


def test_too_few_rows_say_so() -> None:
    features, target = table(16)
    with pytest.raises(TrainingError, match="16 training rows can't determine 15 coefficients"):
        fitted(features, target, 15)


def test_a_constant_target_says_so() -> None:
    features, target = table()
    with pytest.raises(TrainingError, match="same value in all 200"):
        fitted(features, target * 0, 15)


@pytest.mark.parametrize("count", [0, 30])
def test_an_impossible_number_of_features_says_so(count: int) -> None:
    features, target = table()
    with pytest.raises(TrainingError, match="outside 1 to 29"):
        fitted(features, target, count)


CLOSE = {"rel": 1e-9, "abs": 1e-9}


def refitted(run):
    """Fit once more with statsmodels: the results on the rows of the training channel."""
    rows = pd.read_parquet(run.root / "prepared" / "train" / "train.parquet")
    model = run.document("model/model.json")
    features = rows[model["selected_features"]].astype(float)
    scaled = list(model["scaler"])
    if scaled:
        features[scaled] = MinMaxScaler().fit_transform(features[scaled])
    return sm.OLS(rows["cnt"].astype(float), sm.add_constant(features)).fit()


def test_every_figure_equals_statsmodels(trained) -> None:
    results, summary = refitted(trained), trained.document("data/summary.json")
    omnibus, omnibus_p = omni_normtest(results.wresid)
    jarque, jarque_p, skew, kurtosis = jarque_bera(results.wresid)
    expected = {
        "observations": results.nobs,
        "df_residuals": results.df_resid,
        "df_model": results.df_model,
        "rank": results.model.rank,
        "r_squared": results.rsquared,
        "adjusted_r_squared": results.rsquared_adj,
        "f_statistic": results.fvalue,
        "f_probability": results.f_pvalue,
        "log_likelihood": results.llf,
        "aic": results.aic,
        "bic": results.bic,
        "omnibus": omnibus,
        "omnibus_probability": omnibus_p,
        "durbin_watson": durbin_watson(results.wresid),
        "jarque_bera": jarque,
        "jarque_bera_probability": jarque_p,
        "skew": skew,
        "kurtosis": kurtosis,
        "condition_number": results.condition_number,
        "smallest_eigenvalue": results.eigenvals[-1],
        "residual_variance": results.mse_resid,
        "residual_standard_error": results.mse_resid**0.5,
        "model_mean_square": results.mse_model,
        "sum_of_squared_residuals": results.ssr,
    }
    figures = summary["figures"]
    assert figures["covariance_type"] == results.cov_type == "nonrobust"
    assert set(figures) == {*expected, "covariance_type", "method", "target"}
    # Figures of an exact fit are functions of rounding: only those that are not are compared there.
    noise = {
        *("f_statistic", "log_likelihood", "aic", "bic", "omnibus", "omnibus_probability", "durbin_watson"),
        *("jarque_bera", "jarque_bera_probability", "skew", "kurtosis"),
    }
    for name, value in expected.items():
        if trained.profile == "forecast" or name not in noise:
            assert figures[name] == pytest.approx(float(value), **CLOSE), name


def test_every_coefficient_equals_statsmodels(trained) -> None:
    results, summary = refitted(trained), trained.document("data/summary.json")
    intervals = results.conf_int()
    assert [entry["name"] for entry in summary["coefficients"]] == list(results.params.index)
    for position, entry in enumerate(summary["coefficients"]):
        name = entry["name"]
        assert entry["coefficient"] == pytest.approx(results.params[name], **CLOSE)
        assert entry["standard_error"] == pytest.approx(results.bse[name], **CLOSE)
        assert entry["lower_95"] == pytest.approx(intervals.loc[name, 0], **CLOSE)
        assert entry["upper_95"] == pytest.approx(intervals.loc[name, 1], **CLOSE)
        if trained.profile == "forecast" or name in {"casual", "registered"}:
            assert entry["p"] == pytest.approx(results.pvalues[name], **CLOSE)
        if trained.profile == "forecast":
            assert entry["t"] == pytest.approx(results.tvalues[name], **CLOSE)
        if name == "const":
            assert entry["vif"] is None
        else:
            factor = variance_inflation_factor(results.model.exog, position)
            assert entry["vif"] == pytest.approx(factor, **CLOSE)


def test_the_text_is_the_whole_table_and_says_the_same(trained) -> None:
    text = (trained.root / "data" / "summary.txt").read_text()
    figures = trained.document("data/summary.json")["figures"]
    for label in ("Omnibus", "Durbin-Watson", "Jarque-Bera", "Skew", "Kurtosis", "Cond. No.", "AIC", "BIC"):
        assert f"{label}:" in text or f"{label}" in text
    assert re.search(r"Covariance Type:\s+nonrobust", text)
    found = re.search(r"Df Residuals:\s+(\d+)", text)
    assert found
    assert int(found[1]) == figures["df_residuals"] == 494
    squared = re.search(r"^Dep.*R-squared:\s+([0-9.]+)", text, re.MULTILINE)
    assert squared
    assert float(squared[1]) == round(figures["r_squared"], 3)


def test_the_model_archive_carries_the_summary(trained) -> None:
    assert trained.document("model/summary.json") == trained.document("data/summary.json")


def test_published_and_reproduced_figures_stand_side_by_side(sample_runs) -> None:
    log = sample_runs["parity"].log
    assert "this is another file than the published one" in log
    assert re.search(r"Df residuals\s+494\s+494\s+equal", log)
    assert re.search(r"Condition number\s+46284\.03\s+[0-9.]+\s+different", log)
    assert "published" not in sample_runs["forecast"].log


def test_the_published_analysis_is_reproduced_on_the_published_file(real_runs) -> None:
    run = real_runs["parity"]
    summary, published = run.document("data/summary.json"), run.evaluation["published"]
    assert published["same_data"]
    judged = {e["figure"]: e["agrees"] for e in published["figures"] if e["agrees"] is not None}
    assert set(judged) == {
        *("Training rows", "Test rows", "R-squared", "Adjusted R-squared", "Df residuals", "Df model"),
        *("Coefficient of casual", "Coefficient of registered", "Condition number", "Covariance type"),
    }
    assert all(judged.values())
    assert "on the published file:" in run.log
    assert round(summary["figures"]["condition_number"], 2) == 46284.03
    figures = real_runs["forecast"].document("data/summary.json")["figures"]
    assert figures["r_squared"] >= 0.84
    assert real_runs["forecast"].evaluation["test"]["r2"] >= 0.83
    intervals = real_runs["forecast"].evaluation["validation"]["random"]["intervals"]
    assert 0.92 <= intervals["classical"]["coverage"] <= 0.98
