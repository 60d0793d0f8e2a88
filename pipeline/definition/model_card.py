"""The model card that travels with every registered version.

CreateModelPackage takes a card as JSON text after SageMaker's model-card schema
(https://docs.aws.amazon.com/sagemaker/latest/dg/model-cards-json-schema.html). Its numbers are known only while the
pipeline runs, so the card is made as a list of pieces of that text, some of them pipeline variables, for ``Std:Join``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pipeline.definition.bundle import Bundle
from pipeline.settings.environment import Settings

_METRICS = {
    "R-squared, test rows": "regression_metrics.r2.value",
    "Root mean squared error, test rows (rentals a day)": "regression_metrics.rmse.value",
    "Mean absolute error, test rows (rentals a day)": "regression_metrics.mae.value",
}


def model_card_fragments(
    settings: Settings, bundle: Bundle, profile: Any, evaluated: Callable[[str], Any], execution_arn: Any
) -> list[Any]:
    """Pieces that, joined, are the card's JSON text.

    Args:
        settings: of the environment.
        bundle: the packed code, named in the card.
        profile: pipeline variable with the profile's name.
        evaluated: makes the pipeline variable for one path in ``evaluation.json``.
        execution_arn: pipeline variable.
    """
    variables: dict[str, Any] = {
        "@profile@": profile,
        "@execution@": execution_arn,
        "@leakage@": evaluated("leakage.verdict"),
    }
    metric_data = []
    for number, (name, path) in enumerate(_METRICS.items()):
        marker = f'"@metric{number}@"'
        variables[marker] = evaluated(path)
        metric_data.append({"name": name, "type": "number", "value": marker.strip('"')})
    card = {
        "model_overview": {
            "model_description": "Linear regression (ordinary least squares) of daily bike rentals on calendar and "
            "weather. Profile: @profile@.",
            "algorithm_type": "Ordinary least squares after recursive feature elimination",
            "problem_type": "Regression",
        },
        "intended_uses": {
            "purpose_of_model": "Forecast of one day's total rentals from that day's calendar and weather.",
            "intended_uses": "Planning of bikes and staff; reading of effects from the coefficients.",
            "factors_affecting_model_efficiency": "Days outside the range of weather seen in training; changes of "
            "fleet, price or season pattern after the training period.",
            "risk_rating": "Low",
            "explanations_for_risk_rating": "No personal data; a wrong forecast costs convenience.",
        },
        "training_details": {
            "objective_function": {"function": {"function": "Minimize", "facet": "Loss"}},
            "training_observations": f"Code version {bundle.sha256}. Execution @execution@.",
        },
        "evaluation_details": [
            {
                "name": "Rows held out of training",
                "evaluation_observation": "Leakage verdict: @leakage@.",
                "metric_groups": [{"name": "Regression", "metric_data": metric_data}],
            }
        ],
        "additional_information": {
            "caveats_and_recommendations": "Read the 95 % interval, not only the prediction.",
            "custom_details": {"environment": settings.environment, "project": settings.project},
        },
    }
    return _split(json.dumps(card), variables)


def _split(text: str, variables: dict[str, Any]) -> list[Any]:
    """Cut ``text`` at each marker and put the variable there."""
    pieces: list[Any] = [text]
    for marker, variable in variables.items():
        cut: list[Any] = []
        for piece in pieces:
            if not isinstance(piece, str):
                cut.append(piece)
                continue
            first, *rest = piece.split(marker)
            cut.append(first)
            for part in rest:
                cut += [variable, part]
        pieces = cut
    return [piece for piece in pieces if not (isinstance(piece, str) and not piece)]
