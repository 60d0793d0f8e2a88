"""Evaluate the trained model on rows that it has not seen; write evaluation.json and report.html.

`regression_metrics` has the shape of SageMaker's model-quality statistics (value and standard deviation, the latter
over seeded bootstrap resamples of the test rows); analysis/evaluation/measure.py describes the other blocks. The report
is one file that opens from disk. With --model-package-group-name, the newest approved model of that group is measured
on the same rows; where there is none, or it can't be read, the report says so and the step goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.features.profiles import NEAR_EXACT
from analysis.runtime.container import INPUT, OUTPUT, Arguments, existing_file, run_step


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    parser = Arguments(__doc__)
    parser.add_path("--model-dir", INPUT / "model", "holds model.tar.gz")
    parser.add_path("--train-dir", INPUT / "train", "holds train.csv and days.csv")
    parser.add_path("--test-dir", INPUT / "test", "holds test.csv and days.csv")
    parser.add_path("--quality-dir", INPUT / "quality", "holds quality.json")
    group_help = "compare with its newest approved model; empty means no comparison"
    parser.add_argument("--model-package-group-name", default="", help=group_help)
    leakage_help = "adjusted R-squared that is leakage"
    parser.add_argument("--leakage-threshold", type=float, default=NEAR_EXACT, help=leakage_help)
    parser.add_path("--output-dir", OUTPUT / "evaluation", "gets both files")
    request = parser.parse_args(arguments)
    # Imported here so that --help and a wrong call are answered at once.
    from analysis.evaluation.measure import evaluation
    from analysis.evaluation.previous import previous_model
    from analysis.evaluation.rows import labelled_rows
    from analysis.model.artefact import read_archive
    from analysis.report.page import report_html
    from analysis.runtime.files import read_json, write_json

    archive = read_archive(existing_file(request.model_dir / "model.tar.gz", "The model archive"))
    sides = (
        labelled_rows(request.train_dir, "train", archive.model),
        labelled_rows(request.test_dir, "test", archive.model),
    )
    quality = read_json(existing_file(request.quality_dir / "quality.json", "The quality report"))
    previous = previous_model(request.model_package_group_name)
    result = evaluation(archive.model, sides, quality, request.leakage_threshold, previous)
    write_json(result, request.output_dir / "evaluation.json")
    report = report_html(archive, sides, quality, result)
    (request.output_dir / "report.html").write_text(report, encoding="utf-8")
    on_test, leakage = result["test"], result["leakage"]
    for name in ("r2", "rmse", "mae"):
        print(f"test:{name}={on_test[name]};")
    print(
        f"evaluate: leakage {leakage['verdict']} {leakage['columns']}, coverage {result['intervals']['coverage']:.3f}, "
        f"previous model: {result['previous_model']['status']} {result['previous_model']['reason']}".rstrip()
    )


if __name__ == "__main__":
    run_step(main)
