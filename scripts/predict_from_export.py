"""Predict days from an exported model and compare the predictions with the counts that the file already has.

The export (.pickle or .joblib) is loaded only when its SHA-256 file is beside it and matches, and when its pickle is
plain data. The data is a raw CSV in either published form; it is checked and prepared by the code of the pipeline's
preprocessing step. The predictions go to a CSV that opens safely in a spreadsheet, one line a day.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

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


def described(result: dict[str, Any]) -> str:
    """Write the summary as lines for people."""
    lines = [f"{result['days']} days predicted, {result['compared']} of them compared with their actual value"]
    if not result["compared"]:
        return "\n".join([*lines, "The file has no counts (column cnt), so there is nothing to compare with."])

    def number(name: str, unit: str, digits: int = 1) -> str:
        value = result[name]
        return "undefined for these days" if value is None else f"{value:,.{digits}f}{unit}"

    worst = result["largest_error"]
    table = {
        "RMSE": number("rmse", " rentals a day"),
        "MAE": number("mae", " rentals a day"),
        "Mean error (actual - prediction)": number("mean_error", " rentals a day"),
        "MAPE": number("mape", " %"),
        "R-squared": number("r2", "", 4),
        f"Within the {100 * result['interval_level']:g} % interval": f"{100 * result['coverage']:.1f} % of the days",
        "Largest error": f"{worst['error']:+,.1f} on {worst['date']} (actual {worst['actual']:,.0f})",
    }
    lines += [f"  {name:<34}{value}" for name, value in table.items()]
    if result["trained_on_this_file"]:
        lines.append("Note: the model was trained on part of this very file, so new days will not fit as well.")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES)
    parser.add_argument("export", type=Path, help=".pickle or .joblib file, with its .sha256 beside it")
    parser.add_argument("data", type=Path, help="raw CSV of days; the columns cnt, casual, registered may be absent")
    parser.add_argument("--output", type=Path, help="CSV for the predictions (default: <data>-predictions.csv, here)")
    parser.add_argument("--summary", type=Path, help="JSON file that gets the summary (default: printed only)")
    request = parser.parse_args(arguments)
    export: Path = request.export
    data = existing_file(request.data, "The data file")
    output: Path = request.output or Path(f"{data.stem}-predictions.csv")
    outputs = [path for path in (output, request.summary) if path is not None]
    sources = {path.resolve() for path in (export, checksum_file(export), data)}
    overwritten = [path for path in outputs if path.resolve() in sources]
    if overwritten or len({path.resolve() for path in outputs}) < len(outputs):
        raise ScriptError(f"{(overwritten or outputs)[0]} would be overwritten.", "Choose another output.")

    model = read_export(export)
    prepared = prepare(data, model)
    table = predictions_table(model, prepared, export.name, data.name)
    write_whole(output, table.to_csv(index=False, lineterminator="\n").encode("utf-8"))
    result = summary(model, prepared)
    if request.summary is not None:
        write_whole(request.summary, (json.dumps(result, indent=2, allow_nan=False) + "\n").encode("utf-8"))
    print(described(result))
    print(f"Predictions: {output}")


if __name__ == "__main__":
    run_program(main)
