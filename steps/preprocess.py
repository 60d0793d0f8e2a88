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
from pathlib import Path, PurePosixPath

from analysis.features.profiles import FORECAST, PROFILES, Variant, profile_named, variant_of
from analysis.reading.columns import TARGET, Purpose
from analysis.runtime.container import PROCESSING, PROCESSING_MESSAGE, Arguments, existing_file, run_step
from analysis.runtime.errors import SettingsError

_LIMITS = {
    "duplicate_rows": "repeated rows that are dropped, not refused",
    "duplicate_days": "further rows of a day that are dropped, not refused",
    "missing_rows": "incomplete rows that are dropped, not refused",
    "invalid_rows": "rows outside their domain or range that are dropped, not refused",
    "unequal_sums": "rows where cnt is not casual + registered",
}
"""Limits of the quality check that are arguments named --max-..., 0 unless given."""


def raw_file(input_dir: Path, input_key: str) -> Path:
    """The file of exactly that key's name: an S3 prefix input also brings files whose names merely begin with it."""
    name = PurePosixPath(input_key).name
    if not name:
        raise SettingsError(f"--input-key {input_key!r} names no file.")
    return existing_file(input_dir / name, f"The input file of key {input_key!r}")


def requested(arguments: Sequence[str]) -> Namespace:
    """The parsed arguments."""
    parser = Arguments(__doc__, PROCESSING_MESSAGE)
    parser.add_argument("--input-dir", type=Path, default=PROCESSING / "input" / "raw", help="holds the raw file")
    parser.add_argument("--input-key", required=True, help="S3 key of the raw file; its last part is the file's name")
    parser.add_argument(
        "--input-etag", default=os.environ.get("INPUT_ETAG", ""), help="ETag of the upload, to notice a replaced file"
    )
    parser.add_argument("--purpose", type=Purpose, choices=list(Purpose), default=Purpose.TRAINING, help="what for")
    parser.add_argument("--profile", choices=list(PROFILES), default=FORECAST.name, help="which columns the model gets")
    parser.add_argument(
        "--first-levels", choices=["drop", "keep"], default="drop", help="the first dummy variable of each category"
    )
    parser.add_argument(
        "--measures", choices=["numbers", "bins"], default="numbers", help="how the model gets temperatures and so on"
    )
    parser.add_argument(
        "--binning", choices=["fixed", "quartiles"], default="fixed", help="edges of the bins in the quality report"
    )
    parser.add_argument("--train-fraction", type=float, default=0.7, help="share of rows to train on")
    parser.add_argument("--random-state", type=int, default=333, help="seed of the split")
    parser.add_argument("--output-dir", type=Path, default=PROCESSING / "output", help="gets one directory an output")
    for name, help_text in _LIMITS.items():
        parser.add_argument(f"--max-{name.replace('_', '-')}", dest=name, type=int, default=0, help=help_text)
    parser.add_argument("--minimum-training-rows", type=int, default=60, help="fewer rows are refused")
    parser.add_argument(
        "--perfect-correlation", type=float, default=1.0 - 1e-12, help="correlation of inputs that repeat each other"
    )
    parser.add_argument(
        "--constant-share", type=float, default=1.0, help="share of one value from which an input is constant"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    request = requested(arguments)
    # Imported here so that --help and a wrong call are answered at once.
    from analysis.features.binning import Binning
    from analysis.features.prepared import Preparation, write_prepared
    from analysis.reading.quality import QualityLimits, check_days
    from analysis.reading.table import read_table
    from analysis.runtime.upload import upload_report

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
    path = raw_file(request.input_dir, request.input_key)
    table = read_table(path, name=request.input_key)
    checked = check_days(table, request.purpose, required, limits, removes_columns=training and profile.selects)
    upload = checked.report["upload"] = upload_report(path.read_bytes(), request.input_etag)
    if upload["same"] is False:
        print(
            f"preprocess: warning: the file's MD5 is {upload['md5']}, the upload's ETag {upload['etag']}: the file was "
            "replaced since, or is encrypted with KMS.",
            file=sys.stderr,
        )
    wanted = Preparation(
        purpose=request.purpose,
        profile=profile,
        variant=variant,
        train_fraction=request.train_fraction,
        random_state=request.random_state,
        binning=Binning(request.binning),
    )
    write_prepared(checked, wanted, request.output_dir)
    form = checked.report["form"]
    print(f"preprocess: {len(checked.days)} of {len(table.cells)} rows, profile {profile.name}, form {form}")


if __name__ == "__main__":
    run_step(main, PROCESSING_MESSAGE)
