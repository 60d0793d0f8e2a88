"""What the registry is told of a model that is registered by hand: of the same form as what the pipeline tells it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.card.build import Facts, package_card
from analysis.card.registration import scores_new_rows
from analysis.card.standard import Standard, refuse_card
from analysis.card.texts import card_text
from analysis.dataset.declaration import Dataset
from analysis.evaluation.monitoring import (
    DATA_CONSTRAINTS,
    DATA_STATISTICS,
    MODEL_CONSTRAINTS,
    MODEL_STATISTICS,
    SAMPLE,
)
from analysis.model.archive import Archive
from analysis.model.inputs import inputs_of
from analysis.runtime.errors import CardError
from analysis.runtime.registry import SCORES_NEW_ROWS
from analysis.runtime.versions import UNKNOWN_COMMIT
from pipeline.datasets.shipped import declaration_file
from pipeline.definition.bundle import bundle_of
from pipeline.deploy.resources.code import git_commit
from pipeline.settings.contract import SERVING_ENVIRONMENT
from pipeline.settings.environment import Settings
from pipeline.step_code import STEPS_FOLDER
from scripts.lib.program import RegistrationError, ScriptError

ARCHIVE, EVALUATION, CARD = "model.tar.gz", "evaluation.json", "card.json"
#: Customer metadata by which a version is recognised when the same archive comes again.
ARCHIVE_KEY = "archive-sha256"
_BASELINES = (MODEL_STATISTICS, MODEL_CONSTRAINTS, DATA_STATISTICS, DATA_CONSTRAINTS)
_CSV, _JSON = ["text/csv"], "application/json"
_LONGEST_DESCRIPTION = 1024
_BY_HAND = "none: registered by hand"


@dataclass(frozen=True)
class Evaluation:
    """What evaluate.py has written of a model; empty where nobody has evaluated it."""

    document: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)  #: Name → content of those that are there.

    @property
    def missing(self) -> list[str]:
        """Name the files that the version goes without."""
        return [name for name in (EVALUATION, CARD, *_BASELINES, SAMPLE) if name not in self.files]

    @property
    def in_words(self) -> str:
        """Say how well the model does."""
        if not self.document:
            return "not evaluated"
        return f"R-squared on test rows {self.document['regression_metrics']['r2']['value']:.4f}"


def read_evaluation(path: Path) -> Evaluation:
    """Read what evaluate.py wrote: its folder, or evaluation.json in it.

    Raises:
        ScriptError: there is no evaluation.json, or it is none.
    """
    folder = path if path.is_dir() else path.parent
    main = folder / EVALUATION if path.is_dir() else path
    try:
        document = json.loads(main.read_bytes())
        float(document["regression_metrics"]["r2"]["value"])
        others = {name: folder / name for name in (CARD, *_BASELINES, SAMPLE)}
        found = {name: one.read_bytes() for name, one in others.items() if one.is_file()}
        return Evaluation(document, {EVALUATION: main.read_bytes(), **found})
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{main} is not an evaluation.json ({type(error).__name__}: {error})."
        raise ScriptError(message, "Write it with steps/evaluate.py.") from error


def refuse_another_models(evaluation: Evaluation, archive: Archive) -> None:
    """Raise ScriptError where the evaluation is of another model: no figure of a version is of another run."""
    model, found = archive.model, evaluation.document.get("model") or {}
    if evaluation.document and (found.get("profile"), found.get("provenance")) != (model.profile, model.provenance):
        whose = f"profile {found.get('profile')}, not {model.profile}"
        if found.get("profile") == model.profile:
            whose = f"training job {(found.get('provenance') or {}).get('training_job')}"
        raise ScriptError(f"{EVALUATION} is of another model ({whose}).", "Evaluate this one.")


def metadata_of(archive: Archive, sha256: str, evaluation: Evaluation, facts: Facts) -> dict[str, str]:
    """Return the customer metadata of the version: those of the pipeline's versions, as far as they are known here."""
    known, origin = evaluation.document.get("registration", {}), archive.model.provenance
    found = {
        "profile": archive.model.profile,
        SCORES_NEW_ROWS: facts.scores_new_rows,
        "data-sha256": known.get("data_sha256") or origin.get("data_sha256"),
        "declaration-sha256": facts.declaration_sha256,
        "code-sha256": origin.get("code_sha256"),
        "git-commit": facts.git_commit,
        ARCHIVE_KEY: sha256,
    }
    return {name: str(value) for name, value in found.items() if value}


