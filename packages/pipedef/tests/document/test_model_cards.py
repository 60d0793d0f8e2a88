"""Model cards against the two schemas that SageMaker has for them."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipedef.document import model_cards
from pipedef.document.model_cards import CardKind, card_problems

METRICS: list[dict[str, Any]] = [
    {"name": "R-squared", "type": "number", "value": 0.83, "notes": "test rows"},
    {"name": "verdict", "type": "string", "value": "pass"},
    {"name": "passed", "type": "boolean", "value": True},
    {"name": "residuals", "type": "linear_graph", "value": [[0, 1.5], [1, 2]], "x_axis_name": "rentals"},
    {"name": "effects", "type": "bar_chart", "value": [1, 2], "x_axis_name": ["warm", "cold"]},
    {"name": "correlation", "type": "matrix", "value": [[1, 0], [0, 1]], "y_axis_name": ["a", "b"]},
]
PACKAGE: dict[str, Any] = {
    "model_overview": {"model_creator": "bikes", "model_artifact": ["s3://bucket/model.tar.gz"]},
    "intended_uses": {"purpose_of_model": "Forecast", "risk_rating": "Low"},
    "business_details": {"line_of_business": "Rental"},
    "training_details": {
        "objective_function": {"function": {"function": "Minimize", "facet": "Loss"}, "notes": "squared"},
        "training_job_details": {
            "training_environment": {"container_image": ["scikit-learn:1.9-0"]},
            "training_metrics": [{"name": "train:r2", "value": 0.8}],
            "hyper_parameters": [{"name": "features", "value": "12"}],
        },
    },
    "evaluation_details": [
        {"name": "held out", "metadata": {"a": "b"}, "metric_groups": [{"name": "Regression", "metric_data": METRICS}]}
    ],
    "additional_information": {"custom_details": {"environment": "local"}},
}
STAND_ALONE: dict[str, Any] = {
    **PACKAGE,
    "model_overview": {"model_description": "bikes", "algorithm_type": "OLS", "problem_type": "Regression"},
    "model_package_details": {"model_package_group_name": "bikes", "model_package_version": 3},
}
LONG = "x" * 4000


def problems(card: Any, kind: CardKind = CardKind.PACKAGE) -> list[str]:
    return [str(problem) for problem in card_problems(card if isinstance(card, str) else json.dumps(card), kind)]


def changed(path: tuple[str | int, ...], value: Any, card: dict[str, Any] = PACKAGE) -> dict[str, Any]:
    """Return a card with another value at a path."""
    copy = deepcopy(card)
    inside: Any = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return copy


def test_the_schemas_are_schemas():
    text = Path(model_cards.__file__).with_suffix(".json").read_text(encoding="utf-8")
    jsonschema.Draft7Validator.check_schema(json.loads(text))


@pytest.mark.parametrize(("card", "kind"), [(PACKAGE, CardKind.PACKAGE), (STAND_ALONE, CardKind.STAND_ALONE)])
def test_a_right_card_has_no_problem(card, kind):
    assert problems(card, kind) == []
    assert problems({}, kind) == []


def test_each_kind_has_a_schema_of_its_own():
    assert problems(STAND_ALONE) == [
        "Additional properties are not allowed ('model_package_details' was unexpected)",
        (
            "model_overview: Additional properties are not allowed "
            "('algorithm_type', 'model_description', 'problem_type' were unexpected)"
        ),
    ]
    assert problems(PACKAGE, CardKind.STAND_ALONE) == []


def test_the_objective_is_taken_as_both_versions_of_the_sdk_write_it():
    flat = changed(("training_details", "objective_function"), {"function": "Maximize", "facet": "AUC"})
    assert problems(flat) == []
    wrong = changed(("training_details", "objective_function", "function"), "Guess")
    assert problems(wrong) == [
        "training_details.objective_function.function: 'Guess' is not one of ['Maximize', 'Minimize']"
    ]


@pytest.mark.parametrize("kind", CardKind)
@pytest.mark.parametrize(
    ("path", "value", "refusal"),
    [
        (("own",), {}, "('own' was unexpected)"),
        (("intended_uses", "risk_rating"), "low", "intended_uses.risk_rating: 'low' is not one of ['High', "),
        (("intended_uses", "purpose_of_model"), LONG, "is too long"),
        (("intended_uses", "purpose_of_model"), 3, "3 is not of type 'string'"),
        (("training_details", "training_observations"), "x" * 1025, "is too long"),
        (("model_overview", "model_artifact"), ["s3://a"] * 16, "model_overview.model_artifact: ['s3://a', "),
        (("evaluation_details",), {}, "evaluation_details: {} is not of type 'array'"),
        (("evaluation_details", 0, "name"), "", "evaluation_details[0].name: '' should be non-empty"),
        (("evaluation_details", 0), {}, "'name' is a required property"),
        (("additional_information", "custom_details", "n"), 1, "custom_details.n: 1 is not of type 'string'"),
        (("training_details", "training_job_details", "hyper_parameters", 0, "value"), 12, "is not of type 'string'"),
    ],
)
def test_what_is_refused(kind, path, value, refusal):
    found = problems(changed(path, value, {**PACKAGE, "model_overview": {"model_creator": "bikes"}}), kind)
    assert len(found) == 1
    assert refusal in found[0]
    assert len(found[0]) < 400


@pytest.mark.parametrize(
    ("metric", "refusal"),
    [
        ({"name": "r", "type": "number", "value": None}, "value: None is not of type 'number', 'string', 'boolean'"),
        ({"name": "r", "type": "string", "value": "x" * 64}, "value: 'xxx"),
        ({"name": "r", "type": "pie", "value": 1}, "type: 'pie' is not one of ['number', "),
        ({"name": "r", "value": 1}, "'type' is a required property"),
        ({"name": "r", "type": "matrix", "value": [["1"]]}, "value[0][0]: '1' is not of type 'number'"),
        ({"name": "r", "type": "number", "value": 1, "unit": "m"}, "('unit' was unexpected)"),
        (3, "metric_data[0]: 3 is not of type 'object'"),
    ],
)
def test_which_metrics_are_refused(metric, refusal):
    found = problems(changed(("evaluation_details", 0, "metric_groups", 0, "metric_data", 0), metric))
    assert len(found) == 1
    assert refusal in found[0]


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("no json", "Model card content is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "Model card content is not a JSON object."),
        ('{"a": 1, "a": 2}', "Model card content is not JSON: an object has two members named 'a'"),
        (
            json.dumps(changed(("evaluation_details", 0, "metric_groups", 0, "metric_data", 0, "value"), float("nan"))),
            "Model card content is not JSON: NaN is not a number in JSON",
        ),
    ],
)
def test_what_is_no_card(text, refusal):
    assert problems(text) == [refusal]
