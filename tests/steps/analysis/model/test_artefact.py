from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.model.artefact import Bounds, Calibration, LinearModel, model_from_json, read_model
from analysis.model.baseline import Baseline, FeatureBaseline
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
DESCRIBED = replace(
    MODEL,
    baseline=Baseline(
        33,
        {
            "a": FeatureBaseline(
                columns=("a",),
                labels=("low", "middle", "high"),
                counts=(3, 10, 20),
                missing=0.25,
                edges=(0.1, 0.1 + 0.2),
                limits=(-1.5, 9.0),
            ),
            "kind": FeatureBaseline(
                columns=("b", "c"), labels=("red", "white", "rosé"), counts=(33, 0, 0), missing=0.0
            ),
        },
    ),
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


ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def with_past(*pairs: tuple[int, float]) -> LinearModel:
    """The model as one with features of the past, whose interval depends on the history gap."""
    return replace(MODEL, has_past=True, calibration=Calibration("split conformal", 7.5, 90, pairs))


def test_a_model_with_a_past_has_a_width_for_each_history_gap() -> None:
    model = with_past((0, 7.5), (2, 8.5), (6, 10.5))
    assert model_from_json(model.to_json()) == model
    assert '"beside_inputs": [\n    "history_gap"' in model.to_json()
    assert model.row_columns == (*MODEL.input_columns, "history_gap")
    rows = np.column_stack([np.tile(ROWS[:1], (5, 1)), [0.0, 1.0, 2.0, 4.0, 400.0]])
    found = model.predict(*model.parted(rows))
    assert ((found.upper - found.lower) / 2.0).tolist() == pytest.approx([7.5, 8.0, 8.5, 9.5, 10.5], rel=1e-12)
    assert np.unique(found.prediction).size == 1
    # As where everything is known, and as the textbook has it, which knows of no gap.
    plain, textbook = model.predict(rows[:, :-1]), model.predict(*model.parted(rows), classical=True)
    assert np.allclose(plain.upper - plain.lower, 15.0)
    assert np.unique(textbook.upper).size == 1


def test_rows_without_a_history_gap_are_refused_by_a_model_with_a_past() -> None:
    model = with_past((0, 7.5))
    with pytest.raises(ModelError, match=f"takes {len(model.row_columns)} values a row .*history_gap.*has shape"):
        model.parted(ROWS)
    with pytest.raises(ModelError, match=r"Row 2: its history_gap is below 0\."):
        model.parted(np.column_stack([ROWS[:2], [0.0, -1.0]]))


def test_models_without_a_past_are_as_they_were() -> None:
    assert "beside_inputs" not in MODEL.to_json()
    assert "by_gap" not in MODEL.to_json()
    assert MODEL.parted(ROWS)[1] is None


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        ([[0, 7.5], [2, 7.0]], "do not rise"),
        ([[0, 7.5], [2, 8.0], [2, 9.0]], "do not rise"),
        ([[0, 7.5], [1, float("nan")]], "not finite"),
        ([[0, 7.0]], "is not that of no gap"),
        ([[1, 7.5]], "is not that of no gap"),
        ([[0.5, 7.5]], "0.5 is not a whole number"),
        ([[0]], "not a model file"),
        (7.5, "not a model file"),
    ],
)
def test_damaged_widths_by_history_gap_are_refused(pairs: object, says: str) -> None:
    document = json.loads(with_past((0, 7.5)).to_json())
    document["interval"]["calibration"]["by_gap"] = pairs
    with pytest.raises(ModelError, match=says):
        model_from_json(json.dumps(document))


def test_what_is_beside_the_inputs_has_to_be_the_history_gap() -> None:
    document = json.loads(with_past((0, 7.5)).to_json())
    with pytest.raises(ModelError, match="beside_inputs is"):
        model_from_json(json.dumps(document | {"beside_inputs": ["weather"]}))
    with pytest.raises(ModelError, match="and no feature of the past"):
        model_from_json(json.dumps(document | {"beside_inputs": []}))
    ranges = document["ranges"] | ({"history_gap": {"minimum": 0.0, "maximum": 1.0}} if document["ranges"] else {})
    named = {"input_columns": [*MODEL.input_columns, "history_gap"], "ranges": ranges}
    with pytest.raises(ModelError, match="history_gap is an input column"):
        model_from_json(json.dumps(document | named))


@pytest.mark.parametrize("shape", [(2, 2), (3,), (1, 4)])
def test_rows_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"takes 3 values a row \(a, b, c\)"):
        MODEL.predict(np.zeros(shape))


def damaged(**changes: object) -> str:
    return json.dumps({**json.loads(MODEL.to_json()), **changes})


def described(feature: str, rows: int = 33, **changes: object) -> str:
    document = json.loads(DESCRIBED.to_json())
    document["baseline"]["rows"] = rows
    document["baseline"]["features"][feature] |= changes
    return json.dumps(document)


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
        (damaged(residual_degrees_of_freedom=30.5), "30.5 is not a whole number"),
        (damaged(intercept="5"), "'5' is not a number"),
        (damaged(intercept=True), "'True' is not a number"),
        (damaged(target=None), "'None' is not a text"),
        (damaged(input_columns="abc"), "'abc' is not a list of names"),
        (damaged(input_columns=["a", ["b"], "c"]), "not a text"),
        (calibrated(rows="90"), "'90' is not a number"),
        (CALIBRATED.to_json().replace('"minimum": 10.0', '"minimum": 9.0', 1), "not its training range"),
        (damaged(baseline={"rows": 33}), "not a model file"),
        (described("a", counts=None), "not a model file"),
        (described("a", columns=["zz"]), "baseline of a is of a column that is not an input column"),
        (described("a", counts=[33]), "baseline of a does not count each of its bins"),
        (described("a", edges=[2.0, 1.0]), "baseline of a does not count each of its bins"),
        (described("a", edges=[0.1, float("nan")]), "baseline of a does not count each of its bins"),
        (described("a", limits=None), "baseline of a does not count each of its bins"),
        (described("a", limits=[2.0, 1.0]), "baseline of a does not count each of its bins"),
        (described("kind", labels=["red"], counts=[33]), "baseline of kind does not count each of its bins"),
        (described("kind", columns=[], labels=["red"], counts=[33]), "baseline of kind does not count each"),
        (described("kind", counts=[34, -1, 0]), "baseline of kind does not count 33 rows"),
        (described("a", rows=34), "baseline of a does not count 34 rows"),
        (described("a", missing=1.5), "baseline of a has an impossible share of empty cells"),
    ],
)
def test_a_damaged_model_is_refused(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        model_from_json(text)


def test_the_baseline_keeps_every_bit() -> None:
    assert model_from_json(DESCRIBED.to_json()) == DESCRIBED
    assert model_from_json(MODEL.to_json()).baseline is None
    older = json.loads(DESCRIBED.to_json())
    del older["baseline"]
    assert model_from_json(json.dumps(older)) == MODEL


def test_a_missing_model_is_named(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"model\.json"):
        read_model(tmp_path)
