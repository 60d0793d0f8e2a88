"""Predict rows from an exported model and compare the predictions with the actual values that the file already has.

The export (.pickle or .joblib) is loaded only when its SHA-256 file is beside it and matches, and when its pickle is
plain data. The data is a raw CSV in any declared form; it is checked and prepared by the code of the pipeline's
preprocessing step. The predictions go to a CSV that opens safely in a spreadsheet, one line a row.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import read_dataset
from analysis.model.artefact import LinearModel
from analysis.runtime.names import LINE, RECORD
from analysis.runtime.upload import stem_of
from pipeline.datasets.shipped import dataset_names, declared
from scripts.lib.exports.comparison import predictions_table, prepare, summary
from scripts.lib.exports.files import checksum_file, read_export
from scripts.lib.program import ScriptError, existing_file, program_parser, run_program, write_whole

EXAMPLES = """\
examples:
  python scripts/predict_from_export.py exports/model.pickle day.csv
  python scripts/predict_from_export.py exports/model.joblib next-week.csv --output next-week-predicted.csv
  python scripts/predict_from_export.py exports/model.joblib day.csv --summary summary.json

exit codes: 0 written, 2 wrong call, 10 export refused, 1 the data or another file can't be used (the message names it)
"""


def described(result: dict[str, Any], dataset: Dataset) -> str:
    """Write the summary as lines for people."""
    words = dataset.words
    counted = words.row.one if result["rows"] == 1 else words.row.many
    lines = [f"{result['rows']} {counted} predicted, {result['compared']} of them compared with the actual value"]
    if not result["compared"]:
        return "\n".join([*lines, f"The file has no values of {dataset.target}, so there is nothing to compare with."])

    def number(name: str, unit: str, digits: int = 1) -> str:
        value = result[name]
        return f"undefined for these {words.row.many}" if value is None else f"{value:,.{digits}f}{unit}"

    result = {**result, "coverage": 100.0 * result["coverage"]}
    worst = result["largest_error"]
    table = {
        "RMSE": number("rmse", f" {words.unit.many}"),
        "MAE": number("mae", f" {words.unit.many}"),
        "Mean error (actual - prediction)": number("mean_error", f" {words.unit.many}"),
        "MAPE": number("mape", " %"),
        "R-squared": number("r2", "", 4),
        f"Within the {100 * result['interval_level']:g} % interval": number("coverage", f" % of the {words.row.many}"),
        "Largest error": f"{worst['error']:+,.1f} for {_named(worst)} (actual {worst['actual']:,g})",
    }
    lines += [f"  {name:<34}{value}" for name, value in table.items()]
    if result["trained_on_this_file"]:
        lines.append(
            f"Note: the model was trained on part of this very file, so new {words.row.many} will not fit as well."
        )
    return "\n".join(lines)


def _named(worst: dict[str, Any]) -> str:
    """Name a row in a few words: the identifier of one that has no key is for machines."""
    hidden = {"actual", "error"} | ({RECORD} if LINE in worst else set())
    return ", ".join(f"{name} {value}" for name, value in worst.items() if name not in hidden)


def dataset_of(model: LinearModel, declaration: Path | None) -> Dataset:
    """Return the declaration: the one given, or of those that come with the project the one that the model names."""
    if declaration is not None:
        return read_dataset(existing_file(declaration, "The declaration"))
    named = model.provenance.get("dataset")
    for name in dataset_names():
        if declared(name).name == named:
            return declared(name)
    raise ScriptError(f"The model is of the data set {named!r}, which is not declared here.", "Give --dataset FILE.")


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES)
    parser.add_argument("export", type=Path, help=".pickle or .joblib file, with its .sha256 beside it")
    parser.add_argument("data", type=Path, help="raw CSV; target and its parts may be absent")
    parser.add_argument("--output", type=Path, help="CSV for the predictions (default: <data>-predictions.csv, here)")
    parser.add_argument("--summary", type=Path, help="JSON file that gets the summary (default: printed only)")
    parser.add_argument("--dataset", type=Path, help="declaration of the data set (default: that of the model)")
    request = parser.parse_args(arguments)
    export: Path = request.export
    data = existing_file(request.data, "The data file")
    output: Path = request.output or Path(f"{stem_of(data.name)}-predictions.csv")
    outputs = [path for path in (output, request.summary) if path is not None]
    read = (export, checksum_file(export), data, *([request.dataset] if request.dataset else []))
    sources = {path.resolve() for path in read}
    overwritten = [path for path in outputs if path.resolve() in sources]
    if overwritten or len({path.resolve() for path in outputs}) < len(outputs):
        raise ScriptError(f"{(overwritten or outputs)[0]} would be overwritten.", "Choose another output.")

    model = read_export(export)
    dataset = dataset_of(model, request.dataset)
    prepared = prepare(data, model, dataset)
    table = predictions_table(model, prepared, export.name, data.name)
    result = summary(model, prepared)
    write_whole(output, table.to_csv(index=False, lineterminator="\n").encode("utf-8"))
    if request.summary is not None:
        write_whole(request.summary, (json.dumps(result, indent=2, allow_nan=False) + "\n").encode("utf-8"))
    print(described(result, dataset))
    print(f"Predictions: {output}")


if __name__ == "__main__":
    run_program(main)
