from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.model.artefact import Bounds, Calibration, LinearModel, model_from_json, read_model
from analysis.runtime.errors import ModelError

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)

MODEL = LinearModel(
    profile="forecast",
    target="cnt",
    input_columns=("a", "b", "c"),
    selected=("a", "c"),
    intercept=0.1,
    coefficients=(2.0, -3.5),
    bounds={"c": Bounds(10.0, 20.0)},
    residual_variance=4.0,
    residual_degrees_of_freedom=30,
    covariance=((0.5, 0.01, 0.02), (0.01, 0.25, 0.0), (0.02, 0.0, 0.125)),
    interval_level=0.95,
    t_quantile=2.042272456301238,
    training={"rows": 33},
    provenance={"data_sha256": None},
)
CALIBRATED = replace(
    MODEL,
    calibration=Calibration("split conformal", 7.5, 90),
    lower_bound=0.0,
    ranges={"a": Bounds(0.0, 1.0), "b": Bounds(-1.0, 99.0), "c": Bounds(10.0, 20.0)},
)


def test_prediction_and_interval_follow_the_textbook() -> None:
    rows = np.array([[1.0, 99.0, 15.0], [0.0, -1.0, 30.0]])
    x = np.column_stack([np.ones(2), rows[:, 0], (rows[:, 2] - 10.0) / 10.0])
    mean = x @ np.array([0.1, 2.0, -3.5])
    half = MODEL.t_quantile * np.sqrt(4.0 + np.sum((x @ np.array(MODEL.covariance)) * x, axis=1))
    found = MODEL.predict(rows)
    np.testing.assert_allclose(found.prediction, mean, rtol=1e-14)
    np.testing.assert_allclose(found.lower, mean - half, rtol=1e-14)
    np.testing.assert_allclose(found.upper, mean + half, rtol=1e-14)


@settings(deadline=None)
@given(
    size=st.integers(min_value=1, max_value=40), cut=st.integers(min_value=0, max_value=40), seed=st.integers(0, 9999)
)
def test_a_row_is_predicted_the_same_to_the_bit_whatever_comes_with_it(size: int, cut: int, seed: int) -> None:
    rows = np.random.Generator(np.random.PCG64(seed)).normal(15.0, 30.0, (size, 3))
    whole = MODEL.predict(rows)
    parts = [MODEL.predict(part) for part in (rows[:cut], rows[cut:])]
    for name in ("prediction", "lower", "upper"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tolist() == getattr(whole, name).tolist()


@settings(deadline=None)
@given(
    intercept=FINITE,
    coefficients=st.tuples(FINITE, FINITE),
    bounds=st.tuples(FINITE, FINITE).map(sorted),
    variance=FINITE.map(abs),
)
def test_json_keeps_every_bit(intercept, coefficients, bounds, variance) -> None:
    model = replace(
        MODEL,
        intercept=intercept,
        coefficients=coefficients,
        bounds={"c": Bounds(*bounds)},
        residual_variance=variance,
    )
    assert model_from_json(model.to_json()) == model
    assert model_from_json(CALIBRATED.to_json()) == CALIBRATED


def test_the_calibrated_interval_and_the_lower_bound() -> None:
    rows = np.array([[1.0, 99.0, 15.0], [0.0, -1.0, 30.0], [20.0, 0.0, 10.0]])
    fitted = CALIBRATED.fitted(rows)
    assert fitted.tolist() == MODEL.predict(rows).prediction.tolist()
    assert fitted == pytest.approx([0.35, -6.9, 40.1])
    found = CALIBRATED.predict(rows)
    assert found.prediction.tolist() == [fitted[0], 0.0, fitted[2]]
    assert found.lower.tolist() == [0.0, 0.0, fitted[2] - 7.5]
    assert found.upper.tolist() == [fitted[0] + 7.5, fitted[1] + 7.5, fitted[2] + 7.5]
    classical = CALIBRATED.predict(rows, classical=True)
    assert classical.upper.tolist() == np.maximum(MODEL.predict(rows).upper, 0.0).tolist()
    assert classical.lower.tolist() == np.maximum(MODEL.predict(rows).lower, 0.0).tolist()


def test_rows_outside_the_training_ranges_are_marked() -> None:
    rows = np.array([[1.0, 99.0, 20.0], [1.0, 99.1, 20.0], [-0.1, 0.0, 15.0], [0.0, 0.0, 9.0]])
    found = CALIBRATED.predict(rows).extrapolated
    assert found is not None
    assert found.tolist() == [False, True, True, True]
    assert MODEL.predict(rows).extrapolated is None


def test_a_model_of_an_earlier_version_has_the_classical_interval() -> None:
    document = json.loads(MODEL.to_json())
    del document["interval"]["calibration"], document["lower_bound"], document["ranges"]
    assert model_from_json(json.dumps(document)) == MODEL


def test_a_column_that_never_changed_is_shifted_not_divided() -> None:
    model = replace(MODEL, bounds={"c": Bounds(7.0, 7.0)})
    assert model.predict(np.array([[0.0, 0.0, 7.0]])).prediction.tolist() == [0.1]


@pytest.mark.parametrize("shape", [(2, 2), (3,), (1, 4)])
def test_rows_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"takes 3 values a row \(a, b, c\)"):
        MODEL.predict(np.zeros(shape))


