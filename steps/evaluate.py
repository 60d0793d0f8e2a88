"""Evaluate the trained model on rows that it has not seen; write evaluation.json, report.html and card.json.

`regression_metrics` has the shape of SageMaker's model-quality statistics (value and standard deviation, the latter
over seeded bootstrap resamples of the test rows); `validation` sets figures of days to come beside the random split's,
for which the model is refitted on what was known before them; analysis/evaluation/measure.py describes the other
blocks. The report is one file that opens from disk. With --model-package-group-name, the model of that group that is
in use is measured on the same rows, and the whole file compared with its training rows (`drift`); where there is none,
or it can't be read, the report says so and the step goes on. card.json has the model card of the version as one text
(`content`); where an organisation's standard is beside the scripts, a card that does not meet it fails the step. For
the registry there are drift baselines in the files of SageMaker Model Monitor, too, and a sample payload.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.card.standard import STANDARD_FILE
from analysis.dataset.reading import read_dataset
from analysis.runtime.container import INPUT, OUTPUT, Arguments, existing_file, run_step
from analysis.runtime.errors import SettingsError

if TYPE_CHECKING:
    from analysis.dataset.declaration import Dataset
    from analysis.evaluation.rows import LabelledRows
    from analysis.model.archive import Archive

FIGURES = ("random", "chronological", "rolling")
"""What the gate can read the R-squared of; see analysis/evaluation/validation.py."""
RUN_FACTS = (
    *("environment", "project", "execution-arn", "training-job-arn"),
    *("model-data-uri", "image-uri", "git-commit"),
)
"""What only the pipeline knows about a run."""


def in_words(figure: dict[str, Any]) -> str:
    """Return a figure of `validation` in a line."""
    if figure["r2"] is None:
        return str(figure["reason"])
    shares = [f"{name} {found['coverage']:.3f}" for name, found in figure["intervals"].items()]
    return f"R-squared {figure['r2']:.4f} on {figure['rows']} rows, inside the interval: {', '.join(shares)}"


def requested(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments."""
    parser = Arguments(__doc__)
    parser.add_dataset()
    parser.add_path("--model-dir", INPUT / "model", "holds model.tar.gz")
    parser.add_path("--train-dir", INPUT / "train", "holds train.parquet and labels.parquet")
    parser.add_path("--test-dir", INPUT / "test", "holds test.parquet and labels.parquet")
    parser.add_path("--scoring-dir", INPUT / "scoring", "holds features.csv")
    parser.add_path("--rows-dir", INPUT / "rows", "holds rows.csv")
    parser.add_path("--quality-dir", INPUT / "quality", "holds quality.json")
    group_help = "compare with its model in use; empty means no comparison"
    parser.add_argument("--model-package-group-name", default="", help=group_help)
    leakage_help = "adjusted R-squared that is leakage"
    parser.add_argument("--leakage-threshold", type=float, default=0.999, help=leakage_help)
    gate_help = "whose R-squared the quality gate reads; it has to exist"
    parser.add_argument("--gate-figure", choices=list(FIGURES), default=FIGURES[0], help=gate_help)
    drift_help = "population stability index above which a feature has drifted"
    parser.add_argument("--drift-threshold", type=float, default=0.25, help=drift_help)
    standard_help = (
        f"the organisation's standard for model cards; by default {STANDARD_FILE} beside this script, if any"
    )
    parser.add_argument("--card-standard", type=Path, help=standard_help)
    for name in RUN_FACTS:
        parser.add_argument(f"--{name}", default="", help="of this run, for the model card")
    parser.add_path("--output-dir", OUTPUT / "evaluation", "gets all files")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    request = requested(arguments)
    # Imported here so that --help and a wrong call are answered at once.

    from analysis.card.registration import registration
    from analysis.evaluation.measure import evaluation, past_block
    from analysis.evaluation.monitoring import SAMPLE, monitoring_files, sample_payload
    from analysis.evaluation.previous import drift_since, previous_model
    from analysis.evaluation.rows import all_inputs, labelled_rows, timed_table
    from analysis.evaluation.validation import registered_figure, validation
    from analysis.model.archive import read_archive
    from analysis.model.inputs import inputs_of
    from analysis.model.published import published_comparison
    from analysis.model.selection import procedure_of
    from analysis.report.page import report_html
    from analysis.runtime.files import read_json, write_json

    dataset = read_dataset(existing_file(request.dataset, "The declaration of the data set"))
    archive = read_archive(existing_file(request.model_dir / "model.tar.gz", "The model archive"))
    train = labelled_rows(request.train_dir, "train", archive.model, dataset)
    test = labelled_rows(request.test_dir, "test", archive.model, dataset)
    table = timed_table(request.scoring_dir, request.rows_dir, archive.model, dataset)
    quality = read_json(existing_file(request.quality_dir / "quality.json", "The quality report"))
    source = read_json(existing_file(request.train_dir / "source.json", "The description of the training rows"))
    profile = inputs_of(archive.model, dataset)[0]
    procedure = procedure_of(profile, len(archive.model.selected), source.get("removed_columns"))
    registered = registered_figure(archive.model, test.inputs, test.actual, train.actual.size, test.gaps)
    validated = validation(registered, table, procedure, archive.model.interval_level)
    if validated[request.gate_figure]["r2"] is None:
        raise SettingsError(
            f"The quality gate is to read the R-squared of the {request.gate_figure} figure, and there is none: "
            f"{validated[request.gate_figure]['reason']} Set quality.gate_figure to {FIGURES[0]}, or upload more rows."
        )
    previous = previous_model(request.model_package_group_name)
    sides = (train, test)
    result = evaluation(
        archive.model, sides, quality, (request.leakage_threshold, profile.known_leakage), previous, dataset=dataset
    )
    result |= {"validation": validated, "published": published_comparison(dataset, archive, source, validated)}
    if archive.model.has_past:
        result["past"] = past_block(archive.model, dataset, profile)
    rows = all_inputs(request.scoring_dir, table, archive.model)
    result["drift"] = drift_since(previous, archive.model, rows, quality, request.drift_threshold)
    result["registration"] = registration(profile, dataset, request.dataset, quality.get("sha256"))
    write_card(request, archive, test, result, dataset)
    # For the page beside the predictions, which is made where there is no declaration.
    result["words"] = quality.get("words")
    write_json(result, request.output_dir / "evaluation.json")
    for name, document in monitoring_files(archive.model, train, result).items():
        write_json(document, request.output_dir / name)
    (request.output_dir / SAMPLE).write_bytes(sample_payload(archive.model, test))
    report = report_html(archive, sides, quality, result, dataset)
    (request.output_dir / "report.html").write_text(report, encoding="utf-8")
    log(result)


