"""Turn one raw CSV file into checked model inputs.

Below the output directory: train/train.csv, train/source.json and test/test.csv (training only); scoring/features.csv
(no header, one line a day, the model's input columns in order); rows/rows.csv (date and actual value of the same
days, in the same order); feature_store/features.csv; quality/quality.json. Days are sorted by date.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from analysis.columns import DATE, TARGET, Purpose
from analysis.container import PROCESSING, PROCESSING_MESSAGE, Arguments, existing_file, made_directory, run_step
from analysis.errors import SettingsError
from analysis.features import FORECAST, PROFILES, Profile, model_columns, profile_named, stored_features
from analysis.frames import write_frame, write_json
from analysis.quality import CheckedDays, QualityLimits, check_days
from analysis.table import read_table


def raw_file(input_dir: Path, input_key: str) -> Path:
    """The file of exactly that key's name: an S3 prefix input also brings files whose names merely begin with it."""
    name = PurePosixPath(input_key).name
    if not name:
        raise SettingsError(f"--input-key {input_key!r} names no file.")
    return existing_file(input_dir / name, f"The input file of key {input_key!r}")


def split_rows(count: int, train_fraction: float, random_state: int) -> tuple[list[int], list[int]]:
    """Positions of training and test rows: scikit-learn's seeded split, so that published figures are reproduced."""
    # Imported here because a scoring run never splits, and it takes longer to import than all the rest.
    from sklearn.model_selection import train_test_split

    if not 0.0 < train_fraction < 1.0:
        raise SettingsError(f"--train-fraction {train_fraction} is not between 0 and 1.")
    # 1 - 0.7 is a little more than 0.3, and scikit-learn rounds the number of test rows up.
    test_fraction = round(1.0 - train_fraction, 12)
    train, test = train_test_split(
        np.arange(count), train_size=train_fraction, test_size=test_fraction, random_state=random_state
    )
    return [int(row) for row in train], [int(row) for row in test]


def write_outputs(checked: CheckedDays, profile: Profile, request: Namespace) -> None:
    """Write every output of the step; the directories all exist afterwards, whatever the purpose."""
    output: Path = request.output_dir
    for name in ("train", "test", "scoring", "rows", "feature_store", "quality"):
        made_directory(output / name)
    days = checked.days
    inputs = model_columns(days, profile)
    if request.purpose is Purpose.TRAINING:
        train, test = split_rows(len(days), request.train_fraction, request.random_state)
        labelled = inputs.assign(**{TARGET: days[TARGET]})
        write_frame(labelled.iloc[train], output / "train" / "train.csv")
        write_frame(labelled.iloc[test], output / "test" / "test.csv")
        source = {
            "file": checked.report["file"],
            "sha256": checked.report["sha256"],
            "profile": profile.name,
            "random_state": request.random_state,
            "train_fraction": request.train_fraction,
            "rows": {"all": len(days), "train": len(train), "test": len(test)},
        }
        write_json(source, output / "train" / "source.json")
        checked.report["split"] = source["rows"]
    write_frame(inputs, output / "scoring" / "features.csv", header=False)
    actual = days[TARGET] if TARGET in days.columns else pd.Series(pd.NA, index=days.index, dtype="Int64")
    rows = pd.DataFrame({"date": days[DATE].dt.strftime("%Y-%m-%d"), "actual": actual})
    write_frame(rows, output / "rows" / "rows.csv")
    write_frame(stored_features(days), output / "feature_store" / "features.csv")
    write_json(checked.report, output / "quality" / "quality.json")


def main(arguments: Sequence[str]) -> None:
    limits = QualityLimits()
    parser = Arguments(__doc__, PROCESSING_MESSAGE)
    parser.add_argument("--input-dir", type=Path, default=PROCESSING / "input" / "raw", help="holds the raw file")
    parser.add_argument("--input-key", required=True, help="S3 key of the raw file; its last part is the file's name")
    parser.add_argument("--purpose", type=Purpose, choices=list(Purpose), default=Purpose.TRAINING, help="what for")
    parser.add_argument("--profile", choices=list(PROFILES), default=FORECAST.name, help="which columns the model gets")
    parser.add_argument("--train-fraction", type=float, default=0.7, help="share of rows to train on")
    parser.add_argument("--random-state", type=int, default=333, help="seed of the split")
    parser.add_argument("--output-dir", type=Path, default=PROCESSING / "output", help="gets one directory an output")
    parser.add_argument(
        "--max-duplicate-rows",
        type=int,
        default=limits.duplicate_rows,
        help="repeated rows that are dropped, not refused",
    )
    parser.add_argument(
        "--max-missing-rows",
        type=int,
        default=limits.missing_rows,
        help="incomplete rows that are dropped, not refused",
    )
    parser.add_argument(
        "--max-unequal-sums", type=int, default=limits.unequal_sums, help="rows where cnt is not casual + registered"
    )
    parser.add_argument(
        "--minimum-training-rows", type=int, default=limits.minimum_training_rows, help="fewer rows are refused"
    )
    request = parser.parse_args(arguments)
    limits = QualityLimits(
        duplicate_rows=request.max_duplicate_rows,
        missing_rows=request.max_missing_rows,
        unequal_sums=request.max_unequal_sums,
        minimum_training_rows=request.minimum_training_rows,
    )
    profile = profile_named(request.profile)
    needs_target = request.purpose is Purpose.TRAINING
    required = (*profile.counts, *((TARGET,) if needs_target else ()))
    path = raw_file(request.input_dir, request.input_key)
    table = read_table(path, name=request.input_key)
    checked = check_days(table, request.purpose, required, limits)
    write_outputs(checked, profile, request)
    form = checked.report["form"]
    print(f"preprocess: {len(checked.days)} of {len(table.cells)} rows, profile {profile.name}, form {form}")


if __name__ == "__main__":
    run_step(main, PROCESSING_MESSAGE)