def card_of(archive: Archive, evaluation: Evaluation, dataset: Dataset, facts: Facts, standard: Standard | None) -> str:
    """Return the card of the version as text, with the plots that evaluate.py made where there are any.

    Raises:
        RegistrationError: it does not meet the organisation's standard; names what is missing.
    """
    plain = package_card(archive, None, evaluation.document, dataset, facts, standard=standard)
    plain["model_overview"]["model_creator"] = f"Registered by hand in {facts.environment} of {facts.project}"
    card = _with_plots(plain, evaluation)
    try:
        if standard is not None:
            refuse_card(standard, card)
    except CardError as error:
        raise RegistrationError(str(error), "Nothing was registered. Write the fields, and run it again.") from error
    return card_text(card)


def _with_plots(card: dict[str, Any], evaluation: Evaluation) -> dict[str, Any]:
    """Return the card with the evaluations of card.json, whose plots need the test rows."""
    if CARD not in evaluation.files:
        return card
    try:
        made = json.loads(json.loads(evaluation.files[CARD])["content"])
        figures, others = _figures_of(made), _figures_of(card)
    except (ValueError, KeyError, TypeError) as error:
        message = f"{CARD} beside {EVALUATION} is no card of evaluate.py ({type(error).__name__}: {error})."
        raise ScriptError(message, "Write both with steps/evaluate.py.") from error
    if any(figures.get(name, value) != value for name, value in others.items()):
        raise ScriptError(f"{CARD} is of another run than {EVALUATION}.", "Write both with steps/evaluate.py.")
    return {**card, "evaluation_details": made["evaluation_details"]}


def _figures_of(card: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the figures of a card that evaluation.json has, too, by entry and name, of which other code has others."""
    return {
        (entry["name"], one["name"]): one["value"]
        for entry in card.get("evaluation_details", [])
        for group in entry["metric_groups"]
        for one in group["metric_data"]
        if isinstance(one["value"], (int, float))
    }


def facts_of(settings: Settings, archive: Archive, evaluation: Evaluation, image: str, model_uri: str) -> Facts:
    """Return where the version comes from, as far as that is known here.

    The commit is known where the model was trained with the code that is here, and git knows of it. Raises ModelError
    where the model does not fit the declaration any more.
    """
    dataset, origin = settings.declared, archive.model.provenance
    known = evaluation.document.get("registration", {})
    here = hashlib.sha256(declaration_file(settings.dataset).read_bytes()).hexdigest()
    same_code = origin.get("code_sha256") == bundle_of(settings).sha256
    return Facts(
        environment=settings.environment,
        project=settings.system,
        execution_arn=_BY_HAND,
        model_data_uri=model_uri,
        image_uri=image,
        git_commit=(git_commit(STEPS_FOLDER) if same_code else None) or UNKNOWN_COMMIT,
        declaration_sha256=known.get("declaration_sha256") or here,
        scores_new_rows=scores_new_rows(inputs_of(archive.model, dataset)[0], dataset),
        others={"Data file": origin.get("data_file") or "", "Data SHA-256": origin.get("data_sha256") or ""},
    )


def inference_specification(image: str, model_uri: str, instance_type: str) -> dict[str, Any]:
    """Return what serves the model, on which machines, and what it takes and answers."""
    return {
        "Containers": [{"Image": image, "ModelDataUrl": model_uri, "Environment": dict(SERVING_ENVIRONMENT)}],
        "SupportedContentTypes": _CSV,
        "SupportedResponseMIMETypes": _CSV,
        "SupportedRealtimeInferenceInstanceTypes": [instance_type],
        "SupportedTransformInstanceTypes": [instance_type],
    }


def measurements(uris: Mapping[str, str]) -> dict[str, Any]:
    """Return the metrics of the version, its drift baselines and its sample payload, of those files that there are."""
    model_quality, baseline_quality = (
        _sources(uris, Statistics=statistics, Constraints=MODEL_CONSTRAINTS)
        for statistics in (EVALUATION, MODEL_STATISTICS)
    )
    data_quality = _sources(uris, Statistics=DATA_STATISTICS, Constraints=DATA_CONSTRAINTS)
    found = {
        "ModelMetrics": _given(ModelQuality=model_quality, ModelDataQuality=data_quality),
        "DriftCheckBaselines": _given(ModelQuality=baseline_quality, ModelDataQuality=data_quality),
        "SamplePayloadUrl": uris.get(SAMPLE),
    }
    return _given(**found)


def _sources(uris: Mapping[str, str], **files: str) -> dict[str, Any]:
    return {part: {"ContentType": _JSON, "S3Uri": uris[file]} for part, file in files.items() if file in uris}


def _given(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value}


def package_request(group: str, source: str, **parts: Any) -> dict[str, Any]:
    """Return CreateModelPackage's request for a version that waits for approval."""
    return {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"Registered by hand from {source}"[:_LONGEST_DESCRIPTION],
        "ModelApprovalStatus": "PendingManualApproval",
        "Domain": "MACHINE_LEARNING",
        "Task": "REGRESSION",
        **parts,
    }
