"""The parts of a card that a declaration gives, before anything has run."""

from __future__ import annotations

from typing import Any

from analysis.card.stand_alone import ALGORITHM, MODEL, OWNER, PROBLEM
from analysis.card.texts import LINE, NAME, fitting, sentence, without_nothing
from analysis.dataset.declaration import Dataset

CUSTOM = "additional_information.custom_details"
"""Where a card has what SageMaker's schema has no field for."""
WRITTEN_IN = {
    "intended_uses.purpose_of_model": "title",
    "intended_uses.intended_uses": "words.use",
    "intended_uses.factors_affecting_model_efficiency": "words.limits",
    "intended_uses.risk_rating": "card.risk_rating",
    "intended_uses.explanations_for_risk_rating": "card.risk_reason",
    "business_details.business_problem": "card.business_problem",
    "business_details.business_stakeholders": "card.business_stakeholders",
    "business_details.line_of_business": "card.line_of_business",
    "additional_information.ethical_considerations": "card.ethical_considerations",
    "additional_information.caveats_and_recommendations": "card.caveats",
    f"{CUSTOM}.{OWNER}": "card.model_owner",
    f"{CUSTOM}.Prohibited uses": "card.prohibited_uses",
}
"""Place in the card → field of the declaration that says it."""
OWN_DETAILS = frozenset(
    {
        *(MODEL, ALGORITHM, PROBLEM, OWNER, "Prohibited uses", "Standard", "Data", "Source of the data", "Profile"),
        *("Scores new rows", "Data file", "Data SHA-256", "Code SHA-256", "Declaration SHA-256", "Git commit"),
        *("Execution", "Environment", "Project"),
    }
)
"""Names of the custom details that every card has, which no field of an organisation may take."""


def declared_parts(dataset: Dataset, profile: str, titles: dict[str, str]) -> dict[str, Any]:
    """Return the sections of a package's card that the declaration fills in.

    titles: of the fields of the organisation's standard, by their names; other fields keep their names.
    """
    words, card = dataset.words, dataset.card
    prohibited = f"Not to be used: {sentence(card.prohibited_uses)}" if card.prohibited_uses else ""
    return {
        "intended_uses": _texts(
            purpose_of_model=f"Prediction of {words.target} for one {words.row.one}: {dataset.title}.",
            intended_uses=f"{words.use} {prohibited}",
            factors_affecting_model_efficiency=words.limits,
            risk_rating=str(card.risk_rating),
            explanations_for_risk_rating=card.risk_reason,
        ),
        "business_details": _texts(
            business_problem=card.business_problem,
            business_stakeholders=card.business_stakeholders,
            line_of_business=card.line_of_business,
        ),
        "additional_information": {
            **_texts(
                ethical_considerations=card.ethical_considerations,
                caveats_and_recommendations=f"{sentence(card.caveats)} {_general_caveats(dataset, profile)}",
            ),
            "custom_details": custom_details(
                {
                    OWNER: card.model_owner,
                    "Prohibited uses": card.prohibited_uses,
                    **{titles.get(name, name): text for name, text in card.fields.items()},
                }
            ),
        },
    }


def custom_details(found: dict[str, Any]) -> dict[str, str]:
    """Return name → text as a card has its own fields, without those that say nothing."""
    lines = {fitting(name, NAME): fitting(value, LINE) for name, value in found.items() if value is not None}
    return {name: line for name, line in lines.items() if name and line}


def _texts(**fields: str) -> dict[str, Any]:
    return without_nothing({name: fitting(text) for name, text in fields.items()})


def _general_caveats(dataset: Dataset, profile: str) -> str:
    """Say what holds for every model of this project, and for those with features of the past."""
    sentences = [
        "Read the 95 % interval, not only the prediction; its width was measured on errors of earlier predictions.",
        "Rows marked as extrapolated lie outside what was trained on.",
    ]
    if dataset.time is not None:
        many = dataset.words.row.many
        sentences.insert(0, f"Expect the figures of {many} to come: neighbours in time flatter a random split.")
    past = [dataset.past[name].description for name in dataset.profiles[profile].past]
    if past:
        sentences.append(
            f"It looks at {'; '.join(past)}; where the newest values are not known yet, predictions tell the history "
            "gap, and intervals are wider."
        )
    return " ".join(sentences)
