from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

from analysis.model.artefact import Bounds, LinearModel
from scripts.lib.exports.files import document_of, model_of
from scripts.lib.program import ExportRefusedError

MODEL = LinearModel(
    profile="forecast",
    target="cnt",
    input_columns=("a", "b"),
    selected=("b",),
    intercept=0.1 + 0.2,
    coefficients=(math.pi * 1e300,),
    bounds={"b": Bounds(5e-324, 4.0)},
    residual_variance=1.0,
    residual_degrees_of_freedom=10,
    covariance=((0.1, 0.0), (0.0, 0.1)),
    interval_level=0.95,
    t_quantile=2.228,
    training={"rows": 12},
    provenance={"data_sha256": None},
)


@pytest.fixture
def document() -> dict[str, Any]:
    return document_of(MODEL, "model.tar.gz", "ab" * 32)


def test_it_is_the_model_bit_for_bit(document) -> None:
    assert model_of(document, "x") == MODEL


def test_it_says_where_it_comes_from(document) -> None:
    assert document["export"] == {"source": "model.tar.gz", "archive_sha256": "ab" * 32}
    assert document["coefficients"] == {"b": MODEL.coefficients[0]}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other/1"},
        {"coefficients": {}},
        {"intercept": math.nan},
        {"intercept": math.inf},
        {"intercept": None},
        {"selected_features": ["elsewhere"]},
        {"covariance": {"values": [[1.0]]}},
        {"training": 5},
        {"training": {"very": 10**5000}},
        {"scaler": {"b": {"minimum": 0}}},
        {"scaler": {"b": {"minimum": 2.0, "maximum": 1.0}}},
        {"residual_variance": -1.0},
        {"intercept": 10**400},
        {"input_columns": ["a", "b", "b"]},
    ],
)
def test_a_document_of_another_kind_is_refused(document, change) -> None:
    with pytest.raises(ExportRefusedError, match=r"x\.pickle does not hold an exported model"):
        model_of({**document, **change}, "x.pickle")


@pytest.mark.parametrize("value", [None, [], "text", 1.0])
def test_no_dictionary_is_refused(value) -> None:
    with pytest.raises(ExportRefusedError, match="not an exported model"):
        model_of(value, "x")


def test_deep_nesting_is_refused(document) -> None:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    document["training"] = {"deep": deep}
    with pytest.raises(ExportRefusedError):
        model_of(document, "x")


def test_lists_that_unfold_without_end_are_refused_at_once(document) -> None:
    """Forty lists, each ten times in the next: a kilobyte of pickle that would be written out as 10^40 values."""
    wide: list[Any] = [0.0]
    for _ in range(40):
        wide = [wide] * 10
    circle: list[Any] = []
    circle.append(circle)
    for value in (wide, circle):
        document["training"] = {"wide": value}
        assert len(pickle.dumps(document)) < 5000
        with pytest.raises(ExportRefusedError, match="unfolds to more than 100,000 values"):
            model_of(document, "x")
