"""Turn one raw CSV file into checked model inputs.

Below the output directory: train/train.csv, train/source.json and test/test.csv, each side with the dates of its rows
in days.csv (training only); scoring/features.csv (no header, one line a day, the model's input columns in order);
rows/rows.csv (date and actual value of the same days, in the same order); feature_store/features.csv;
quality/quality.json. Days are sorted by date.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from analysis.features.profiles import FORECAST, PROFILES, Variant, profile_named, variant_of
from analysis.reading.columns import TARGET
from analysis.reading.limits import add_limits, limits_of
from analysis.reading.purpose import Purpose
from analysis.runtime.container import INPUT, OUTPUT, Arguments, existing_file, run_step
from analysis.runtime.upload import CLAIM_FILE, INPUT_FILE, read_claim


def requested(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments."""
    parser = Arguments(__doc__)
    add = parser.add_argument
    parser.add_path("--input-file", INPUT / "raw" / INPUT_FILE, "the raw file")
    parser.add_path("--claim-dir", INPUT / "claim", "may hold claim.json, which says what the file is called")
    add("--purpose", type=Purpose, choices=list(Purpose), default=Purpose.TRAINING, help="what for")
    add("--profile", choices=list(PROFILES), default=FORECAST.name, help="which columns the model gets")
    add("--first-levels", choices=["drop", "keep"], default="drop", help="the first dummy variable of each category")
    add("--measures", choices=["numbers", "bins"], default="numbers", help="how the model gets temperatures and so on")
    add("--binning", choices=["fixed", "quartiles"], default="fixed", help="edges of the bins in the quality report")
    add("--train-fraction", type=float, default=0.7, help="share of rows to train on")
    add("--random-state", type=int, default=333, help="seed of the split")
    parser.add_path("--output-dir", OUTPUT, "gets one directory for each output")
    add_limits(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    request = requested(arguments)
    # Imported here so that --help and a wrong call are answered at once.
    from analysis.features.prepared import write_prepared
    from analysis.reading.quality import check_days
    from analysis.reading.table import read_table

    variant = Variant(request.first_levels == "keep", request.measures == "bins")
    profile = variant_of(profile_named(request.profile), variant)
    training = request.purpose is Purpose.TRAINING
    required = (*profile.counts, *((TARGET,) if training else ()))
    path = existing_file(request.input_file, "The input file")
    name = read_claim(request.claim_dir).key if (request.claim_dir / CLAIM_FILE).is_file() else path.name
    table, limits = read_table(path, name=name), limits_of(request)
    checked = check_days(table, request.purpose, required, limits, removes_columns=training and profile.selects)
    write_prepared(checked, request, profile, variant)
    form = checked.report["form"]
    print(f"preprocess: {len(checked.days)} of {len(table.cells)} rows, profile {profile.name}, form {form}")


if __name__ == "__main__":
    run_step(main)
