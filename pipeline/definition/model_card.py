"""The model card that travels with every registered version.

CreateModelPackage takes a card as JSON text after SageMaker's model-card schema
(https://docs.aws.amazon.com/sagemaker/latest/dg/model-cards-json-schema.html). Its numbers are known only while the
pipeline runs, so the card is made as a list of pieces of that text, some of them pipeline variables, for ``Std:Join``.
"""

import json
import re
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
    settings: Settings,
    bundle: Bundle,
    *,
    profile: Any,
    execution_arn: Any,
    evaluation_value: Callable[[str], Any],
) -> list[Any]:
    """Return the pieces that, joined, are the card's JSON text.

    Args:
        settings: of the environment.
        bundle: the packed code, named in the card.
        profile: pipeline variable with the profile's name.
        execution_arn: pipeline variable.
        evaluation_value: returns the pipeline variable for a path in ``evaluation.json``.
    """
    variables = {
        "@profile@": profile,
        "@execution@": execution_arn,
        "@leakage@": evaluation_value("leakage.verdict"),
        # With the quotes, so that what takes their place is a number.
        **{f'"@{path}@"': evaluation_value(path) for path in _METRICS.values()},
    }
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
                "metric_groups": [
                    {
                        "name": "Regression",
                        "metric_data": [
                            {"name": name, "type": "number", "value": f"@{path}@"} for name, path in _METRICS.items()
                        ],
                    }
                ],
            }
        ],
        "additional_information": {
            "caveats_and_recommendations": "Read the 95 % interval, not only the prediction.",
            "custom_details": {"environment": settings.environment, "project": settings.project},
        },
    }
    pieces = re.split(f"({'|'.join(map(re.escape, variables))})", json.dumps(card))
    return [variables.get(piece, piece) for piece in pieces if piece]
