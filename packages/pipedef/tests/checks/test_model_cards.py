"""The model card that a RegisterModel step gives."""

from __future__ import annotations

import json

import pytest

FIELD = "Arguments.ModelCard.ModelCardContent"


def with_card(draft, content):
    draft.arguments("RegisterModel")["ModelCard"]["ModelCardContent"] = content
    return draft


def joined(*values):
    return {"Std:Join": {"On": "", "Values": list(values)}}


def read(path, file="Evaluation"):
    return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.Evaluate.PropertyFiles.{file}"}, "Path": path}}


def metric(value):
    return joined(
        '{"evaluation_details": [{"name": "e", "metric_groups": [{"name": "g", "metric_data": '
        '[{"name": "m", "type": "number", "value": ',
        value,
        "}]}]}]}",
    )


def rating(value):
    return joined('{"intended_uses": {"risk_rating": "', value, '"}}')


def test_the_card_of_the_project_fits(problems, training):
    assert problems("model-cards", training) == []


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        json.dumps({"model_overview": {"model_creator": "bikes"}}),
        metric(read("r2")),
        metric({"Get": "Parameters.TrainFraction"}),
        metric(joined({"Get": "Parameters.FeatureCount"})),
        # The separator of a Join is text of the card, too.
        {"Std:Join": {"On": '"', "Values": ['{"intended_uses": {"purpose_of_model": ', "for ", "}}"]}},
        joined('{"training_details": {"training_observations": "', {"Get": "Execution.PipelineExecutionArn"}, '"}}'),
        # Whether these fit is known only when the pipeline runs.
        rating(read("rating")),
        joined("{", {"Get": "Steps.Train.TrainingJobName"}, "}"),
        {"Get": "Steps.Train.TrainingJobName"},
        read("content", "Card"),
        rating(joined({"Get": "Steps.Claim.OutputParameters['rating']"})),
    ],
)
def test_what_may_fit_is_accepted(problems, training, content):
    assert problems("model-cards", with_card(training, content)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object."),
        (json.dumps({"model_overview": {"model_description": "d"}}), "model_overview: Additional properties"),
        (joined('{"model_overview": {"model_name": "', {"Get": "Parameters.Profile"}, '"}}'), "'model_name' was"),
        (rating("Low, I think"), "intended_uses.risk_rating: 'Low, I think' is not one of ['High', "),
        (rating({"Get": "Parameters.Profile"}), "intended_uses.risk_rating: "),
        (metric("NaN"), "NaN is not a number in JSON"),
        (metric(joined('"', "x" * 63, {"Get": "Execution.PipelineExecutionId"}, '"')), "is too long"),
        # A text outside of quotes.
        (joined('{"intended_uses": {"purpose_of_model": ', {"Get": "Parameters.Profile"}, "}}"), "not JSON"),
        (joined('{"intended_uses": {"purpose_of_model": ', read("purpose"), "}}"), "0.5 is not of type 'string'"),
        (
            joined('{"training_details": {"training_observations": "a \\"quoted\\" ', read("x"), '"}, "own": 1}'),
            "'own' was unexpected",
        ),
    ],
)
def test_what_never_fits_is_found(problems, training, content, message):
    (problem,) = problems("model-cards", with_card(training, content))
    assert message in problem.message
    assert (problem.step, problem.field) == ("RegisterModel", FIELD)
    assert "schema of a package's card" in problem.fix


def test_a_step_without_a_card_has_no_problem(problems, training):
    del training.arguments("RegisterModel")["ModelCard"]
    assert problems("model-cards", training) == []
