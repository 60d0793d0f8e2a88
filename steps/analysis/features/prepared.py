"""The files that preprocess.py leaves for the later steps, and the split into training and test rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.features import transform
from analysis.features.profiles import Profile, Variant
from analysis.reading.columns import BINS, TARGET, Purpose
from analysis.reading.quality import CheckedDays
from analysis.reading.redundancy import REMOVED
from analysis.runtime.container import made_directory
from analysis.runtime.errors import SettingsError
from analysis.runtime.files import write_frame, write_json

OUTPUTS = ("train", "test", "scoring", "rows", "feature_store", "quality")


@dataclass(frozen=True)
class Preparation:
    """The choices of one preparation. profile: already the variant that is asked for."""

    purpose: Purpose
    profile: Profile
    variant: Variant
    train_fraction: float
    random_state: int
    binning: transform.Binning


def split_rows(count: int, train_fraction: float, random_state: int) -> tuple[list[int], list[int]]:
    """Return positions of training and test rows by scikit-learn's seeded split, which reproduces published figures."""
    # Imported here because a scoring run never splits, and it takes longer to import than all the rest.
    import numpy as np
    from sklearn.model_selection import train_test_split

    if not 0.0 < train_fraction < 1.0:
        raise SettingsError(f"--train-fraction {train_fraction} is not between 0 and 1.")
    # 1 - 0.7 is a little more than 0.3, and scikit-learn rounds the number of test rows up.
    test_fraction = round(1.0 - train_fraction, 12)
    train, test = train_test_split(
        np.arange(count), train_size=train_fraction, test_size=test_fraction, random_state=random_state
    )
    return train.tolist(), test.tolist()


def removed_model_columns(report: dict[str, Any], profile: Profile) -> dict[str, str]:
    """Map the model columns that the quality report removes to the reason."""
    removed = {entry["column"]: entry["reason"] for entry in report["removed_columns"] if entry["action"] == REMOVED}
    sources = {name: transform.source_column(name) for name in profile.columns}
    return {name: f"{source} is {removed[source]}" for name, source in sources.items() if source in removed}


def write_prepared(checked: CheckedDays, wanted: Preparation, output: Path) -> None:
    """Write every output of the step; the directories all exist afterwards, whatever the purpose."""
    for name in OUTPUTS:
        made_directory(output / name)
    days = checked.days
    inputs = transform.model_columns(days, wanted.profile)
    if wanted.purpose is Purpose.TRAINING:
        _write_split(checked, inputs, wanted, output)
    else:
        checked.report["bins"] = transform.bin_report(days, BINS, transform.Binning.FIXED)
    write_frame(inputs, output / "scoring" / "features.csv", header=False)
    rows = pd.DataFrame({"date": transform.iso_dates(days), "actual": transform.target_or_missing(days)})
    write_frame(rows, output / "rows" / "rows.csv")
    write_frame(transform.stored_features(days), output / "feature_store" / "features.csv")
    write_json(checked.report, output / "quality" / "quality.json")


def _write_split(checked: CheckedDays, inputs: pd.DataFrame, wanted: Preparation, output: Path) -> None:
    """Write both sides, each with the dates of its rows, and what train.py has to know of the rows."""
    days = checked.days
    sides = dict(zip(("train", "test"), split_rows(len(days), wanted.train_fraction, wanted.random_state), strict=True))
    labelled = inputs.assign(**{TARGET: days[TARGET]})
    dates = pd.DataFrame({"date": transform.iso_dates(days)})
    for side, rows in sides.items():
        write_frame(labelled.iloc[rows], output / side / f"{side}.csv")
        write_frame(dates.iloc[rows], output / side / "days.csv")
    counts = {"all": len(days), **{side: len(rows) for side, rows in sides.items()}}
    source = {
        "file": checked.report["file"],
        "sha256": checked.report["sha256"],
        "profile": wanted.profile.name,
        "variant": asdict(wanted.variant),
        "random_state": wanted.random_state,
        "train_fraction": wanted.train_fraction,
        "rows": counts,
        "removed_columns": removed_model_columns(checked.report, wanted.profile),
    }
    write_json(source, output / "train" / "source.json")
    checked.report["split"] = counts
    # Edges that are learned are learned on training rows alone; the table then describes all rows.
    bins = transform.bins_for(wanted.binning, days.iloc[sides["train"]])
    checked.report["bins"] = transform.bin_report(days, bins, wanted.binning)