def log(result: dict[str, Any]) -> None:
    """Print what a reader of the log looks for; metric definitions of the pipeline read it, too."""
    from analysis.evaluation.previous import challenge_in_words
    from analysis.model.published import side_by_side
    from analysis.runtime import drift

    if result["published"] is not None:
        print(side_by_side(result["published"]))
    leakage = result["leakage"]
    for name in ("r2", "rmse", "mae"):
        print(f"test:{name}={result['test'][name]};")
    for figure in FIGURES:
        print(f"evaluate: {figure}: {in_words(result['validation'][figure])}")
    print(f"evaluate: drift since the model in use: {drift.in_words(result['drift'])}")
    print(
        f"evaluate: leakage {leakage['verdict']} {leakage['columns']}, "
        f"model in use: {challenge_in_words(result['previous_model'])}"
    )


def write_card(
    request: Namespace, archive: Archive, test: LabelledRows, result: dict[str, Any], dataset: Dataset
) -> None:
    """Write card.json; raise CardError, before anything is written, where it does not meet the standard."""
    from analysis.card.build import Facts, package_card
    from analysis.card.standard import read_standard, refuse_card
    from analysis.card.texts import card_text
    from analysis.runtime.files import write_json

    options = {name.replace("-", "_") for name in RUN_FACTS}
    known = {name: getattr(request, name) for name in options} | {
        name: result["registration"][name] for name in ("declaration_sha256", "scores_new_rows")
    }
    beside = Path(sys.argv[0]).resolve().parent / STANDARD_FILE
    path = request.card_standard or (beside if beside.is_file() else None)
    standard = None if path is None else read_standard(path)
    card = package_card(archive, test, result, dataset, Facts(**known), standard=standard)
    if standard is not None:
        refuse_card(standard, card)
    write_json({"content": card_text(card)}, request.output_dir / "card.json")


if __name__ == "__main__":
    from analysis.runtime.tables import leave_pandas_out

    leave_pandas_out()
    run_step(main)