def damaged(**changes: object) -> str:
    return json.dumps({**json.loads(MODEL.to_json()), **changes})


def calibrated(**changes: object) -> str:
    document = json.loads(CALIBRATED.to_json())
    document["interval"]["calibration"] |= changes
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a model file"),
        ("[]", "not a model file"),
        ("{}", "format is None"),
        (damaged(format="bikeshare-linear-model/9"), "/9"),
        (damaged(intercept="much"), "not a model file"),
        (damaged(coefficients={"a": 1.0}), "not a model file"),
        (damaged(selected_features=["a", "zz"], coefficients={"a": 1.0, "zz": 2.0}), "not an input column"),
        (damaged(covariance={"values": [[1.0]]}), "not 3 by 3"),
        (damaged(intercept=float("nan")), "not finite"),
        (damaged(lower_bound="low"), "not a model file"),
        (damaged(lower_bound=float("inf")), "not finite"),
        (calibrated(half_width=-1.0), "negative width"),
        (calibrated(rows=0), "negative width, or is of no rows"),
        (calibrated(half_width=float("nan")), "not finite"),
        (calibrated(half_width=None), "not a model file"),
        (damaged(ranges={"a": {"minimum": 0.0, "maximum": 1.0}}), "not those of the input columns"),
        (damaged(ranges={name: {"minimum": 2.0, "maximum": 1.0} for name in "abc"}), "of a ends below its beginning"),
        (MODEL.to_json().replace('"residual_variance": ', '"residual_variance": 1e999, "x": '), "not finite"),
        (damaged(intercept=10**400), "not a model file"),
        (damaged(residual_degrees_of_freedom=float("inf")), "not a model file"),
        ("[" * 100_000, "not a model file"),
        (damaged(residual_variance=-1e-9), "a variance is negative"),
        (damaged(covariance={"values": [[1.0, 0, 0], [0, 1.0, 0], [0, 0, -1.0]]}), "a variance is negative"),
        (damaged(scaler={"a": {"minimum": 2.0, "maximum": 1.0}}), "bounds of a column are reversed"),
        (damaged(scaler={"zz": {"minimum": 1.0, "maximum": 2.0}}), "not an input column"),
        (damaged(input_columns=["a", "b", "c", "a"]), "a column is named twice"),
        (damaged(selected_features=["a", "a"]), "a column is named twice"),
        (MODEL.to_json().replace('"profile"', '"target": "x", "profile"'), "'target' is named twice"),
        (damaged(interval={"level": 1.0, "t_quantile": 2.0}), "no level between 0 and 1"),
        (damaged(interval={"level": 0.9, "t_quantile": -2.0}), "a negative quantile"),
        (damaged(residual_degrees_of_freedom=0), "no degree of freedom"),
    ],
)
def test_a_damaged_model_is_refused(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        model_from_json(text)


def test_a_missing_model_is_named(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"model\.json"):
        read_model(tmp_path)
