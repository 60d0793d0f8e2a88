"""Build the model card of a version from its own numbers and the declaration of its data set.

The result has the schema of a model package's card; analysis.card.stand_alone makes the other one of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.card.declared import custom_details, declared_parts
from analysis.card.evaluations import evaluation_details
from analysis.card.metrics import number
from analysis.card.stand_alone import ALGORITHM, MODEL, PROBLEM
from analysis.card.standard import Standard
from analysis.card.texts import ARN, LARGEST_CARD, LINE, NAME, card_text, fitting, without_nothing
from analysis.dataset.declaration import Dataset
from analysis.evaluation.rows import LabelledRows
from analysis.model.archive import Archive

_ROOM_FOR_THE_PACKAGE = 15_000
"""Characters that a stand-alone card has more than its package's: ARNs, images, where the model lies."""
_SHORTER = (1024, 512, 256, 128, 64)
"""What texts are cut to, one after the other, where a card is too long as a whole."""
_KEPT_WHOLE = frozenset({"risk_rating", "type", "function"})
"""Fields with words of SageMaker's own."""
_OBJECTIVE = "Sum of squared differences between actual and predicted values of the training rows."


@dataclass(frozen=True)
class Facts:
    """Where a version comes from, as far as its run knows; empty where it does not.

    others: further facts, by their names for readers.
    """

    environment: str = ""
    project: str = ""
    execution_arn: str = ""
    training_job_arn: str = ""
    model_data_uri: str = ""
    image_uri: str = ""
    git_commit: str = ""
    declaration_sha256: str = ""
    scores_new_rows: str = ""
    others: dict[str, str] = field(default_factory=dict)


def package_card(
    archive: Archive,
    test: LabelledRows | None,
    evaluation: Mapping[str, Any],
    dataset: Dataset,
    facts: Facts,
    *,
    standard: Standard | None = None,
) -> dict[str, Any]:
    """Return the content of a model package's card, within its schema and its length; without test rows, no plots."""
    model, words = archive.model, dataset.words
    titles = {} if standard is None else {name: one.title for name, one in standard.fields.items()}
    parts = declared_parts(dataset, model.profile, titles)
    additional = parts["additional_information"]
    if never_known := facts.scores_new_rows.partition(":")[2].split():
        takes = f"it takes {' and '.join(never_known)}, which are never known in advance"
        caveats = f"It can score no new {words.row.many}: {takes}. {additional['caveats_and_recommendations']}"
        additional = {**additional, "caveats_and_recommendations": fitting(caveats)}
    data = evaluation.get("data") or {}
    details = {
        MODEL: f"Linear regression (ordinary least squares) of {words.target}: {dataset.title}.",
        ALGORITHM: "Ordinary least squares on the columns of the profile, or on those that recursive feature "
        "elimination keeps of them",
        PROBLEM: "Regression",
        "Standard": standard and f"{standard.title}, {standard.version}",
        **additional["custom_details"],
        "Data": dataset.description,
        "Source of the data": dataset.source,
        "Profile": f"{model.profile}: {dataset.profiles[model.profile].description}",
        "Scores new rows": facts.scores_new_rows,
        "Data file": data.get("file"),
        "Data SHA-256": data.get("sha256"),
        "Code SHA-256": model.provenance.get("code_sha256"),
        "Declaration SHA-256": facts.declaration_sha256,
        "Git commit": facts.git_commit,
        "Execution": facts.execution_arn,
        "Environment": facts.environment,
        "Project": facts.project,
        **facts.others,
    }
    creator = f"Training pipeline of {facts.project}, {facts.environment}" if facts.project else ""
    file = str(data.get("file") or "")
    card = {
        "model_overview": without_nothing(
            {"model_creator": fitting(creator, LINE), "model_artifact": _locations(facts.model_data_uri)}
        ),
        **{name: parts[name] for name in ("intended_uses", "business_details")},
        "training_details": _training(archive, evaluation, facts, file),
        "evaluation_details": evaluation_details(archive, test, evaluation, words, _locations(file)),
        "additional_information": {**additional, "custom_details": custom_details(details)},
    }
    return within(without_nothing(card), LARGEST_CARD - _ROOM_FOR_THE_PACKAGE)


def within(card: dict[str, Any], longest: int) -> dict[str, Any]:
    """Return a card that has at most so many characters: without its last plots, then with shorter texts.

    Every number of fields is bounded, so that this always ends well; whoever reads the card sees the marks of the cuts.
    """
    while len(card_text(card)) > longest and (groups := _plots_of(card)):
        groups[-1]["metric_data"].pop()
        if not groups[-1]["metric_data"]:
            card = {**card, "evaluation_details": [one for one in card["evaluation_details"] if one["name"] != "Plots"]}
    for shorter in _SHORTER:
        if len(card_text(card)) <= longest:
            break
        card = _texts_by(card, lambda text, shorter=shorter: fitting(text, shorter))  # type: ignore[misc]
    return card


def _plots_of(card: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [one["metric_groups"] for one in card.get("evaluation_details", []) if one["name"] == "Plots"]
    return groups[0] if groups else []


def _texts_by(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, dict):
        return {name: one if name in _KEPT_WHOLE else _texts_by(one, change) for name, one in part.items()}
    if isinstance(part, list):
        return [_texts_by(one, change) for one in part]
    return change(part) if isinstance(part, str) else part


def _training(archive: Archive, evaluation: Mapping[str, Any], facts: Facts, file: str) -> dict[str, Any]:
    model, summary, training = archive.model, archive.summary.get("figures", {}), evaluation.get("train") or {}
    named = {
        "R-squared": training.get("r2"),
        "Adjusted R-squared": training.get("adjusted_r2"),
        "Root mean squared error": training.get("rmse"),
        "Mean absolute error": training.get("mae"),
        "F statistic": summary.get("f_statistic"),
        "Condition number": summary.get("condition_number"),
    }
    split = model.provenance.get("split") or {}
    variant = model.preparation.get("variant") or {}
    rows = split.get("rows") or {}
    hyper_parameters = {
        "Profile": model.profile,
        "Columns kept": len(model.selected),
        **{name: split.get(name) for name in ("train_fraction", "random_state")},
        **{name: value for name, value in variant.items() if value is not None},
    }
    observations = (
        f"{training.get('rows', '?')} of {rows.get('all', '?')} rows, drawn at random before anything was fitted. "
        f"Columns with a coefficient: {', '.join(model.selected)}."
    )
    return {
        "objective_function": {"function": {"function": "Minimize", "facet": "Loss"}, "notes": _OBJECTIVE},
        "training_observations": fitting(observations, LINE),
        "training_job_details": without_nothing(
            {
                "training_arn": fitting(facts.training_job_arn, LINE),
                "training_datasets": _locations(file),
                "training_environment": {"container_image": _locations(facts.image_uri)} if facts.image_uri else None,
                "training_metrics": [
                    {"name": one["name"], "value": one["value"]}
                    for name, value in named.items()
                    for one in number(name, value)
                ],
                "hyper_parameters": [
                    {"name": fitting(name, NAME), "value": fitting(value, ARN - 1)}
                    for name, value in hyper_parameters.items()
                    if value not in (None, "")
                ],
            }
        ),
    }


def _locations(*uris: str) -> list[str]:
    return [fitting(uri, LINE) for uri in uris if uri]
