"""Evaluate the trained model on rows that it has not seen; write evaluation.json and report.html.

`regression_metrics` has the shape of SageMaker's model-quality statistics (value and standard deviation, the latter
over seeded bootstrap resamples of the test rows); `validation` sets figures of days to come beside the random split's,
for which the model is refitted on what was known before them; analysis/evaluation/measure.py describes the other
blocks. The report is one file that opens from disk. With --model-package-group-name, the newest approved model of that
group is measured on the same rows; where there is none, or it can't be read, the report says so and the step goes on.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from analysis.dataset.reading import read_dataset
from analysis.runtime.container import INPUT, OUTPUT, Arguments, existing_file, run_step
from analysis.runtime.errors import SettingsError

FIGURES = ("random", "chronological", "rolling")
"""What the gate can read the R-squared of; see analysis/evaluation/validation.py."""


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
    parser.add_path("--train-dir", INPUT / "train", "holds train.csv and labels.csv")
    parser.add_path("--test-dir", INPUT / "test", "holds test.csv and labels.csv")
    parser.add_path("--scoring-dir", INPUT / "scoring", "holds features.csv")
    parser.add_path("--rows-dir", INPUT / "rows", "holds rows.csv")
    parser.add_path("--quality-dir", INPUT / "quality", "holds quality.json")
    group_help = "compare with its newest approved model; empty means no comparison"
    parser.add_argument("--model-package-group-name", default="", help=group_help)
    leakage_help = "adjusted R-squared that is leakage"
    parser.add_argument("--leakage-threshold", type=float, default=0.999, help=leakage_help)
    gate_help = "whose R-squared the quality gate reads; it has to exist"
    parser.add_argument("--gate-figure", choices=list(FIGURES), default=FIGURES[0], help=gate_help)
    parser.add_path("--output-dir", OUTPUT / "evaluation", "gets both files")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    request = requested(arguments)
    # Imported here so that --help and a wrong call are answered at once.
    from threadpoolctl import threadpool_limits

    from analysis.evaluation.measure import evaluation
    from analysis.evaluation.previous import previous_model
    from analysis.evaluation.rows import labelled_rows, timed_table
    from analysis.evaluation.validation import registered_figure, validation
    from analysis.model.archive import read_archive
    from analysis.model.inputs import inputs_of
    from analysis.model.published import published_comparison, side_by_side
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
    registered = registered_figure(archive.model, test.inputs, test.actual, train.actual.size)
    # The matrices of a refit are small, and on a busy machine threads only wait for each other.
    with threadpool_limits(limits=1):
        validated = validation(registered, table, procedure, archive.model.interval_level)
    if validated[request.gate_figure]["r2"] is None:
        raise SettingsError(
            f"The quality gate is to read the R-squared of the {request.gate_figure} figure, and there is none: "
            f"{validated[request.gate_figure]['reason']} Set quality.gate_figure to {FIGURES[0]}, or upload more rows."
        )
    previous = previous_model(request.model_package_group_name)
    sides = (train, test)
    result = evaluation(archive.model, sides, quality, (request.leakage_threshold, profile.known_leakage), previous)
    result |= {"validation": validated, "published": published_comparison(dataset, archive, source, validated)}
    write_json(result, request.output_dir / "evaluation.json")
    report = report_html(archive, sides, quality, result, dataset)
    (request.output_dir / "report.html").write_text(report, encoding="utf-8")
    if result["published"] is not None:
        print(side_by_side(result["published"]))
    leakage = result["leakage"]
    for name in ("r2", "rmse", "mae"):
        print(f"test:{name}={result['test'][name]};")
    for figure in FIGURES:
        print(f"evaluate: {figure}: {in_words(validated[figure])}")
    print(
        f"evaluate: leakage {leakage['verdict']} {leakage['columns']}, "
        f"previous model: {result['previous_model']['status']} {result['previous_model']['reason']}".rstrip()
    )


if __name__ == "__main__":
    run_step(main)
