"""Turn one raw CSV file into checked model inputs.

Below the output directory: train/train.csv, train/source.json and test/test.csv, each side with the dates of its rows
in days.csv (training only); scoring/features.csv (no header, one line a day, the model's input columns in order);
rows/rows.csv (date and actual value of the same days, in the same order); feature_store/features.csv;
quality/quality.json. Days are sorted by date.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from analysis.features.profiles import FORECAST, PROFILES, Variant, profile_named, variant_of
from analysis.reading.columns import TARGET, Purpose
from analysis.runtime.container import INPUT, OUTPUT, Arguments, existing_file, run_step
from analysis.runtime.upload import file_name, upload_report

_LIMITS = {
    "duplicate_rows": "repeated rows that are dropped, not refused",
    "duplicate_days": "further rows of a day that are dropped, not refused",
    "missing_rows": "incomplete rows that are dropped, not refused",
    "invalid_rows": "rows outside their domain or range that are dropped, not refused",
    "unequal_sums": "rows where cnt is not casual + registered",
}
"""Limits of the quality check that are arguments named --max-..., 0 unless given."""


def requested(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments."""
    parser = Arguments(__doc__)
    add = parser.add_argument
    parser.add_path("--input-dir", INPUT / "raw", "holds the raw file")
    add("--input-key", required=True, help="S3 key of the raw file; its last part is the file's name")
    etag = os.environ.get("INPUT_ETAG", "")
    add("--input-etag", default=etag, help="ETag of the upload, to notice a replaced file")
    add("--purpose", type=Purpose, choices=list(Purpose), default=Purpose.TRAINING, help="what for")
    add("--profile", choices=list(PROFILES), default=FORECAST.name, help="which columns the model gets")
    add("--first-levels", choices=["drop", "keep"], default="drop", help="the first dummy variable of each category")
    add("--measures", choices=["numbers", "bins"], default="numbers", help="how the model gets temperatures and so on")
    add("--binning", choices=["fixed", "quartiles"], default="fixed", help="edges of the bins in the quality report")
    add("--train-fraction", type=float, default=0.7, help="share of rows to train on")
    add("--random-state", type=int, default=333, help="seed of the split")
    parser.add_path("--output-dir", OUTPUT, "gets one directory for each output")
    for name, description in _LIMITS.items():
        add(f"--max-{name.replace('_', '-')}", dest=name, type=int, default=0, help=description)
    add("--minimum-training-rows", type=int, default=60, help="fewer rows are refused")
    add("--perfect-correlation", type=float, default=1.0 - 1e-12, help="correlation of inputs that repeat each other")
    add("--constant-share", type=float, default=1.0, help="share of one value from which an input is constant")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Run the step."""
    request = requested(arguments)
    # Imported here so that --help and a wrong call are answered at once.
    from analysis.features.prepared import Preparation, write_prepared
    from analysis.features.transform import Binning
    from analysis.reading.quality import QualityLimits, check_days
    from analysis.reading.table import read_table

    variant = Variant(request.first_levels == "keep", request.measures == "bins")
    profile = variant_of(profile_named(request.profile), variant)
    limits = QualityLimits(
        **{name: getattr(request, name) for name in _LIMITS},
        minimum_training_rows=request.minimum_training_rows,
        correlation=request.perfect_correlation,
        constant_share=request.constant_share,
    )
    training = request.purpose is Purpose.TRAINING
    required = (*profile.counts, *((TARGET,) if training else ()))
    # Of exactly that key's name: an S3 prefix input also brings files whose names merely begin with it.
    name = file_name(request.input_key)
    path = existing_file(request.input_dir / name, f"The input file of key {request.input_key!r}")
    table = read_table(path, name=request.input_key)
    checked = check_days(table, request.purpose, required, limits, removes_columns=training and profile.selects)
    upload = checked.report["upload"] = upload_report(path.read_bytes(), request.input_etag)
    if upload["same"] is False:
        print(
            f"preprocess: warning: the file's MD5 is {upload['md5']}, the upload's ETag {upload['etag']}: the file was "
            "replaced since, or is encrypted with KMS.",
            file=sys.stderr,
        )
    split = (request.train_fraction, request.random_state)
    preparation = Preparation(request.purpose, profile, variant, *split, Binning(request.binning))
    write_prepared(checked, preparation, request.output_dir)
    form = checked.report["form"]
    print(f"preprocess: {len(checked.days)} of {len(table.cells)} rows, profile {profile.name}, form {form}")


if __name__ == "__main__":
    run_step(main)
