"""A step's arguments with samples for what only an execution knows."""

import json

from pipedef.document.model_cards import CardKind, card_problems
from pipeline.preflight.probe.samples import filled


def test_every_variable_gets_a_sample():
    arguments = {
        "Given": {"Get": "Parameters.Given"},
        "Missing": {"Get": "Parameters.Missing"},
        "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
        "Card": {
            "Std:Join": {"On": "", "Values": ['{"r2": ', {"Std:JsonGet": {}}, ', "p": "', {"Get": "Steps.X"}, '"}']}
        },
        "Listed": [{"S3Uri": {"Std:Join": {"On": "/", "Values": ["a"]}}}, 1, None],
    }
    assert filled(arguments, {"Given": "yes", "Missing": None}, "s3://b/k") == {
        "Given": "yes",
        "Missing": "0.5",
        "ModelDataUrl": "s3://b/k",
        "Card": '{"r2": 0.5, "p": "0.5"}',
        "Listed": [{"S3Uri": "s3://b/k"}, 1, None],
    }


def test_a_card_that_a_step_writes_is_stood_for_by_one_with_every_kind_of_plot():
    card = {"ModelCardContent": {"Std:JsonGet": {"Path": "content"}}, "ModelCardStatus": "PendingReview"}
    found = filled({"ModelCard": card, "SamplePayloadUrl": {"Get": "x"}}, {}, "s3://b/k.tar.gz")
    assert found["SamplePayloadUrl"] == "s3://b/k.tar.gz"
    assert found["ModelCard"]["ModelCardStatus"] == "PendingReview"
    text = found["ModelCard"]["ModelCardContent"]
    assert list(card_problems(text, CardKind.PACKAGE)) == []
    (metrics,) = json.loads(text)["evaluation_details"][0]["metric_groups"]
    kinds = {metric["type"] for metric in metrics["metric_data"]}
    assert kinds == {"number", "string", "bar_chart", "linear_graph", "matrix"}
